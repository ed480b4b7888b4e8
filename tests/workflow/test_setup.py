"""The set-up explains what is missing in one sentence."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "setup.sh"


def _set_up(folder, python):
    """Run the set-up with a script instead of Python, given as the body of a shell script."""
    stub = folder / "python-stub"
    stub.write_text(f"#!/bin/bash\n{python}\n")
    stub.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(stub)}
    return subprocess.run(["bash", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("exit 1", "is older than Python 3.11; name a newer one: make PYTHON=python3.12"),
        ('[[ "$2" != *ensurepip* ]]', "install the package python3-venv"),
    ],
)
def test_what_is_missing_is_named(tmp_path, python, sentence):
    result = _set_up(tmp_path, python)
    assert result.returncode == 1
    assert sentence in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_a_failed_installation_shows_its_last_lines(tmp_path):
    (tmp_path / "requirements.lock").write_text("absent==1.0 \\\n    --hash=sha256:00\n")
    venv = (
        '[[ "$1 $2" == "-m venv" ]] && { mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/pip; exit 0; }'
    )
    pip = '[[ "$1 $2" == "-m pip" ]] && { echo "ERROR: no such package"; exit 1; }'
    result = _set_up(tmp_path, f"{venv}\n{pip}\nexit 0")
    assert result.returncode == 1
    assert "ERROR: no such package" in result.stderr and ".venv/install.log" in result.stderr
