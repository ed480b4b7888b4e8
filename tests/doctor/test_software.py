"""Which packages differ from the lock file."""

import platform

from digit.doctor.software import installed, pins, software_facts


def test_versions_and_what_differs_from_the_lock_file(tmp_path):
    numpy = installed("numpy")
    lines = [
        f"numpy=={numpy} \\",
        "    --hash=sha256:00",
        "pillow==0.0.1 \\",
        "absent-package==1.0 ; python_full_version >= '3.11' \\",
        "for-others==1.0 ; sys_platform == 'win32' \\",
    ]
    (tmp_path / "requirements.lock").write_text("\n".join(lines))
    facts = {fact.name: fact for fact in software_facts(tmp_path)}
    assert platform.python_version() in facts["Python"].value
    assert f"numpy {numpy}" in facts["packages"].value
    assert facts["lock file"].value == (
        f"1 of 3 packages are those of requirements.lock; others: pillow {installed('pillow')}, absent-package missing"
    )


def test_a_build_for_the_cpu_counts_as_the_pinned_version(tmp_path, monkeypatch):
    monkeypatch.setattr("digit.doctor.software.installed", lambda name: "2.11.0+cpu")
    (tmp_path / "requirements.lock").write_text("torch==2.11.0 \\\n")
    assert software_facts(tmp_path)[-1].value == "1 of 1 packages are those of requirements.lock"


def test_the_repositorys_lock_file_is_understood():
    from pathlib import Path

    found = pins((Path(__file__).parents[2] / "requirements.lock").read_text())
    assert len(found) > 100 and found["numpy"] == installed("numpy")
