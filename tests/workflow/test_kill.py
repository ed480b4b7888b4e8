"""SIGKILL in the middle of images, parts and train: the next run completes, and the stores are the same."""

import os
import signal
import time
from pathlib import Path

import psutil

from digit.store.shards import Store

RUN = Path("results") / "micro"
STORES = [f"{kind}/{split}/{k}.lmdb" for kind in ("images", "parts") for split in ("train", "val") for k in (0, 1)]
LONGER = ("--config", "experiments={tiny: {training: {max_epoch: 3}}}")


def _wait_for(folder, patterns, process, seconds=240):
    """Wait until one of the files is there."""
    end = time.monotonic() + seconds
    while not any(next((folder / RUN).glob(pattern), None) for pattern in patterns):
        assert process.poll() is None, (folder / "output.txt").read_text()[-4000:]
        assert time.monotonic() < end, f"waited in vain for {patterns}"
        time.sleep(0.001)


def _jobs(folder):
    """Processes of this project that work in ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and "digit" in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def _kill_workflow_alone(process, folder):
    """Kill Snakemake, not its jobs; they have to notice."""
    assert _jobs(folder), "no job is running: the kill comes too early or too late"
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while _jobs(folder):
        assert time.monotonic() < end, f"still running: {[job.cmdline() for job in _jobs(folder)]}"
        time.sleep(0.05)


def test_killed_runs_continue(finished_workflow, tmp_path, snakemake, start_workflow):
    process = start_workflow(tmp_path, "--", "images")
    _wait_for(tmp_path, ["images/*/.*.partial", "images/*/*.lmdb"], process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not all((tmp_path / RUN / name).exists() for name in STORES if name.startswith("images"))

    process = start_workflow(tmp_path, "--", "parts")
    _wait_for(tmp_path, ["parts/*/.*.partial"], process)
    _kill_workflow_alone(process, tmp_path)
    assert not all((tmp_path / RUN / name).exists() for name in STORES)

    process = start_workflow(tmp_path, *LONGER, "--", "train")
    _wait_for(tmp_path, ["experiments/tiny/train/.progress/*/resume.ckpt"], process)
    _kill_workflow_alone(process, tmp_path)
    assert not (tmp_path / RUN / "experiments/tiny/train/best.ckpt").exists()

    snakemake(tmp_path, *LONGER, "--", "parts", "train")
    assert "continuing from" in (tmp_path / RUN / "logs/train/tiny.log").read_text()
    history = (tmp_path / RUN / "experiments/tiny/train/history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", "1", "2", "3"]
    for name in STORES:
        killed, smooth = Store([tmp_path / RUN / name]), Store([finished_workflow / RUN / name])
        keys = sorted(smooth.keys())
        assert keys and sorted(killed.keys()) == keys
        assert [killed.get(key) for key in keys] == [smooth.get(key) for key in keys]
        assert killed.header == smooth.header


def test_two_runs_in_one_folder_do_not_meet(tmp_path, snakemake, start_workflow):
    first = start_workflow(tmp_path, "--", "index")
    _wait_for(tmp_path, ["logs/synthesize.log"], first)
    output = snakemake(tmp_path, "--", "index", fails=True)
    assert "cannot be locked" in output
    assert first.wait(timeout=240) == 0
