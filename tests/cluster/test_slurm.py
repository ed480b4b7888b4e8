"""The whole workflow through ``profiles/slurm`` on a real Slurm, with what goes wrong on clusters."""

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

ROOT = Path(__file__).parents[2]
MICRO = ROOT / "workflow" / "configs" / "micro.yaml"
RUN = Path("results") / "micro"
STORES = [f"{kind}/{split}/{k}.lmdb" for kind in ("images", "parts") for split in ("train", "val") for k in (0, 1)]


# Long enough to be stopped half-way, a third of a second each.
EPOCHS = 40
LONGER = f"tiny: {{training: {{devices: 2, max_epoch: {EPOCHS}, eval_every_epoch: {EPOCHS}, recalibrate_images: 0}}}}"
CHANGED = ("--config", f"experiments={{{LONGER}}}")


def _wait(condition, process, output, seconds=240):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, output.read_text()[-6000:]
        assert time.monotonic() < end, f"waited in vain; so far:\n{output.read_text()[-6000:]}"
        time.sleep(0.3)
    return found


def _running(cluster, rule):
    """Ids of running jobs of a rule."""
    jobs = cluster.jobs().values()
    return [
        j["JobId"] for j in jobs if j["JobState"] == "RUNNING" and re.match(rf"rule_{rule}(_|$)", j.get("Comment", ""))
    ]


def _hang(job):
    """Stop every process of a job at once; Slurm's own command would take a second or more."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get("SLURM_JOB_ID") == job:
                process.suspend()


@pytest.fixture(scope="module")
def beginning_at_home(tmp_path_factory):
    """Process and folder of the same run without a cluster, beside that on the cluster, which mostly waits."""
    folder = tmp_path_factory.mktemp("at_home")
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--cores", "1", "--configfile", MICRO, *CHANGED]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "output.txt").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    yield process, folder
    _end(process)


@pytest.fixture(scope="module")
def at_home(beginning_at_home):
    """Folder of the same run without a cluster."""
    process, folder = beginning_at_home
    assert process.wait(timeout=400) == 0, (folder / "output.txt").read_text()[-6000:]
    return folder


def _end(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def survived(cluster, beginning_at_home, tmp_path_factory):
    """Folder, output and second starter's output of a run whose jobs were cancelled and killed."""
    folder = tmp_path_factory.mktemp("cluster")
    output = folder / "output.txt"
    with output.open("w") as log:
        process = subprocess.Popen(
            cluster.workflow(folder, *CHANGED), env=cluster.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        (first,) = _wait(lambda: _running(cluster, "synthesize"), process, output)
        second = cluster.run(folder, *CHANGED, fails=True)
        cluster("scancel", first)
        (training,) = _wait(lambda: _running(cluster, "train_experiment"), process, output)
        _wait(lambda: list((folder / RUN / "experiments/tiny/train/.progress").glob("*/resume.ckpt")), process, output)
        # It hangs, and runs out of time: Slurm looks every 30 seconds.
        _hang(training)
        assert list((folder / RUN / "experiments/tiny/train/.progress").glob("*/resume.ckpt")), "stopped too late"
        cluster("scontrol", "update", f"jobid={training}", "EndTime=now")
        assert process.wait(timeout=400) == 0, output.read_text()[-6000:]
    finally:
        _end(process)
    return folder, output.read_text(), second


def _attempts(cluster, rule):
    jobs = [job for job in cluster.jobs().values() if re.match(rf"rule_{rule}(_|$)", job.get("Comment", ""))]
    return sorted(jobs, key=lambda job: int(job["JobId"]))


def test_every_stage_ran_as_slurm_jobs_with_what_it_asked_for(survived, cluster):
    expected = {"check_split": 2, "index_split": 2, "images_shard": 4, "parts_shard": 4, "report": 1}
    for rule, count in expected.items():
        jobs = _attempts(cluster, rule)
        assert len(jobs) == count and {job["JobState"] for job in jobs} == {"COMPLETED"}, rule
    for rule in ("images_shard", "parts_shard"):
        for job in _attempts(cluster, rule):
            assert (job["MinMemoryNode"], job["TimeLimit"], job["CPUs/Task"]) == ("4000M", "01:00:00", "1")
    assert not _attempts(cluster, "settings") and not _attempts(cluster, "contact_sheet"), "light rules run locally"


def test_gpus_are_asked_for_as_gres(survived, cluster):
    (evaluation,) = _attempts(cluster, "evaluate_experiment")
    assert evaluation["TresPerNode"] == "gres:gpu:1" and evaluation["Partition"] == "gpu"
    training = _attempts(cluster, "train_experiment")[-1]
    assert training["TresPerNode"] == "gres:gpu:2" and training["NumNodes"] == "1" and training["NumCPUs"] == "2"
    assert training["TimeLimit"] == "7-00:00:00" and training["NodeList"] in ("n2", "n3")


def test_a_cancelled_job_is_retried_with_more(survived, cluster):
    first, second = _attempts(cluster, "synthesize")
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("4000M", "8000M")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("01:00:00", "02:00:00")


def test_a_training_out_of_time_is_retried_and_the_run_completes(survived, cluster):
    folder, output, _ = survived
    first, second = _attempts(cluster, "train_experiment")
    assert (first["JobState"], second["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert "continuing from" in (folder / RUN / "logs/train/tiny.log").read_text()
    assert (folder / RUN / "report/index.html").is_file()
    assert "(100%) done" in output


def test_results_equal_a_local_run(survived, at_home):
    folder = survived[0]
    for name in STORES:
        assert (folder / RUN / name).read_bytes() == (at_home / RUN / name).read_bytes(), name
    for split in ("train", "val"):
        tables = sorted(p.relative_to(at_home) for p in (at_home / RUN / "index" / split).iterdir())
        assert tables
        for table in tables:
            assert (folder / table).read_bytes() == (at_home / table).read_bytes(), table
    histories = [
        list(csv.DictReader((base / RUN / "experiments/tiny/train/history.csv").open())) for base in (folder, at_home)
    ]
    assert len(histories[0]) == len(histories[1]) == EPOCHS
    for here, there in zip(*histories, strict=True):
        np.testing.assert_allclose(float(here["train_loss"]), float(there["train_loss"]), rtol=1e-3)
    place = RUN / "experiments/tiny/eval/val-rootnet/metrics.json"
    here, there = (json.loads((base / place).read_text())["metrics"] for base in (folder, at_home))
    assert here.keys() == there.keys()
    for name in here:
        np.testing.assert_allclose(here[name], there[name], rtol=1e-3, err_msg=name)


def test_a_second_run_in_the_same_folder_is_refused(survived):
    assert "cannot be locked" in survived[2]


def test_a_training_on_two_nodes(survived, cluster):
    folder = survived[0]
    training = "{devices: 1, nodes: 2, max_epoch: 2, batch_size: 8, iter_batch: 4, eval_every_epoch: 2}"
    change = ("--config", f"experiments={{{LONGER}, pair: {{preset: tiny, training: {training}}}}}")
    cluster.run(folder, *change, "--", RUN / "experiments/pair/train/best.ckpt")
    job = _attempts(cluster, "train_experiment")[-1]
    assert (job["NumNodes"], job["NumTasks"], job["NodeList"]) == ("2", "2", "n[2-3]")
    assert job["TresPerNode"] == "gres:gpu:1"
    history = (folder / RUN / "experiments/pair/train/history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", "1", "2"], "one process writes"


def test_running_again_submits_nothing(survived, cluster):
    before = len(cluster.jobs())
    assert "Nothing to be done" in cluster.run(survived[0], *CHANGED)
    assert len(cluster.jobs()) == before


def test_a_failing_job_shows_its_log(cluster, tmp_path):
    missing = ("--config", "data={source: interhand, root: nowhere}")
    output = cluster.run(tmp_path, "--retries", 0, *missing, "--", "check", fails=True)
    assert "nowhere" in output.partition("Logfile")[2], "the rule's own words"
    kept = list((tmp_path / "results/slurm-logs/rule_check_split").rglob("*.log"))
    assert kept and all(str(log) in output for log in kept)
    assert "Traceback" not in output
