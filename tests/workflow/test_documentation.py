"""The documentation, typed by a user: every command and program of a page in its order, on a small configuration."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from digit.config import merge
from digit.hand.open_hand.model import load_open_hand
from tests.docs.pages import PAGES, PYTHON, ROOT, blocks, name

MICRO = yaml.safe_load((ROOT / "workflow/configs/micro.yaml").read_text())
SMALL = {"run": {"name": "demo"}, "data": {"shards": 1}, "evaluate": {"splits": ["val", "test"]}}
"""Besides workflow/configs/micro.yaml: what pages read."""
BESIDE = ("api.md", "predict.md", "tutorial.md")
TYPED = [page for page in PAGES if any(block.runs for block in blocks(page))]


def run(folder: Path, command: list[str] | str) -> subprocess.CompletedProcess[str]:
    private = ("PYTHONPATH", "SNAKEMAKE_PROFILE", "VIRTUAL_ENV", "DIGIT_WORKFLOW_PID")
    environment = {key: value for key, value in os.environ.items() if key not in private}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    shell = ["bash", "-euo", "pipefail", "-c", command] if isinstance(command, str) else command
    return subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone after ``make demo``, in small, with the files that pages take for granted."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "workflow", folder / "workflow")
    for file in ("Snakefile", "pyproject.toml"):
        shutil.copy(ROOT / file, folder)
    for file in ("digit", "envs", "examples", "profiles"):
        (folder / file).symlink_to(ROOT / file)
    (folder / ".venv").symlink_to(sys.prefix)
    config = merge(merge(yaml.safe_load((ROOT / "config.yaml").read_text()), MICRO), SMALL)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    made = run(folder, "snakemake --cores all")
    assert made.returncode == 0, made.stderr[-6000:]
    pictures = sorted((folder / "results/demo/dataset/images/test").rglob("*.jpg"))
    (folder / "photos").mkdir()
    for picture, target in zip(
        pictures, ("photo.jpg", "photos/photo.jpg", "more.jpg", "a.jpg", "image.jpg"), strict=False
    ):
        shutil.copy(picture, folder / target)
    shutil.copy(folder / "a.jpg", folder / "b.png")
    shutil.copy(folder / "results/demo/experiments/tiny/train/best.ckpt", folder)
    (folder / "mano").mkdir()
    for side, arrays in load_open_hand().items():
        (folder / f"mano/MANO_{side.upper()}.pkl").write_bytes(pickle.dumps(dict(arrays), protocol=2))
    return folder


def _short(settings: str) -> str:
    """A page's settings, whose new networks are trained as briefly as workflow/configs/micro.yaml's."""
    document = yaml.safe_load(settings)
    for experiment in document["experiments"].values():
        experiment["training"] = MICRO["experiments"]["tiny"]["training"] | experiment.get("training", {})
    return yaml.safe_dump(document)


@pytest.mark.parametrize("page", TYPED, ids=name)
def test_a_page_can_be_typed(clone, page):
    """Commands in their order, then the programs as one, since each goes on where the last one ended."""
    for block in blocks(page):
        if block.file:
            (clone / block.file).write_text(_short(block.text))
        for command in block.commands if block.runs else ():
            done = run(clone, command)
            fails = block.mark.removeprefix("fails: ") if block.mark.startswith("fails: ") else None
            assert (done.returncode != 0) == bool(fails), f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            assert not fails or fails in done.stdout + done.stderr
    program = "\n".join(block.text for block in blocks(page) if block.language in PYTHON and block.runs)
    if program:
        done = run(clone, [sys.executable, "-c", program])
        assert done.returncode == 0, f"{program}\n{done.stderr[-3000:]}"


def test_the_tutorial_ends_in_a_comparison(clone):
    report = clone / "results/demo/report"
    assert "no_parts" in (report / "index.html").read_text() and (report / "comparison.csv").is_file()


def test_the_tutorial_is_typed():
    assert {name(page) for page in TYPED} >= {f"docs/{page}" for page in BESIDE}
