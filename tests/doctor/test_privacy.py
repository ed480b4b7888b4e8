"""What strangers do not see on the page."""

from pathlib import Path

import pytest

from digit.doctor.privacy import OUTSIDE, without_credentials, without_private_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{project}/results/demo is there", "./results/demo is there"),
        ("{project}: no such file", "./: no such file"),
        ("kept in {project}-other/cache", f"kept in {OUTSIDE}"),
        ("/data/InterHand2.6M is there", f"{OUTSIDE} is there"),
        ("cannot read '/data/a b/c.json' (x)", f"cannot read '{OUTSIDE}' (x)"),
        ("../elsewhere/weights.pt is MISSING", f"{OUTSIDE} is MISSING"),
        ("PYTHONPATH=/srv/one:/srv/two", f"PYTHONPATH={OUTSIDE}:{OUTSIDE}"),
        ("//server/share", OUTSIDE),
        ("~/data and /tmp", f"{OUTSIDE} and {OUTSIDE}"),
        ("data/mano is there, 3 of 4, and/or 1/2", "data/mano is there, 3 of 4, and/or 1/2"),
        ("https://example.org/a/b answers 404", "https://example.org/a/b answers 404"),
    ],
)
def test_paths_outside_the_project_are_left_out(tmp_path, text, shown):
    project = tmp_path / "home" / "project"
    known = ["/data/a b/c.json", "../elsewhere/weights.pt", "data/mano"]
    assert without_private_paths(text.format(project=project), project, known) == shown


def test_a_project_below_home_keeps_its_own_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    text = without_private_paths(f"{tmp_path}/p/cache, {tmp_path}/secret plans/x", tmp_path / "p", [])
    assert text.startswith("./cache, ") and "secret" not in text and str(tmp_path) not in text


def test_a_link_out_of_the_project_is_outside(tmp_path):
    project, other = tmp_path / "project", tmp_path / "other"
    project.mkdir()
    other.mkdir()
    Path(project / "data").symlink_to(other)
    assert without_private_paths("data is there", project, ["data"]) == f"{OUTSIDE} is there"


def test_credentials_are_never_shown():
    text = "https://me:secret@mirror.example.org/a.tar?X-Signature=abc&x=1 answered 403"
    assert without_credentials(text) == "https://...@mirror.example.org/a.tar?... answered 403"
