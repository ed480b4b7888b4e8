"""The documentation, typed by a user: every command and program of a page in its order, on a small configuration."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from digit.config import merge
from tests.docs.pages import PAGES, PYTHON, ROOT, blocks, name

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
    documents = [
        yaml.safe_load(path.read_text()) for path in (ROOT / "config.yaml", ROOT / "workflow/configs/micro.yaml")
    ]
    (folder / "config.yaml").write_text(yaml.safe_dump(merge(merge(*documents), SMALL)))
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
    return folder


@pytest.mark.parametrize("page", TYPED, ids=name)
def test_a_page_can_be_typed(clone, page):
    for block in blocks(page):
        if block.file:
            (clone / block.file).write_text(block.text)
        elif block.language in PYTHON and block.runs:
            done = run(clone, [sys.executable, "-c", block.text])
            assert done.returncode == 0, f"{block.text}\n{done.stderr[-3000:]}"
        elif block.runs:
            for command in block.commands:
                done = run(clone, command)
                fails = block.mark.removeprefix("fails: ") if block.mark.startswith("fails: ") else None
                assert (done.returncode != 0) == bool(fails), f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
                assert not fails or fails in done.stdout + done.stderr


def test_the_tutorial_ends_in_a_comparison(clone):
    report = clone / "results/demo/report"
    assert "no_parts" in (report / "index.html").read_text() and (report / "comparison.csv").is_file()


def test_the_tutorial_is_typed():
    assert {name(page) for page in TYPED} >= {f"docs/{page}" for page in BESIDE}
