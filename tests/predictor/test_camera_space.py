"""Hands before the camera: placed by their size, from poses whose place is known."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from digit import geometry
from digit.hand.mano import load_hands
from digit.hand.open_hand import posing
from digit.predictor.camera import Intrinsics
from digit.predictor.camera_space import HAND_BONES, HAND_SIZE, MEAN_BONES_MM, lift_poses, wrist_depth_mm
from digit.predictor.pose import Pose

CAMERA = Intrinsics.of(640, 480, 600)
COUNT = 60


@pytest.fixture(scope="module")
def hands():
    """(n, 21, 3) joints of posed right hands of the mean shape, wrist at 0, mm."""
    rng, hand = np.random.default_rng(0), load_hands("open")["right"]
    fingers = np.stack([posing.pose_vector(angles) for angles in posing.sample_poses(rng, COUNT)])
    poses = np.concatenate([Rotation.random(COUNT, rng=rng).as_rotvec(), fingers], axis=1)
    joints = hand.joints_world_mm(hand.vertices_world_mm(poses, np.zeros((COUNT, 10)), np.zeros((COUNT, 3))))
    return joints - joints[:, 20:]


@pytest.fixture(scope="module")
def placed(hands):
    """(n, 21, 3) the same hands in front of the camera."""
    rng = np.random.default_rng(1)
    depth = rng.uniform(300, 900, COUNT)
    across = rng.uniform(-0.25, 0.25, (2, COUNT)) * depth
    return hands + np.stack([*across, depth], axis=1)[:, None]


def seen(joints_cam_mm):
    cameras = np.tile(CAMERA.focal_px, (len(joints_cam_mm), 1)), np.tile(CAMERA.princpt_px, (len(joints_cam_mm), 1))
    px = geometry.project(joints_cam_mm, *cameras)
    return px, joints_cam_mm[..., 2] - joints_cam_mm[:, 20:, 2], *cameras


def error(joints_cam_mm, noise_px=0.0, noise_mm=0.0):
    """Relative errors of wrist depths from noisy joints."""
    rng = np.random.default_rng(2)
    px, depth, *cameras = seen(joints_cam_mm)
    side = np.ptp(px, axis=1).max(axis=1)[:, None, None]
    noisy = depth + rng.normal(0, noise_mm, depth.shape)
    found = wrist_depth_mm(px + rng.normal(0, noise_px, px.shape) * side, noisy, *cameras, np.ones(depth.shape))
    return found / joints_cam_mm[:, 20, 2] - 1


def test_the_mean_hand_is_the_embedded_one():
    hand = load_hands("open")["right"]
    rest = hand.joints_world_mm(hand.vertices_world_mm(np.zeros((1, 48)), np.zeros((1, 10)), np.zeros((1, 3))))[0]
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(rest[HAND_BONES], axis=1)[:, 0], axis=1), MEAN_BONES_MM, atol=0.06
    )


def test_hands_of_the_mean_size_are_found_where_they_are(placed):
    assert np.abs(error(placed)).mean() < 0.02
    larger = (placed - placed[:, 20:]) * 1.1 + placed[:, 20:]
    assert np.median(error(larger)) == pytest.approx(-0.09, abs=0.02), "a larger hand is taken for a nearer one"


def test_noise_moves_a_hand_little(placed):
    assert np.abs(error(placed, 0.02, 4)).mean() < 0.05
    assert np.abs(error(placed, 0.04, 8)).mean() < 0.12


def test_joints_of_no_confidence_do_not_count(placed):
    px, depth, *cameras = seen(placed)
    spoilt, confidence = px.copy(), np.ones(depth.shape)
    spoilt[:, 0], confidence[:, 0] = 0, 0
    expected = wrist_depth_mm(px, depth, *cameras, confidence)
    np.testing.assert_allclose(wrist_depth_mm(spoilt, depth, *cameras, confidence), expected, rtol=1e-9)


def test_depths_longer_than_a_hand_and_joints_in_one_place(placed):
    px, depth, *cameras = seen(placed)
    confidence = np.ones(depth.shape)
    far = wrist_depth_mm(px, depth * 5, *cameras, confidence)
    assert np.isfinite(far).all() and (far[:, None] + depth * 5 > 0).all()
    px[0] = px[0, :1]
    alone = wrist_depth_mm(px, depth * 0, *cameras, confidence)
    assert np.isnan(alone[0]) and np.isfinite(alone[1:]).all()


def test_poses_are_lifted_with_both_hands(placed):
    px, depth, *_ = seen(placed)
    pose = Pose(
        np.concatenate([px[0], px[1]]), np.concatenate([depth[0], depth[1]]), np.ones(2), 0.0, None, np.eye(2, 3)
    )
    gone = dataclasses.replace(
        pose, joints_px=np.concatenate([px[0], np.tile(px[1, 0], (21, 1))]), depth_mm=np.zeros(42)
    )
    both, one = lift_poses([pose, gone], [CAMERA] * 2)
    assert both.scale_from == (HAND_SIZE, HAND_SIZE) and one.scale_from == (HAND_SIZE, None)
    np.testing.assert_allclose(both.joints_cam_mm[:21], placed[0], rtol=0.05, atol=5)
    again = geometry.project(both.joints_cam_mm, CAMERA.focal_px, CAMERA.princpt_px)
    np.testing.assert_allclose(again, pose.joints_px, atol=1e-6)
    assert np.isnan(one.joints_cam_mm[21:]).all()
    assert lift_poses([], []) == []
