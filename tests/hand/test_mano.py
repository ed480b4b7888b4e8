import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.hand.mano import FRAMES_PER_BATCH, load_hands
from digit.hand.open_hand.model import load_open_hand, mirrored

MIRROR = np.array([-1.0, 1.0, 1.0])
MIRROR_POSE = np.tile([1.0, -1.0, -1.0], 16)


@pytest.fixture(scope="module")
def hands():
    return load_hands()


def random_frames(seed, count):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.4, (count, 48)), rng.normal(size=(count, 10)), rng.normal(0, 0.5, (count, 3))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_mirrored_parameters_give_the_mirrored_hand(seed):
    hands = load_hands()
    pose, shape, trans_m = random_frames(seed, 2)
    right = hands.right.vertices_world_mm(pose, shape, trans_m)
    left = hands.left.vertices_world_mm(pose * MIRROR_POSE, shape, trans_m * MIRROR)
    assert np.abs(left * MIRROR - right).max() < 1e-4


def test_vertices_are_world_millimetres(hands):
    still = np.zeros((1, 48)), np.zeros((1, 10))
    here = hands.right.vertices_world_mm(*still, np.zeros((1, 3)))
    there = hands.right.vertices_world_mm(*still, np.array([[0.1, -0.2, 0.3]]))
    assert here.dtype == np.float64 and here.shape == (1, 778, 3)
    assert np.allclose(there - here, [100, -200, 300])
    assert 150 < np.ptp(here[0], axis=0).max() < 230


def test_flat_pose_returns_the_template(hands):
    for side in ("right", "left"):
        arrays = load_open_hand()[side]
        pose = np.concatenate([np.zeros(3), -arrays["hands_mean"]])[None]
        vertices = hands[side].vertices_world_mm(pose, np.zeros((1, 10)), np.zeros((1, 3)))
        assert np.abs(vertices[0] - 1000 * arrays["v_template"]).max() < 1e-3


def test_batches_do_not_change_a_frame(hands):
    frames = random_frames(3, FRAMES_PER_BATCH + 5)
    together = hands.left.vertices_world_mm(*frames)
    alone = np.concatenate([hands.left.vertices_world_mm(*(a[k : k + 1] for a in frames)) for k in (0, 64, 68)])
    assert np.abs(together[[0, 64, 68]] - alone).max() < 1e-8


def test_no_frames_give_no_vertices(hands):
    assert hands.right.vertices_world_mm(np.zeros((0, 48)), np.zeros((0, 10)), np.zeros((0, 3))).shape == (0, 778, 3)


def test_joints_turn_rigidly_with_the_hand(hands):
    pose, shape, trans_m = random_frames(5, 2)
    pose[1], shape[1], trans_m[:] = pose[0], shape[0], 0
    pose[1, :3] = 0.3, 0.8, -0.4
    vertices = hands.right.vertices_world_mm(pose, shape, trans_m)
    joints = hands.right.joints_world_mm(vertices)
    first, second = (np.linalg.norm(j[:, None] - j[None], axis=-1) for j in joints)
    assert np.allclose(first, second, atol=1e-6)
    assert not np.allclose(joints[0], joints[1])


def test_weights_of_the_open_hand_are_convex():
    weights = load_open_hand()["right"]["weights"]
    assert weights.min() >= 0
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-6
    assert (weights > 0).sum(axis=1).max() <= 4


def test_shape_space_is_orthogonal_and_mirrored():
    right, left = (load_open_hand()[side]["shapedirs"] for side in ("right", "left"))
    modes = right.reshape(-1, 10)
    lengths = np.linalg.norm(modes, axis=0)
    assert np.all(np.diff(lengths) < 0)
    assert np.abs(modes.T @ modes / np.outer(lengths, lengths) - np.eye(10)).max() < 1e-4
    assert np.abs(left[:, 0] - right[:, 0]).sum() > 1, "the left-hand repair would strike"


def test_mirroring_twice_is_the_identity():
    right = load_open_hand()["right"]
    again = mirrored(mirrored(right))
    for key, value in right.items():
        assert np.array_equal(again[key], value), key
