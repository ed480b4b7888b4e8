"""Crop maps and pose targets: mirroring, validity, and the way back to the image."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digit import geometry
from digit.config import ModelSettings
from digit.samples.augment import no_augmentation
from digit.samples.targets import crop_maps, mirror_hands, pose_targets, rooted_validity
from digit.skeleton import JOINT_COUNT, MIRRORED_JOINTS

PAPER = ModelSettings()
BOX = np.array([[100.0, 50.0, 200.0, 200.0]])
WIDTH = np.array([512])


def augmentation(shift=(0.0, 0.0), scale=1.0, rotation_rad=0.0, flip=False):
    return replace(
        no_augmentation(1),
        shift=np.array([shift]),
        scale=np.array([scale]),
        rotation_rad=np.array([rotation_rad]),
        flip=np.array([flip]),
    )


def hands_in_a_box(seed=0):
    rng = np.random.default_rng(seed)
    joints_px = rng.uniform(110, 240, (1, JOINT_COUNT, 2))
    depth_mm = 900 + rng.uniform(-80, 80, (1, JOINT_COUNT))
    return joints_px, depth_mm


@given(
    shift=st.tuples(*[st.floats(-0.15, 0.15)] * 2),
    scale=st.floats(0.75, 1.25),
    rotation=st.floats(-1.5, 1.5),
    flip=st.booleans(),
)
def test_targets_lead_back_to_the_image(shift, scale, rotation, flip):
    joints_px, depth_mm = hands_in_a_box()
    drawn = augmentation(shift, scale, rotation, flip)
    crops = crop_maps(BOX, WIDTH, drawn, PAPER.input_size)
    valid, hands = np.ones((1, JOINT_COUNT), bool), np.ones((1, 2), bool)
    targets = pose_targets(joints_px, depth_mm, valid, hands, drawn.flip, crops, PAPER)
    crop_px = targets["joint_coord"][..., :2] / PAPER.heatmap_size * PAPER.input_size
    image_px = geometry.apply_map(crops.to_image, crop_px)
    if flip:
        image_px = image_px[:, MIRRORED_JOINTS]
        image_px[..., 0] = WIDTH - 1 - image_px[..., 0]
    np.testing.assert_allclose(image_px, joints_px, atol=1e-3)


def test_flipping_twice_is_nothing():
    values = np.arange(JOINT_COUNT * 3.0).reshape(1, JOINT_COUNT, 3)
    flip = np.array([True])
    np.testing.assert_array_equal(mirror_hands(mirror_hands(values, flip), flip), values)
    np.testing.assert_array_equal(mirror_hands(np.array([[True, False]]), flip), [[False, True]])


def test_a_flip_swaps_hands_and_the_sign_of_the_relative_root_depth():
    joints_px, depth_mm = hands_in_a_box()
    valid = np.zeros((1, JOINT_COUNT), bool)
    valid[:, :21] = True
    right_only = np.array([[True, False]])
    drawn = augmentation(flip=True)
    crops = crop_maps(BOX, WIDTH, drawn, PAPER.input_size)
    targets = pose_targets(joints_px, depth_mm, valid, right_only, drawn.flip, crops, PAPER)
    np.testing.assert_array_equal(targets["hand_type"], [[0, 1]])
    assert targets["joint_valid"][0, :21].sum() == 0 and targets["joint_valid"][0, 21:].sum() > 0
    plain = crop_maps(BOX, WIDTH, no_augmentation(1), PAPER.input_size)
    straight = pose_targets(joints_px, depth_mm, valid, right_only, np.array([False]), plain, PAPER)
    middle = PAPER.root_bins / 2
    np.testing.assert_allclose(targets["rel_root_depth"] - middle, middle - straight["rel_root_depth"], atol=1e-4)


def test_joints_outside_the_crop_or_the_depth_box_are_not_valid():
    joints_px, depth_mm = hands_in_a_box()
    joints_px[0, 3] = (20.0, 100.0)
    depth_mm[0, 5] = depth_mm[0, 20] + 250.0
    crops = crop_maps(BOX, WIDTH, no_augmentation(1), PAPER.input_size)
    valid, hands = np.ones((1, JOINT_COUNT), bool), np.ones((1, 2), bool)
    targets = pose_targets(joints_px, depth_mm, valid, hands, np.array([False]), crops, PAPER)
    np.testing.assert_array_equal(np.flatnonzero(targets["joint_valid"][0] == 0), [3, 5])
    assert targets["root_valid"] == 1


def test_a_hand_without_a_valid_root_is_not_valid():
    valid = np.ones((2, JOINT_COUNT), bool)
    valid[0, 41] = False
    rooted = rooted_validity(valid)
    assert rooted[0, :21].all() and not rooted[0, 21:].any() and rooted[1].all()


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_zero_and_not_valid(value):
    joints_px, depth_mm = hands_in_a_box()
    joints_px[0, 3], depth_mm[0, 41] = value, value
    crops = crop_maps(BOX, WIDTH, no_augmentation(1), PAPER.input_size)
    valid, hands = np.ones((1, JOINT_COUNT), bool), np.ones((1, 2), bool)
    targets = pose_targets(joints_px, depth_mm, valid, hands, np.array([False]), crops, PAPER)
    assert all(np.isfinite(target).all() for target in targets.values())
    assert targets["joint_valid"][0, 3] == 0 and targets["joint_valid"][0, 21:].sum() == 0
    assert targets["root_valid"] == 0 and targets["joint_valid"][0, :21].sum() == 20
