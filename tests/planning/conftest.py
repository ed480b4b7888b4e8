"""Finished runs of which only the files exist that tell how long something took."""

import json

import pytest

from digit.config import resolve


@pytest.fixture
def planned_config(tmp_path):
    """Function that makes a configuration whose runs lie in ``tmp_path``."""

    def make(**sections):
        synthetic = {"train_images": 4000, "val_images": 400, "test_images": 400}
        return resolve({"run": {"folder": str(tmp_path)}, "synthetic": synthetic, "experiments": {"a": {}}} | sections)

    return make


@pytest.fixture
def finished_run(tmp_path):
    """Function that makes a finished run with an index of each split and benchmark files of one stage."""

    def make(images, seconds, stage="parts", shards=2):
        run = tmp_path / "earlier"
        for split, count in images.items():
            (run / "index" / split).mkdir(parents=True)
            (run / "index" / split / "index.json").write_text(json.dumps({"counts": {"samples": count}}))
            for shard in range(shards):
                for file in (run / stage / split / f"{shard}.lmdb", run / f"benchmarks/{stage}/{split}-{shard}.tsv"):
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(f"s\th:m:s\n{seconds(count / shards)}\t-\n")
        return run

    return make
