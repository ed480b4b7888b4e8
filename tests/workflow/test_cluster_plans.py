"""What the jobs of a run ask a cluster for, and what they ask one machine for: dry runs under both profiles."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "workflow" / "configs" / "paper.yaml"
SLURM = ("--profile", ROOT / "profiles" / "slurm")
HERE = ("--cores", "64")
NO_DEMO = "finetuned: null, shipped: null, tiny: null"


def _jobs(folder, *arguments):
    """Every job of a dry run."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, Path(__file__).with_name("planned_jobs.py"), "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", folder, "--dry-run", *arguments]
    result = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def _only(jobs, rule):
    (job,) = (job for job in jobs if job["rule"] == rule)
    return job["resources"] | {"threads": job["threads"]}


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    root = "data={root: nowhere}"
    return _jobs(tmp_path_factory.mktemp("paper"), *SLURM, "--configfile", PAPER, "--config", root)


def test_the_paper_is_scattered_over_enough_small_jobs(paper):
    for rule in ("images_shard", "parts_shard"):
        jobs = [job for job in paper if job["rule"] == rule]
        a_split = Counter(job["wildcards"]["split"] for job in jobs)
        assert set(a_split) == {"train", "val", "test"} and min(a_split.values()) >= 32
        assert max(job["resources"]["runtime"] for job in jobs) <= 60
        assert max(job["resources"]["mem_mb"] for job in jobs) <= 8000


def test_every_job_says_what_it_needs(paper):
    for job in paper:
        assert job["resources"]["mem_mb"] and job["resources"]["runtime"], job


def test_slurm_is_asked_for_gpus_by_gres(paper):
    training = _only(paper, "train_experiment")
    assert (training["gres"], training["gpu"]) == ("gpu:1", 0)
    assert not {"mpi", "tasks", "nodes", "slurm_extra"} & set(training)
    evaluations = [job["resources"] for job in paper if job["rule"] == "evaluate_experiment"]
    assert len(evaluations) == 4 and all((job["gres"], job["gpu"]) == ("gpu:1", 0) for job in evaluations)


def test_the_default_profile_caps_no_cluster(tmp_path):
    eight = f"experiments={{big: {{training: {{devices: 8, batch_size: 256}}}}, {NO_DEMO}}}"
    assert _only(_jobs(tmp_path, *SLURM, "--config", eight), "train_experiment")["gres"] == "gpu:8"
    # Other executors read gpu.
    here = _only(_jobs(tmp_path, *HERE, "--config", eight), "train_experiment")
    assert here["gpu"] == 8 and here["local_gpu"] == 1, "one training at a time on one machine"


def test_a_training_on_several_nodes_is_started_by_srun(tmp_path):
    training = "{devices: 4, nodes: 2, batch_size: 256, num_workers: 6}"
    jobs = _jobs(tmp_path, *SLURM, "--config", f"experiments={{big: {{training: {training}}}, {NO_DEMO}}}")
    asked = _only(jobs, "train_experiment")
    assert (asked["nodes"], asked["tasks"], asked["gres"], asked["cpus_per_task"]) == (2, 8, "gpu:4", 7)
    assert asked["slurm_extra"] == "'--ntasks-per-node=4'" and asked["tasks_per_gpu"] == 0
    assert asked["mpi"].startswith("srun --nodes=2 --ntasks=8 --ntasks-per-node=4 --cpus-per-task=7 ")
