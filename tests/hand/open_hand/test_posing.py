import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from digit.hand.mano import load_hands
from digit.hand.mesh import TIP_VERTICES
from digit.hand.open_hand import posing
from digit.hand.open_hand.anatomy import FINGERS, skeleton, template_to_wrist_mm

LOW, HIGH = np.moveaxis(posing.LIMITS_DEG, -1, 0)
THUMB = FINGERS.index("thumb")
any_pose = arrays(float, (5, 5), elements=st.floats(0, 1)).map(lambda share: LOW + share * (HIGH - LOW))
any_point = arrays(float, 3, elements=st.floats(-10, 10))


def vertices_mm(angles, side="right"):
    pose = np.concatenate([np.zeros(3), posing.pose_vector(angles, side)])[None]
    return load_hands()[side].vertices_world_mm(pose, np.zeros((1, 10)), np.zeros((1, 3)))[0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_sampled_poses_keep_the_limits_and_stay_apart(seed):
    angles = posing.sample_pose(np.random.default_rng(seed))
    assert angles.shape == (5, 5)
    assert np.all(angles >= LOW - 1e-9) and np.all(angles <= HIGH + 1e-9)
    assert posing.self_overlap_mm(angles) <= posing.OVERLAP_TOLERANCE_MM


def test_sampled_poses_repeat_with_the_seed_and_vary():
    poses = posing.sample_poses(np.random.default_rng(4), 50)
    assert np.array_equal(poses, posing.sample_poses(np.random.default_rng(4), 50))
    assert np.ptp(poses[:, 0, 3]) > 60, "the index finger should be seen both straight and bent"
    assert np.ptp(poses[:, THUMB, 0]) > 30


@pytest.mark.parametrize("name", posing.NAMED_POSES)
def test_named_poses_keep_the_limits_and_stay_apart(name):
    angles = posing.NAMED_POSES[name]
    assert np.all(angles >= LOW) and np.all(angles <= HIGH)
    assert posing.self_overlap_mm(angles) <= posing.OVERLAP_TOLERANCE_MM


@settings(max_examples=25, deadline=None)
@given(any_pose)
def test_kinematics_agree_with_the_model(angles):
    hand_pose = torch.from_numpy(posing.pose_vector(angles))[None]
    still, shape = torch.zeros(1, 3, dtype=torch.float64), torch.zeros(1, 10, dtype=torch.float64)
    with torch.no_grad():
        posed = load_hands().right.model(hand_pose=hand_pose, global_orient=still, betas=shape, transl=still)
    joints = template_to_wrist_mm(posed.joints[0, 1:].numpy(), "right").reshape(5, 3, 3)
    assert np.allclose(joints, posing.finger_joints_mm(angles)[:, :3], atol=1e-3)


def test_straight_pose_is_the_skeleton_at_rest():
    expected = np.stack([finger.joints_mm for finger in skeleton().values()])
    assert np.allclose(posing.finger_joints_mm(np.zeros((5, 5))), expected)


def test_flexion_brings_fingertips_to_the_palm_and_abduction_to_the_thumb():
    flat = posing.finger_joints_mm(np.zeros((5, 5)))
    flexed, spread = np.zeros((5, 5)), np.zeros((5, 5))
    flexed[:, 0], spread[:, 1] = 30, 10
    long_fingers = [row for row in range(5) if row != THUMB]
    assert np.all(posing.finger_joints_mm(flexed)[long_fingers, 3, 1] < flat[long_fingers, 3, 1] - 20)
    assert np.all(posing.finger_joints_mm(spread)[long_fingers, 3, 2] > flat[long_fingers, 3, 2] + 5)


def test_pinch_brings_thumb_and_index_together():
    touching, apart = vertices_mm(posing.NAMED_POSES["pinch"]), vertices_mm(posing.NAMED_POSES["flat"])

    def gap(vertices):
        return np.linalg.norm(vertices[TIP_VERTICES["thumb"]] - vertices[TIP_VERTICES["index"]])

    assert gap(touching) < 26 < 70 < gap(apart)


@settings(max_examples=20, deadline=None)
@given(any_pose)
def test_left_pose_mirrors_the_right(angles):
    assert np.allclose(vertices_mm(angles, "left") * [-1, 1, 1], vertices_mm(angles), atol=1e-3)


def test_batches_equal_single_poses():
    poses = posing.sample_poses(np.random.default_rng(0), 6).reshape(2, 3, 5, 5)
    assert posing.pose_vector(poses).shape == (2, 3, 45)
    assert np.allclose(posing.pose_vector(poses)[1, 2], posing.pose_vector(poses[1, 2]))
    assert np.allclose(posing.self_overlap_mm(poses)[1, 0], posing.self_overlap_mm(poses[1, 0]))


def test_overlap_is_found_when_fingers_cross():
    crossed = np.zeros((5, 5))
    crossed[FINGERS.index("index"), 1], crossed[FINGERS.index("middle"), 1] = -14, 9
    assert posing.self_overlap_mm(crossed) > posing.OVERLAP_TOLERANCE_MM


@settings(max_examples=100, deadline=None)
@example(np.array([1e-5, 0, 0]), np.array([0.0, 1, 0]), np.zeros(3), np.array([0.0, 1, 0]))  # nearly parallel
@given(any_point, any_point, any_point, any_point)
def test_segment_distance_is_the_smallest_between_points(a, b, c, d):
    if np.linalg.norm(b - a) < 0.1 or np.linalg.norm(d - c) < 0.1:
        return
    t = np.linspace(0, 1, 101)[:, None]
    sampled = np.linalg.norm((a + t * (b - a))[:, None] - (c + t * (d - c))[None], axis=-1).min()
    found = posing.segment_distances(a, b, c, d)
    spacing = (np.linalg.norm(b - a) + np.linalg.norm(d - c)) / 200
    assert sampled - spacing - 1e-9 <= found <= sampled + 1e-6
