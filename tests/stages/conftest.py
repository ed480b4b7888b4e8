"""Prepared data with a small experiment."""

import pytest
import yaml

from digit.config import load_config
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts


@pytest.fixture
def settings_file(tiny_release, tmp_path):
    """Configuration of a run whose data are prepared, with a small experiment ``small``."""
    path = tmp_path / "config.yaml"
    data = {"source": "interhand", "root": str(tiny_release), "shards": 1}
    training = {"max_epoch": 4, "batch_size": 4, "iter_batch": 4, "eval_every_epoch": 2, "devices": 1}
    small = {"preset": "tiny", "training": training | {"recalibrate_images": 4}}
    path.write_text(yaml.safe_dump({"run": {"folder": str(tmp_path)}, "data": data, "experiments": {"small": small}}))
    config = load_config(path)
    for split in ("train", "val"):
        index(config, split)
        images(config, split, 0)
        parts(config, split, 0)
    return path
