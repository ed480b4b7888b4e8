"""A real Slurm on the loopback interface, started for these tests and stopped after them."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT, ATTENTIVE = (Path(__file__).with_name(name) for name in ("slurm.sh", "attentive.py"))
MICRO = ROOT / "workflow" / "configs" / "micro.yaml"
# Jobs of seconds: look at once. This cluster has no accounting data base.
QUICK = ("--slurm-init-seconds-before-status-checks", "1", "--slurm-status-command", "squeue", "--latency-wait", "20")


class Cluster:
    """A running Slurm in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Filled in as a user does: the lines for the partitions lose their comment sign.
        self.profile = folder / "profile"
        self.profile.mkdir()
        text = (ROOT / "profiles/slurm/config.yaml").read_text()
        text, lines = re.subn(r"^( +)# (slurm_partition: \w+)$", r"\1\2", text, flags=re.MULTILINE)
        assert lines == 3
        (self.profile / "config.yaml").write_text(text)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")} | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            # The pretended nodes' names lead nowhere.
            "MASTER_ADDR": "127.0.0.1",
            "SLURM_CONF": str(folder / "etc/slurm.conf"),
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
        }

    def __call__(self, *command: object) -> str:
        """What a command of Slurm prints."""
        arguments = list(map(str, command))
        return subprocess.run(arguments, env=self.environment, capture_output=True, text=True, check=True).stdout

    def workflow(self, folder: Path, *arguments: object) -> list[str]:
        """The command line that a user types, with this cluster's own two settings."""
        base = [sys.executable, ATTENTIVE, "--profile", self.profile, "--directory", folder, *QUICK]
        base += ["--snakefile", ROOT / "Snakefile", "--configfile", MICRO]
        return [*map(str, base), *map(str, arguments)]

    def run(self, folder: Path, *arguments: object, fails: bool = False) -> str:
        """Run the workflow on the cluster and return what it printed."""
        folder.mkdir(parents=True, exist_ok=True)
        result = subprocess.run(
            self.workflow(folder, *arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
        assert (result.returncode != 0) == fails, result.stdout[-6000:]
        return result.stdout

    def jobs(self) -> dict[str, dict[str, str]]:
        """What slurmctld knows about every job so far, by job id."""
        found = {}
        for line in self("scontrol", "--oneliner", "show", "job").splitlines():
            fields = dict(re.findall(r"(\S+?)=(\S*)", line))
            if "JobId" in fields:
                found[fields["JobId"]] = fields
        return found


def processes_of(folder: Path) -> list[list[str]]:
    """Command lines of all living processes that belong to the cluster in ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = str(folder) in process.environ().get("SLURM_CONF", "") or str(folder) in " ".join(process.cmdline())
            if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster; installs Debian's packages where it may, else the tests are skipped and say so."""
    installed = subprocess.run([SCRIPT, "install"], capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"no Slurm to test on: {installed.stderr.strip()}")
    # Not pytest's own folder: the path of a Unix socket is short.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    try:
        started = subprocess.run([SCRIPT, "up", folder], capture_output=True, text=True, check=False)
        assert started.returncode == 0, started.stderr
        yield Cluster(folder)
    finally:
        subprocess.run([SCRIPT, "down", folder], check=False, timeout=90)
        left = processes_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
    assert not left, f"still running: {left}"
