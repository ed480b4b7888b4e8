"""The command line: help that reads well and loads fast, errors without a traceback."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from digit.cli import app

ROOT = Path(__file__).parents[1]
VERBS = [
    "synthesize",
    "download",
    "check",
    "index",
    "images",
    "parts",
    "sheet",
    "train",
    "evaluate",
    "report",
    "predict",
    "settings",
    "doctor",
]


def digit(*arguments, cwd=ROOT):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "digit", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_version():
    result = digit("--version")
    assert result.returncode == 0 and result.stdout.startswith("digit 0.")


def test_help_lists_every_verb_and_starts_quickly():
    start = time.monotonic()
    result = digit("--help")
    seconds = time.monotonic() - start
    assert result.returncode == 0
    for verb in VERBS:
        assert f" {verb} " in result.stdout
    assert seconds < 3, "the verbs' modules must not be imported for --help (it takes 0.3 s on an idle machine)"


def test_help_does_not_load_torch():
    code = "import sys, digit.cli; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'pandas', 'lightning')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb(verb):
    result = CliRunner().invoke(app, [verb, "--help"], env={"TERMINAL_WIDTH": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0 and ("--config" in result.stdout or verb == "predict")
    first = next(line for line in result.stdout.splitlines() if line.strip() and "Usage" not in line)
    assert first.strip().endswith("."), "a sentence says what the verb does"


def test_a_mistake_ends_in_one_message(tmp_path):
    (tmp_path / "config.yaml").write_text("data: {shrads: 2}\n")
    result = digit("index", "--split", "val", cwd=tmp_path)
    assert result.returncode == 1
    assert (
        "digit: config.yaml cannot be used, it has 1 problem:" in result.stderr
        and "did you mean 'shards'?" in result.stderr
    )
    assert "Traceback" not in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]


def test_a_missing_configuration_is_named(tmp_path):
    result = digit("settings", "--config", "absent.yaml", cwd=tmp_path)
    assert result.returncode == 1 and "absent.yaml: cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text("run: {name: one}\n")
    (tmp_path / "results").write_text("mine")
    result = digit("index", "--split", "val", cwd=tmp_path)
    assert result.returncode == 1 and result.stderr.endswith("digit: results is a file, not a folder\n")
    assert "Traceback" not in result.stderr


def test_an_unknown_experiment_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text("experiments: {one: {}}\n")
    result = digit("train", "--experiment", "two", cwd=tmp_path)
    assert result.returncode == 1
    assert "experiments.two: no such experiment; the configuration has: one" in result.stderr


def test_a_wrong_split_is_a_usage_error():
    result = digit("check", "--split", "testing")
    assert result.returncode == 2 and "train" in result.stderr


def test_settings_prints_the_resolved_configuration(tmp_path):
    (tmp_path / "a.yaml").write_text("experiments: {x: {preset: tiny}}\n")
    (tmp_path / "b.yaml").write_text("experiments: {x: {training: {seed: 7}}}\n")
    everything = yaml.safe_load(digit("settings", "-c", "a.yaml", "-c", "b.yaml", cwd=tmp_path).stdout)
    training = everything["experiments"]["x"]["training"]
    assert training["seed"] == 7 and training["optimizer"] == "adamw"
    images = yaml.safe_load(digit("settings", "--stage", "images", "-c", "a.yaml", cwd=tmp_path).stdout)
    assert set(images) == {"run", "data"}
