"""The page for bug reports, on this machine: everything on it, nothing private, nothing changed."""

import logging
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from digit.cli import app
from digit.render.gl import gl_platform

ROOT = Path(__file__).parents[2]
SECTIONS = ["Software", "Machine", "Disks", "Configuration", "Run", "Locks", "Jobs that ended with an error"]


@pytest.fixture
def doctor(tmp_path, monkeypatch):
    """Function that returns the page about a project with this config.yaml, on a machine without OpenGL."""
    gl_platform.cache_clear()
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYOPENGL_PLATFORM", "nonsense")

    def run(config, *arguments):
        (project / "config.yaml").write_text(config)
        result = CliRunner().invoke(app, ["doctor", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    yield run
    gl_platform.cache_clear()


def test_the_page(doctor, tiny_release, tmp_path):
    mirror = "https://me:secret@mirror.example.org/"
    settings = {"source": "interhand", "root": str(tiny_release), "mirrors": [mirror], "hand_model": "../my mano"}
    config = yaml.safe_dump({"data": settings, "experiments": {"one": {"preset": "tiny"}}})
    page = doctor(config)
    assert re.findall(r"^### (.*)", page, re.MULTILINE) == SECTIONS
    assert "- data.root: <outside the project> is there" in page
    assert "- data.hand_model: <outside the project> is MISSING" in page
    assert "- OpenGL: does not work here" in page and "not found out" not in page
    assert str(tmp_path) not in page and str(ROOT) not in page and "my mano" not in page
    assert "secret" not in page
    assert [path.name for path in Path.cwd().rglob("*")] == ["config.yaml"], "it only looks"
    full = doctor(config, "--full")
    assert f"- data.root: {tiny_release} is there" in full and "secret" not in full


def test_a_configuration_that_cannot_be_read_does_not_hide_the_rest(doctor):
    page = doctor("data: {shrads: 2}\n")
    assert "did you mean 'shards'?" in page and "- processor: " in page and "### Disks" in page


def test_a_fact_that_cannot_be_found_out_does_not_hide_the_rest(doctor, caplog):
    logs = Path("results/one/logs")
    logs.mkdir(parents=True)
    (logs / "index.log").symlink_to("index.log")
    with caplog.at_level(logging.WARNING):
        page = doctor("run: {name: one}\n")
    assert "- not found out: " in page and "### Locks" in page
    assert "not everything could be found out" in caplog.text
