"""The batch-wise data set and the order of samples over epochs and processes."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from digit.config import resolve
from digit.data.dataset import EpochSampler, whole_batch
from digit.data.prepared import open_dataset
from digit.errors import UserError
from digit.layout import Layout
from digit.presets import PRESETS
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts

TINY = resolve({"experiments": {"tiny": PRESETS["tiny"] | {"preset": "tiny"}}}).experiments["tiny"]


@pytest.fixture
def config(run_config, tiny_release):
    config = run_config(tiny_release)
    for split in ("train", "val"):
        index(config, split)
        for shard in range(config.data.shards):
            images(config, split, shard)
            parts(config, split, shard)
    return config


def training_data(config):
    return open_dataset(config, "train", TINY.model, augment=TINY.augment, seed=5)[0]


def assert_equal_batches(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, msg=name)


def test_a_batch_has_the_promised_shapes_and_types(config):
    dataset = training_data(config)
    batch = dataset.__getitems__([0, 1, 2])
    size = TINY.model.input_size
    shapes = {
        "image": (3, size, size, 3), "color": (3, 3), "joint_coord": (3, 42, 3), "joint_valid": (3, 42),
        "rel_root_depth": (3, 1), "root_valid": (3, 1), "hand_type": (3, 2), "hand_type_valid": (3, 1),
        "segm": (3, size // 2, size // 2), "segm_valid": (3,), "inv_trans": (3, 2, 3), "row": (3,),
    }  # fmt: skip
    assert {name: tuple(value.shape) for name, value in batch.items()} == shapes
    assert batch["image"].dtype == batch["segm"].dtype == torch.uint8
    assert int(batch["segm"].max()) <= 32


def test_batches_do_not_depend_on_workers_or_grouping(config):
    dataset = training_data(config)
    keys = list(range(len(dataset)))
    whole = dataset.__getitems__(keys)
    for workers in (0, 2):
        loader = DataLoader(dataset, batch_size=5, sampler=keys, collate_fn=whole_batch, num_workers=workers)
        pieces = list(loader)
        joined = {name: torch.cat([piece[name] for piece in pieces]) for name in whole}
        assert_equal_batches(joined, whole)


def test_an_epoch_draws_new_augmentation_and_a_pickled_data_set_draws_the_same(config):
    dataset = training_data(config)
    first, second = dataset.__getitems__([0]), dataset.__getitems__([len(dataset)])
    assert not torch.equal(first["joint_coord"], second["joint_coord"])
    assert_equal_batches(pickle.loads(pickle.dumps(dataset)).__getitems__([0]), first)


def test_rootnet_boxes_must_be_there(config):
    with pytest.raises(UserError, match="no RootNet entry"):
        open_dataset(config, "train", TINY.model, "rootnet")


def test_missing_stores_name_the_stage_to_run(config):
    Layout.of(config).images("train", 1).unlink()
    with pytest.raises(UserError, match="images"):
        training_data(config).__getitems__(list(range(12)))


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_share_each_global_batch(processes):
    samplers = [EpochSampler(50, 8, seed=3, rank=rank, processes=processes) for rank in range(processes)]
    shares = [np.array(list(sampler)).reshape(len(sampler) * processes // 8, -1) for sampler in samplers]
    alone = np.array(list(EpochSampler(50, 8, seed=3))).reshape(6, 8)
    np.testing.assert_array_equal(np.sort(np.concatenate(shares, axis=1)), np.sort(alone))
    assert len(set(alone.ravel())) == 48


def test_epochs_have_their_own_order():
    sampler = EpochSampler(20, 4, seed=3)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(first) == list(range(20)) and sorted(second) == list(range(20, 40))
    assert [key - 20 for key in second] != first


def test_masks_are_empty_where_they_do_not_show_the_hands_of_the_sample(config):
    dataset = training_data(config)
    dataset.masks = replace(dataset.masks, fitted=np.zeros_like(dataset.masks.fitted))
    batch = dataset.__getitems__([0, 1])
    assert not batch["segm"].any() and not batch["segm_valid"].any()
