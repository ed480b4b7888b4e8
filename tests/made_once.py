"""Folders that take long to make, made by whichever of pytest-xdist's processes needs one first, for all of them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from digit.run.processes import only_writer


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder ``name`` of this test run, filled by ``make(folder)``; to be read only."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    made = folder.with_suffix(".made")
    with only_writer(folder.with_suffix(".lock")):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
