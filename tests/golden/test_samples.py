"""Samples of the golden data set against the reference implementation, through index, images and the stores."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digit.config import ModelSettings
from digit.model.inference import to_input
from digit.samples.augment import Augmentation, no_augmentation
from digit.samples.dataset import HandDataset
from digit.samples.opening import open_dataset
from digit.scoring import truth_of

GOLDEN = Path(os.environ.get("DIGIT_GOLDEN") or Path(__file__).parent)
UNAUGMENTED = [("val", "rootnet"), ("val", "gt"), ("test", "rootnet")]
AUGMENTED = [0, 1, 2]


def open_golden(config, split, root_depth) -> HandDataset:
    return open_dataset(config, split, ModelSettings(), root_depth)[0]


def assert_samples(dataset: HandDataset, augmentation: Augmentation, name: str) -> None:
    expected = {key.removeprefix(f"{name}/"): value for key, value in VECTORS.items() if key.startswith(f"{name}/")}
    batch = dataset.assemble(dataset.rows, augmentation)
    picture = (to_input(batch) * 255)[:, :, ::4, ::4].numpy()
    arrays = {key: value.numpy() for key, value in batch.items()}

    assert [f"{dataset.index.split}/{key}" for key in dataset.index.keys(dataset.rows)] == expected["im_path"].tolist()
    for key in ("joint_coord", "joint_valid", "rel_root_depth", "root_valid", "hand_type", "segm_valid", "inv_trans"):
        np.testing.assert_allclose(arrays[key], expected[key], atol=1e-3, err_msg=f"{name}/{key}")
    np.testing.assert_array_equal(arrays["hand_type_valid"][:, 0], expected["hand_type_valid"])
    assert (arrays["segm"] == expected["segm_128"]).mean(axis=(1, 2)).min() >= 0.999
    assert np.abs(picture - expected["img_every_4th_pixel"].astype(np.float32)).mean(axis=(1, 2, 3)).max() < 0.6


VECTORS = dict(np.load(GOLDEN / "dataset.npz"))


@pytest.mark.parametrize(("split", "root_depth"), UNAUGMENTED)
def test_samples_equal_the_reference(golden_config, split, root_depth):
    dataset = open_golden(golden_config, split, root_depth)
    assert_samples(dataset, no_augmentation(len(dataset)), f"{split}_{root_depth}")


@pytest.mark.parametrize("number", AUGMENTED)
def test_augmented_samples_equal_the_reference(golden_config, number):
    shift_x, shift_y, scale, rotation_deg, flip, *color = VECTORS[f"train_aug{number}/params"]
    dataset = open_golden(golden_config, "train", "gt")
    count = len(dataset)
    augmentation = replace(
        no_augmentation(count),
        shift=np.tile([shift_x, shift_y], (count, 1)),
        scale=np.full(count, scale),
        rotation_rad=np.radians(np.full(count, rotation_deg)),
        flip=np.full(count, bool(flip)),
        color=np.tile(color, (count, 1)).astype(np.float32),
    )
    assert_samples(dataset, augmentation, f"train_aug{number}")


@pytest.mark.parametrize("split", ["val", "test"])
def test_absolute_depths_equal_the_reference(golden_config, split):
    dataset = open_golden(golden_config, split, "rootnet")
    depths_mm = truth_of(dataset.index, dataset.rows, "rootnet").abs_depth_mm
    np.testing.assert_allclose(depths_mm, VECTORS[f"{split}_rootnet/abs_depth_right_left"], atol=1e-3)
