"""Everything that a process and its children print is in the log as well."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEAKS = """
import logging, os, subprocess, sys
from pathlib import Path
from digit.run.output import copy_output
copy_output(Path(sys.argv[1]))
print("out")
os.write(2, b"a library in C\\n")
subprocess.run([sys.executable, "-c", "print('child')"])
subprocess.Popen(["sleep", "5"])
logging.warning("warned")
print("x" * 300_000)
raise SystemExit("last words")
"""


def speak(log: Path, code: str = SPEAKS, **environment: str) -> subprocess.CompletedProcess:
    """Run a process that copies its output."""
    return subprocess.run(
        [sys.executable, "-c", code, str(log)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip


def test_the_log_holds_what_the_terminal_shows(tmp_path):
    log = tmp_path / "logs" / "a.log"
    log.parent.mkdir()
    log.write_text("an earlier attempt\n")
    said = speak(log)
    assert said.returncode == 1
    lines = ["out", "a library in C", "child", "WARNING:root:warned", "x" * 300_000, "last words"]
    assert said.stderr.splitlines() == lines and not said.stdout
    assert log.read_text().splitlines() == lines


def test_a_traceback_is_in_the_log(tmp_path):
    """Without a child that outlives the process and holds the pipe open."""
    said = speak(
        tmp_path / "a.log",
        SPEAKS.replace('subprocess.Popen(["sleep", "5"])', "").replace('raise SystemExit("last words")', "1 / 0"),
    )
    assert said.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "ZeroDivisionError" in (tmp_path / "a.log").read_text()


def test_further_processes_of_one_training_append(tmp_path):
    speak(tmp_path / "a.log", "import sys; " + SPEAKS)
    before = (tmp_path / "a.log").read_text()
    speak(tmp_path / "a.log", SLURM_PROCID="1")
    after = (tmp_path / "a.log").read_text()
    assert after.startswith(before) and after.count("last words") == 2


def test_a_terminal_that_is_gone_does_not_end_the_job(tmp_path):
    gone, kept = os.pipe()
    os.close(gone)
    command = [sys.executable, "-c", SPEAKS, str(tmp_path / "a.log")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=kept, stderr=kept, timeout=60, check=False)
    os.close(kept)
    assert "last words" in (tmp_path / "a.log").read_text()
