"""What stands around the code says the same as the code: version, citation, continuous integration."""

import re
import tomllib
from pathlib import Path

import yaml

import digit

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert digit.__version__ == PROJECT["version"] == citation["version"]
    headings = re.findall(r"^## (.+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert digit.__version__ in headings or headings[0] == "Unreleased"


def test_the_citation_is_the_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and {"title", "message", "authors"} <= set(citation)
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == [
        *("Fan", "Spurr", "Kocabas", "Tang", "Black", "Hilliges"),
    ]
    assert paper["year"] == 2021 and "2107.00434" in paper["url"]


def test_the_changelog_has_groups():
    newest = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
    groups = re.findall(r"^### (.+)", newest, re.MULTILINE)
    assert groups and groups == [name for name in ("Breaking", "New", "Changed", "Fixed") if name in groups]
    entries = newest.partition("### ")[2].splitlines()
    assert all(line.startswith(("- ", "### ")) or not line or line in groups for line in entries), "one line each"


def test_continuous_integration_runs_what_people_run():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    steps = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert steps["everything"] == ["bash .ci/run"]
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert jobs["tests"]["strategy"]["matrix"]["python"] == [lowest, "3.12", "3.13"]
    commands = (ROOT / ".ci/run").read_text().splitlines()
    assert {"make test", "make docs", "make lint"} <= set(commands)


def test_templates_ask_for_the_doctor():
    forms = [yaml.safe_load(path.read_text()) for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("[bi]*.yml")]
    assert len(forms) == 2 and all("digit doctor" in yaml.safe_dump(form) for form in forms)
    assert "digit doctor" in (ROOT / ".github/pull_request_template.md").read_text()


def test_hooks_run_programs_of_the_project():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    scripts = [word for hook in hooks for word in hook["entry"].split() if word.endswith(".py")]
    assert all((ROOT / script).is_file() for script in scripts)
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)
