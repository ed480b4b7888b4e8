"""The documentation names only what exists, and says of each command whether a test runs it."""

import importlib.util
import re
import shlex

import pytest
import typer.main
from snakemake.cli import get_argument_parser

from digit.cli import app
from digit.config import Config
from digit.config.schema import of
from tests.docs.pages import PAGES, PYTHON, ROOT, SHELL, blocks, inline, name

COMMANDS = typer.main.get_command(app)
MARKS = r"not run: \S.{5,}|run by (\S+?)(, .+)?|file: [\w.]+|fails: .+"
OPTIONS = {option for action in get_argument_parser()._actions for option in action.option_strings}
RULES = {
    rule
    for file in (ROOT / "workflow/rules").glob("*.smk")
    for rule in re.findall(r"(?:rule|checkpoint) (\w+):", file.read_text())
}
SECTIONS = of(Config)["properties"]
FLAGS = {
    "train": SECTIONS["experiments"]["additionalProperties"]["properties"]["training"]["properties"],
    "evaluate": SECTIONS["evaluate"]["properties"],
}
"""Verbs that take keys of the configuration as flags."""
each_page = pytest.mark.parametrize("page", PAGES, ids=name)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


@each_page
def test_every_command_is_run_by_a_test_or_says_why_not(page):
    for block in blocks(page):
        if not block.mark or block.language not in (*SHELL, *PYTHON):
            continue
        found = re.fullmatch(MARKS, block.mark)
        assert found, f"{block.mark!r} is none of: not run: REASON, run by TEST, file: NAME, fails: WORDS"
        assert found[1] is None or (ROOT / found[1]).is_file(), f"there is no {found[1]}"


@each_page
def test_commands_exist(page):
    fenced = [command for block in blocks(page) for command in block.commands]
    wrong = [f"{command}: {problem}" for command in [*fenced, *inline(page)] for problem in problems(command)]
    assert not wrong


def test_problems_are_found():
    """Of this file: what it is to find."""
    assert problems("digit predcit x") and problems("digit train --experimnet x") and problems("make dmeo")
    assert problems("snakemake --cores all evaluat") and problems("snakemake --corse 2") and problems("python -m digti")
    assert problems(".venv/bin/digit export network --outptu x")
    assert not problems("digit train -e x --lr=1e-3 --max_epoch 4") and not problems("snakemake --cores all -- check")
    assert not problems("digit export data --output x") and not problems("make demo TORCH=cpu INDEX=x")


def problems(command: str) -> list[str]:
    """What is wrong with a command of digit, Snakemake, make or Python; nothing is said about others."""
    try:
        program, *words = shlex.split(command, comments=True) or [""]
    except ValueError:
        return []
    program = program.removeprefix(".venv/bin/")
    if program == "python" and words[:1] == ["-m"] and not words[1].startswith("scripts"):
        if words[1] == "digit":
            program, words = "digit", words[2:]
        else:
            return [] if importlib.util.find_spec(words[1].split(".")[0]) else [f"no module {words[1]}"]
    checks = {"digit": _of_digit, "snakemake": _of_snakemake, "make": _of_make}
    return checks[program](words) if program in checks and words else []


def _of_digit(words: list[str]) -> list[str]:
    group, verb = COMMANDS, words[0]
    if verb.startswith("-"):
        return [] if verb in ("--help", "--version") else [f"no option {verb}"]
    if not verb.isalpha() or verb.isupper():
        return []
    if verb not in group.commands:
        return [f"no verb {verb}"]
    command = group.commands[verb]
    if hasattr(command, "commands") and len(words) > 1 and words[1] in command.commands:
        command = command.commands[words[1]]
    commands = [command, *getattr(command, "commands", {}).values()]
    known = {option for item in commands for param in item.params for option in param.opts} | {"--help"}
    used = {word.partition("=")[0] for word in words if word.startswith("--") and word != "--"}
    return [f"no option {o} of {verb}" for o in used - known if o[2:] not in FLAGS.get(verb, {})]


def _of_snakemake(words: list[str]) -> list[str]:
    used = {word.partition("=")[0] for word in words if word.startswith("--") and word != "--"}
    targets = words[words.index("--") + 1 :] if "--" in words else []
    if words[:1] == ["--cores"] and len(words) == 3:
        targets = words[2:]
    wrong = [t for t in targets if re.fullmatch(r"[a-z_]+", t) and t not in RULES]
    return [f"no option {o}" for o in used - OPTIONS] + [f"no target {t}" for t in wrong]


def _of_make(words: list[str]) -> list[str]:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return [f"no target {w}" for w in words if re.fullmatch(r"[a-z-]+", w) and w not in targets]
