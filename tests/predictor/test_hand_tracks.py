"""Hands keep their number and their filter, whatever crosses their way."""

import numpy as np
import pytest

from digit.predictor.camera_space import lift_poses
from digit.predictor.engine import Crop, Picture, Result
from digit.predictor.hand_tracks import FORGET_S, HandTracks
from digit.predictor.pose import Pose

HAND = np.random.default_rng(8).uniform(-20, 20, (21, 2))
RATE_HZ = 25


def crop(right_px, left_px, right=True, left=True):
    """A crop with hands around two points."""
    joints = np.concatenate([HAND + right_px, HAND * [-1, 1] + left_px])
    depth = np.tile(np.linspace(-10, 10, 21), 2)
    return Pose(joints, depth, np.array([0.9 * right, 0.9 * left]), 0.0, None, np.eye(2, 3))


def result(number, *poses):
    picture = Picture(np.zeros((100, 400, 3), np.uint8), frame=number, time_s=number / RATE_HZ)
    spaces = lift_poses(list(poses), [picture.camera] * len(poses))
    return Result(picture, [Crop(p, np.zeros(4), "given", s) for p, s in zip(poses, spaces, strict=True)])


def test_right_and_left_cross_in_one_crop():
    tracks = HandTracks()
    for k in range(30):
        seen = tracks(result(k, crop([100 + 7 * k, 50], [303 - 7 * k, 50])))
        assert seen.crops[0].tracks == (1, 2)


@pytest.mark.parametrize("smooth", [True, False])
def test_two_right_hands_cross_and_crops_change_their_order(smooth):
    tracks = HandTracks(smooth)
    for k in range(30):
        poses = [crop([100 + 7 * k, 50], [0, 0], left=False), crop([303 - 7 * k, 50], [0, 0], left=False)]
        swapped = k % 3 == 1
        seen = tracks(result(k, *poses[:: -1 if swapped else 1]))
        numbers = [each.tracks for each in seen.crops]
        assert numbers == ([(2, None), (1, None)] if swapped else [(1, None), (2, None)]), k


def test_a_hand_that_was_away_for_long_is_another_one():
    tracks, here, gone = HandTracks(), crop([50, 50], [150, 50]), crop([50, 50], [150, 50], left=False)
    assert tracks(result(0, here)).crops[0].tracks == (1, 2)
    assert tracks(result(1, gone)).crops[0].tracks == (1, None)
    assert tracks(result(2, here)).crops[0].tracks == (1, 2)
    late = 3 + int(FORGET_S * RATE_HZ)
    for k in range(3, late):
        tracks(result(k, gone))
    assert tracks(result(late, here)).crops[0].tracks == (1, 3)


def test_a_hand_that_jumps_is_another_one():
    tracks = HandTracks()
    tracks(result(0, crop([50, 50], [0, 0], left=False)))
    assert tracks(result(1, crop([250, 50], [0, 0], left=False))).crops[0].tracks == (2, None)


def test_noise_shrinks_in_joints_depths_and_before_the_camera():
    rng, still, smooth, rough = np.random.default_rng(1), crop([50, 50], [150, 50]), HandTracks(), HandTracks(False)
    seen = {"smooth": [], "rough": []}
    for k in range(40):
        noisy = crop([50, 50], [150, 50])
        noisy.joints_px[:] += rng.normal(0, 0.5, (42, 2))
        noisy.depth_mm[:] += rng.normal(0, 2, 42)
        seen["smooth"].append(smooth(result(k, noisy)).crops[0])
        seen["rough"].append(rough(result(k, noisy)).crops[0])
        np.testing.assert_array_equal(seen["rough"][-1].pose.joints_px, noisy.joints_px)
    for look in (
        lambda crop: crop.pose.joints_px - still.joints_px,
        lambda crop: crop.pose.depth_mm - still.depth_mm,
        lambda crop: crop.space.joints_cam_mm - seen["rough"][0].space.joints_cam_mm.mean(),
    ):
        jitter = [np.diff([look(crop) for crop in crops[10:]], axis=0).std() for crops in seen.values()]
        assert jitter[0] < 0.5 * jitter[1]


def test_absent_hands_are_left_as_they_are():
    tracks = HandTracks()
    for k in range(3):
        pose = crop([50 + 9 * k, 50], [150, 50], right=False, left=False)
        seen = tracks(result(k, pose)).crops[0]
        assert seen.tracks == (None, None)
        np.testing.assert_array_equal(seen.pose.joints_px, pose.joints_px)
