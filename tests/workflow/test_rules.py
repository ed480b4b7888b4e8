"""Every rule says what a person and a cluster need to know; the sources keep the house's shape."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
RULES = {
    name: body
    for file in [ROOT / "Snakefile", *FILES]
    for name, body in re.findall(r"^ *rule (\w+):\n((?:[ ]+.*\n|\n)+)", file.read_text() + "\n", re.MULTILINE)
}
TARGETS = {"all", "check", "index", "images", "parts", "train", "evaluate"}
PROMISED = TARGETS | {"report", "settings", "synthesize"}


def _directives(body: str) -> set[str]:
    return set(re.findall(r"^ +(\w+):", body, re.MULTILINE))


def test_the_promised_targets_exist():
    assert not PROMISED - set(RULES)


@pytest.mark.parametrize("name", sorted(set(RULES) - TARGETS))
def test_working_rules_are_complete(name):
    body = RULES[name]
    missing = {"output", "log", "benchmark", "conda", "threads", "resources", "message", "shell"} - _directives(body)
    assert not missing
    assert re.search(r"mem_mb=", body) and re.search(r"runtime=", body)
    outputs = body.partition("output:")[2].partition("log:")[0]
    assert re.match(r"\s+(\w+=|\*\*)", outputs), "name the outputs"
    environment = re.search(r'"\.\./\.\./(envs/\w+\.yaml)"', body)[1]
    assert (ROOT / environment).is_file()


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_targets_only_collect(name):
    assert not _directives(RULES[name]) & {"shell", "run", "script", "output"}


def test_rules_run_the_command_line_only():
    for name, body in RULES.items():
        assert "run:" not in body and "script:" not in body
        if name not in TARGETS | {"settings"}:
            shell = re.sub(r'"\s*"', "", body.partition("shell:")[2]).strip().strip('"')
            assert re.fullmatch(r"(\{params\.launcher\} )?python -m digit \w+ [^|;&<>]+ --log \{log:q\}", shell), name


def test_gpu_rules_ask_for_gpus_and_the_default_profile_lets_them_take_turns_on_one_machine():
    assert "gpu=1" in RULES["evaluate_experiment"] and "**train_resources()" in RULES["train_experiment"]
    capped = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())["resources"]
    assert capped == {"local_gpu": 1}, "a cap of gpu would cap clusters too: this profile applies under all others"


def test_captions_exist():
    for body in RULES.values():
        for caption in re.findall(r'caption="\.\./report/(\w+\.rst)"', body):
            assert (ROOT / "workflow" / "report" / caption).is_file()


def test_files_are_short():
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 60
    for file in FILES:
        limit = 110 if file.name == "common.smk" else 200
        assert len(file.read_text().splitlines()) < limit, file.name


def test_snakemake_lint_is_clean():
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--lint"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "good condition" in result.stdout + result.stderr
