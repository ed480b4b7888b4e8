"""The golden data set, prepared by the public stages."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from digit.config import ModelSettings, resolve
from digit.model.inference import to_input
from digit.run.layout import Layout
from digit.samples.fits import PAIR, FitTable, write_fits
from digit.samples.index import open_index
from digit.samples.opening import open_dataset
from digit.stages.check import check as check_stage
from digit.stages.images import images as images_stage
from digit.stages.index import index as index_stage
from digit.store.shards import write_shard

GOLDEN = Path(os.environ.get("DIGIT_GOLDEN") or Path(__file__).parent)
MINI = GOLDEN / "interhand_mini"
SHAPES = json.loads((GOLDEN / "state_dict_shapes.json").read_text())
SEED = json.loads((GOLDEN / "meta.json").read_text())["seed"]


@pytest.fixture(scope="session")
def golden_config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    data = {"source": "interhand", "root": str(MINI), "shards": 1}
    config = resolve({"run": {"name": "golden", "folder": str(folder)}, "data": data})
    for split in ("train", "val", "test"):
        check_stage(config, split)
        index_stage(config, split)
        images_stage(config, split, 0)
        store_golden_masks(config, split)
    return config


def store_golden_masks(config, split):
    """Write the golden masks and fit errors as the parts stage would."""
    layout, index = Layout.of(config), open_index(Layout.of(config).index(split))
    cached = json.loads((MINI / "cache" / f"fit_{split}.json").read_text())
    errors = [
        [cached[f"{split}/{name}"][f"{side}_fit_err"] for side in ("right", "left")] for name in index.keys(slice(None))
    ]
    table = FitTable.empty(len(index))
    table.error_mm[:] = np.array(errors, dtype=float)
    table.fitted[:] = np.isfinite(table.error_mm)
    table.pixels[:] = 1
    segms = MINI / "segms" / split
    items = [(name, (segms / name).with_suffix(".png").read_bytes()) for name in sorted(index.keys())]
    header = {"stage": "parts", "split": split, "shard": 0, "shards": 1, PAIR: "golden"}
    write_shard(layout.parts(split, 0), items, header)
    write_fits(layout.fit(split, 0), index, np.arange(len(index)), table, None, "golden", header[PAIR])


@pytest.fixture(scope="session")
def golden_val_batch(golden_config):
    """Input and targets of the first three samples of val with RootNet's boxes."""
    dataset, _ = open_dataset(golden_config, "val", ModelSettings(), "rootnet")
    batch = dataset.__getitems__([0, 1, 2])
    return to_input(batch), batch


def filled_tensor(key: str, shape: list[int]) -> torch.Tensor:
    """The golden filling of one tensor, see README.md beside this file."""
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    generator = np.random.default_rng(zlib.crc32(key.encode()) + SEED)
    if key.endswith("running_mean"):
        values = 0.1 * generator.standard_normal(shape)
    elif len(shape) == 1:
        values = generator.uniform(0.5, 1.5, shape)
    else:
        values = generator.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32))


@pytest.fixture(scope="session")
def state() -> dict[str, torch.Tensor]:
    """The network filled by the golden rule, keys as in the released file."""
    return {key: filled_tensor(key, shape) for key, shape in SHAPES.items()}
