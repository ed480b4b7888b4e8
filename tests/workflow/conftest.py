"""The real Snakefile, run as a user runs it, in a folder of its own."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.made_once import made_once

ROOT = Path(__file__).parents[2]
MICRO = ROOT / "workflow" / "configs" / "micro.yaml"


def command(folder: Path, *arguments: object) -> list[str]:
    """The command line of a run on the very small configuration in ``folder``."""
    base = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder, "--cores", 2]
    return [*map(str, base), "--configfile", str(MICRO), *map(str, arguments)]


def environment() -> dict[str, str]:
    """As in a new shell: nothing of this test run, no activated virtual environment."""
    private = ("PYTHONPATH", "SNAKEMAKE_PROFILE", "VIRTUAL_ENV", "DIGIT_WORKFLOW_PID")
    return {name: value for name, value in os.environ.items() if name not in private} | {"PATH": os.defpath}


@pytest.fixture(scope="session")
def snakemake():
    """Function that runs the workflow and returns its output; ``fails=True`` expects a failure."""

    def run(folder: Path, *arguments: object, fails: bool = False, timeout: float = 400) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        if "--dry-run" in arguments:
            status, output = plan(folder, *arguments)
        else:
            result = subprocess.run(
                command(folder, *arguments), env=environment(), capture_output=True, text=True, timeout=timeout
            )
            status, output = result.returncode, result.stdout + result.stderr
        assert (status != 0) == fails, output[-6000:]
        return output

    def plan(folder: Path, *arguments: object) -> tuple[int, str]:
        with tempfile.TemporaryDirectory() as elsewhere:
            words = command(folder, *arguments)[3:]
            process = Forked("snakemake.cli", *words, output=Path(elsewhere) / "output", environment=environment())
            return process.wait(), process.printed

    return run


@pytest.fixture(scope="session")
def planned(snakemake):
    """Function that says how many jobs of each rule a run would start."""

    def plan(folder: Path, *arguments: object) -> dict[str, int]:
        output = snakemake(folder, "--dry-run", *arguments)
        if "Nothing to be done" in output:
            return {}
        table = output.rpartition("Job stats:")[2].partition("total")[0]
        return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}

    return plan


@pytest.fixture(scope="session")
def finished_workflow(tmp_path_factory, snakemake) -> Path:
    """Folder of an uninterrupted run from nothing to the report; to be read only."""
    return made_once(tmp_path_factory, "finished", snakemake)


@pytest.fixture(scope="session")
def start_workflow():
    """Function that starts a run in the background, in a process group of its own."""
    started = []

    def start(folder: Path, *arguments: object) -> subprocess.Popen:
        folder.mkdir(parents=True, exist_ok=True)
        log = (folder / "output.txt").open("w")
        process = subprocess.Popen(
            command(folder, *arguments), env=environment(), stdout=log, stderr=log, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
