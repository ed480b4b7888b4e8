"""From nothing to a report on the very small configuration, what a second run would do, and runs that are killed.

One file, because ``pytest -n`` gives each file to one process, and all of them look at the same finished run.
"""

import json
import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from digit.store.shards import Store

RUN = Path("results") / "micro"
STORES = [f"{kind}/{split}/{k}.lmdb" for kind in ("images", "parts") for split in ("train", "val") for k in (0, 1)]
LONGER = ("--config", "experiments={tiny: {training: {max_epoch: 3, devices: 2}}}")


def test_every_stage_leaves_what_the_design_promises(finished_workflow):
    run = finished_workflow / RUN
    for split in ("train", "val"):
        assert json.loads((run / "check" / f"{split}.json").read_text())["split"] == split
        assert (run / "index" / split / "index.json").is_file()
        assert (run / "parts" / f"{split}.png").stat().st_size > 10_000
        for shard in (0, 1):
            for name in (f"images/{split}/{shard}.lmdb", f"parts/{split}/{shard}.lmdb"):
                assert (run / name).stat().st_size > 0
            assert (run / "parts" / split / f"{shard}.fit.parquet").is_file()
    train = run / "experiments" / "tiny" / "train"
    assert {p.name for p in train.iterdir()} == {
        *("best.ckpt", "last.ckpt", "history.csv", "config.yaml", "provenance.json", "overlays", "tensorboard"),
    }
    metrics = json.loads((run / "experiments" / "tiny" / "eval" / "val-rootnet" / "metrics.json").read_text())
    assert {"protocol", "metrics", "interval_95", "per_joint", "baseline_mean_pose"} <= set(metrics)
    page = (run / "report" / "index.html").read_text()
    assert page.startswith("<!") and "tiny" in page


def test_every_job_has_a_log_and_a_benchmark(finished_workflow):
    run = finished_workflow / RUN
    logs = {p.relative_to(run / "logs").with_suffix("") for p in (run / "logs").rglob("*.log")}
    benchmarks = {p.relative_to(run / "benchmarks").with_suffix("") for p in (run / "benchmarks").rglob("*.tsv")}
    assert logs == benchmarks and len(logs) == 26


def test_nothing_half_written_is_left_and_nothing_is_written_elsewhere(finished_workflow):
    assert not list(finished_workflow.rglob("*.partial"))
    assert {p.name for p in finished_workflow.iterdir()} == {"results", ".snakemake"}


def test_every_file_is_a_declared_output(finished_workflow, snakemake):
    """So that the workflow also runs where jobs share no file system."""
    table = snakemake(finished_workflow, "--summary").partition("output_file\t")[2]
    declared = {finished_workflow / line.split("\t")[0] for line in table.splitlines()[1:] if "\t" in line}
    private = re.compile(r"(.*/)?\.|logs/|benchmarks/")
    run = finished_workflow / RUN
    files = {p for p in run.rglob("*") if p.is_file() and not private.match(str(p.relative_to(run)))}
    assert len(declared) > 50 and not {p for p in files if declared.isdisjoint({p, *p.parents})}


def test_running_again_does_nothing_and_is_quick(finished_workflow, snakemake):
    start = time.monotonic()
    assert "Nothing to be done" in snakemake(finished_workflow)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("change", "rerun"),
    [
        ("experiments={second: {preset: tiny}}", {"train_experiment": 1, "evaluate_experiment": 1, "report": 1}),
        ("experiments={tiny: {training: {seed: 9}}}", {"train_experiment": 1, "evaluate_experiment": 1, "report": 1}),
        ("evaluate={bootstrap: 30}", {"evaluate_experiment": 1, "report": 1}),
        ("evaluate={root_depth: [rootnet, gt]}", {"check_split": 2, "evaluate_experiment": 1, "report": 1}),
        ("data={check_images: 3}", {"check_split": 2, "report": 1}),
    ],
)
def test_a_change_reruns_what_depends_on_it(finished_workflow, planned, change, rerun):
    jobs = planned(finished_workflow, "--config", change)
    assert {name: count for name, count in jobs.items() if name not in ("settings", "all")} == rerun


def test_another_number_of_shards_packs_anew_but_keeps_data_and_index(finished_workflow, planned):
    jobs = planned(finished_workflow, "--config", "data={shards: 3}")
    assert jobs["images_shard"] == jobs["parts_shard"] == 6 and jobs["train_experiment"] == 1
    assert not {"synthesize", "check_split", "index_split"} & set(jobs)


def test_a_single_stage_can_be_rerun_by_name(finished_workflow, planned):
    jobs = planned(finished_workflow, "--forcerun", "evaluate_experiment", "--", "evaluate")
    assert {name: count for name, count in jobs.items() if name != "evaluate"} == {"evaluate_experiment": 1}


def test_snakemake_report(finished_workflow, snakemake):
    snakemake(finished_workflow, "--report", "page.html")
    page = finished_workflow / "page.html"
    text = page.read_text()
    assert "the whole run on one page" in text and "errors per joint" in text and "part masks" in text
    page.unlink()


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
