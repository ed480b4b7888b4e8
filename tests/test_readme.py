"""The documentation names only files, verbs and targets that exist."""

import re
from pathlib import Path

import pytest

from digit.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page):
    text = page.read_text()
    verbs = {command.callback.__name__ for command in app.registered_commands} | {g.name for g in app.registered_groups}
    used = set(re.findall(r"(?:`|bin/)digit ([a-z]+)", text))
    assert not used - verbs
    rules = {
        name
        for file in (ROOT / "workflow/rules").glob("*.smk")
        for name in re.findall(r"rule (\w+):", file.read_text())
    }
    assert not set(re.findall(r"snakemake --cores \w+ (?:.* -- )?([a-z_]+)`", text)) - rules
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert not set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) - targets


def test_the_python_example_that_needs_nothing_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    scope: dict = {}
    exec(next(block for block in blocks if "render_parts" in block), scope)
    assert scope["labels"].shape == (256, 256) and scope["labels"].max() <= 16 and scope["labels"].any()
