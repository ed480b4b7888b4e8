"""Killed workflows: jobs end, locks fall, outputs have one writer."""

import fcntl
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from digit.run.processes import WORKFLOW_PID, free_stale_lock, only_writer

ROOT = Path(__file__).parents[2]


def _wait(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _python(code, **options):
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def test_a_job_and_its_children_end_with_the_workflow():
    workflow = _python("import time; time.sleep(60)")
    job = _python(
        "import subprocess, sys, time\n"
        "from digit.run.processes import end_with_workflow\n"
        "end_with_workflow(seconds_between_looks=0.05)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n",
        env=os.environ | {WORKFLOW_PID: str(workflow.pid)},
    )
    child = psutil.Process(int(job.stdout.readline()))
    assert job.poll() is None and child.is_running()
    workflow.kill()
    workflow.wait()
    assert job.wait(timeout=15) == 1
    _wait(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_stage_started_by_hand_needs_no_workflow():
    code = "from digit.run.processes import end_with_workflow as end\nend()\nprint('lives')\n"
    environment = {name: value for name, value in os.environ.items() if name != WORKFLOW_PID}
    job = _python(code, env=environment)
    assert job.communicate(timeout=30)[0] == "lives\n"


def _write_slowly(lock, out, letter):
    with only_writer(Path(lock)):
        for _ in range(5):
            with Path(out).open("a") as file:
                file.write(letter)
            time.sleep(0.02)


def test_one_writer_at_a_time(tmp_path):
    context = multiprocessing.get_context("fork")
    arguments = [(tmp_path / "locks" / "a", tmp_path / "out", letter) for letter in "xyz"]
    writers = [context.Process(target=_write_slowly, args=a) for a in arguments]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    text = (tmp_path / "out").read_text()
    assert sorted(text[k : k + 5] for k in (0, 5, 10)) == ["xxxxx", "yyyyy", "zzzzz"]


def test_further_processes_of_one_training_share_the_first_ones_lock(tmp_path, monkeypatch):
    with only_writer(tmp_path / "lock"):
        monkeypatch.setenv("SLURM_PROCID", "1")
        with only_writer(tmp_path / "lock"):
            pass


def test_a_file_system_without_locks_is_no_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with only_writer(tmp_path / "lock"):
        pass


HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom digit.run.processes import free_stale_lock\n"
    "kept = free_stale_lock(Path(sys.argv[1]))\nprint('ready', flush=True)\ntime.sleep(60)\n"
)


def _hold(state):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(state)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_lock_of_a_killed_run_is_removed_and_that_of_a_living_one_is_not(tmp_path):
    lock = tmp_path / "locks" / "0.input.lock"
    run = _hold(tmp_path)
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    second = free_stale_lock(tmp_path)
    assert lock.exists(), "the first run is alive"
    second.close()
    run.send_signal(signal.SIGKILL)
    run.wait()
    third = free_stale_lock(tmp_path)
    assert not lock.exists(), "nobody is alive who could hold it"
    third.close()


def test_a_lock_from_another_machine_is_left_alone(tmp_path):
    lock = tmp_path / "locks" / "0.output.lock"
    lock.parent.mkdir()
    lock.touch()
    (tmp_path / "digit.lock").write_text("elsewhere")
    for _ in range(2):
        free_stale_lock(tmp_path).close()
        assert lock.exists()
    lock.unlink()
    free_stale_lock(tmp_path).close()
    assert (tmp_path / "digit.lock").read_text() == socket.gethostname()
