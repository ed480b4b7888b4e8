"""A run of predict, once for all tests of the gallery."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from digit.gallery.page import write_gallery

NAMES = ["hand.jpg", "sub folder/a&b <i>#1?%.png", "other.heic", "handle.jpg", "none.jpg"]


@pytest.fixture(scope="session")
def make():
    """The module ``run_of_predict``."""
    path = Path(__file__).with_name("run_of_predict.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def _run(make, tmp_path_factory):
    output = tmp_path_factory.mktemp("run of predict")
    poses = make.write_run(output, NAMES)
    write_gallery(output, poses, ["cut.jpg: is damaged or cut off (<b>); copy it again"])
    return output, poses


@pytest.fixture
def run(_run, tmp_path):
    """A folder of results of five pictures with their page, to change at will, and its pose files."""
    output, poses = _run
    copy = tmp_path / "out"
    shutil.copytree(output, copy)
    return copy, [copy / path.relative_to(output) for path in poses]
