"""From an empty folder over a mirror that misbehaves to the report, in one command; killed once on the way."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from bench.released import write_release
from tests.download.release_server import ReleaseServer

RUN = Path("results") / "micro"
STORES = [f"{kind}/{split}/{k}.lmdb" for kind in ("images", "parts") for split in ("train", "val") for k in (0, 1)]


@pytest.fixture
def released(finished_workflow, tmp_path) -> Path:
    """The embedded data set as a mirror has it."""
    write_release(finished_workflow / RUN / "dataset", tmp_path / "released", 50_021)
    return tmp_path / "released"


def arguments(root, mirrors, **data):
    settings = {"source": "interhand", "root": str(root), "download": True, "accept_licence": True} | data
    return ["--config", f"data={json.dumps(settings | {'mirrors': mirrors})}"]


def test_from_the_mirror_to_the_report(finished_workflow, released, tmp_path, snakemake, start_workflow, planned):
    root, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(finished_workflow / RUN / "dataset" / "rootnet_output", root / "rootnet_output")
    with ReleaseServer(released, bytes_per_second=50_000) as first, ReleaseServer(released) as second:
        pieces = sorted(path.name for path in released.glob("*.part??"))
        for name, fault in zip(pieces, ("cut 99", "status 429", "change 5", "page", "whole"), strict=False):
            first.faults[name] = [fault]
        words = arguments(root, [first.address, second.address])
        process = start_workflow(run, *words)
        deadline = time.monotonic() + 120
        while not first.sent[pieces[0]] and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (run / RUN / "download.json").exists()
        first.bytes_per_second = float("inf")
        snakemake(run, *words)
    assert not (root / "images").exists(), "nothing is unpacked"
    assert [(run / RUN / name).read_bytes() for name in STORES if "images" in name] == [
        (finished_workflow / RUN / name).read_bytes() for name in STORES if "images" in name
    ]
    ours, expected = (
        json.loads((folder / RUN / "experiments/tiny/eval/val-rootnet/metrics.json").read_text())["metrics"]
        for folder in (run, finished_workflow)
    )
    assert ours == expected and (run / RUN / "report" / "index.html").is_file()
    assert "Nothing to be done" in snakemake(run, *words), "also without a mirror"
    piece = root / "archive" / pieces[1]
    piece.write_bytes(piece.read_bytes()[::-1])
    jobs = planned(run, *words, "--", "images")
    assert jobs["check_split"] == 2 and "download" not in jobs, "pieces are tracked"


def test_the_plan_downloads_first_and_asks_for_the_terms(released, tmp_path, planned, snakemake):
    words = arguments(tmp_path / "data", ["http://127.0.0.1:9/"], accept_licence=False)
    assert planned(tmp_path / "run", *words, "--", "check")["download"] == 1
    assert planned(tmp_path / "run", *words, "--", "download") == {"settings": 1, "download": 1}
    output = snakemake(tmp_path / "run", *words, "--", "check", fails=True)
    assert "nothing was downloaded. Read the terms first" in output and "CC BY-NC 4.0" in output
    assert "Traceback" not in output and not (tmp_path / "data" / "annotations").exists()


def test_an_archive_that_is_there_needs_no_download(finished_workflow, released, tmp_path, planned):
    words = arguments(
        finished_workflow / RUN / "dataset", ["http://127.0.0.1:9/"], download=False, image_archive=str(released)
    )
    jobs = planned(tmp_path / "run", *words)
    assert jobs["images_shard"] == 4 and not {"download", "synthesize"} & set(jobs)
