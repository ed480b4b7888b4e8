"""``pip install digit`` without extras: predicting works, and what does not says what to install."""

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
HIDE = """
import json, os, sys
hidden = set(json.loads(os.environ["HIDDEN"]))
class Hide:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = map(Hide, sys.meta_path)
from digit.cli import main
main()
"""


def _needed(project: dict) -> set[str]:
    """Names of the packages that an installation without extras brings."""
    found, waiting = set(), [Requirement(text) for text in project["dependencies"]]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and name not in found:
            found.add(name)
            waiting += map(Requirement, importlib.metadata.requires(name) or [])
    return found


@pytest.fixture(scope="module")
def digit():
    """Function that runs the command line where only the packages of a plain installation can be imported."""
    needed = _needed(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]) | {"digit", "setuptools"}
    modules = importlib.metadata.packages_distributions()
    hidden = [name for name, owners in modules.items() if needed.isdisjoint(map(canonicalize_name, owners))]
    assert {"snakemake", "lightning", "lmdb", "numba", "pandas", "pyarrow", "smplx"} <= set(hidden)

    def run(folder, *arguments):
        environment = {"HIDDEN": json.dumps(hidden), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-c", HIDE, *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return run


def test_predicting_needs_no_extra(digit, checkpoint, tmp_path):
    cv2.imwrite(str(tmp_path / "hand.png"), np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    done = digit(tmp_path, "predict", "hand.png", "--checkpoint", checkpoint, "--output", ".", "--preset", "tiny")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hand.pose.json").is_file() and (tmp_path / "hand.overlay.png").is_file()


def test_a_stage_says_what_to_install(digit, tmp_path):
    (tmp_path / "config.yaml").write_text("run: {name: one}\n")
    done = digit(tmp_path, "index", "--split", "val")
    assert done.returncode == 1 and "which is not installed" in done.stderr and "digit[pipeline]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_tells_what_is_missing(digit, tmp_path):
    done = digit(tmp_path, "doctor")
    assert done.returncode == 0 and "not everything could be found out" not in done.stderr, done.stderr
    assert "numba is not installed" in done.stdout and "### Disks" in done.stdout
