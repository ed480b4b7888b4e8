"""Axes and limits of the joints."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from digit.hand.mano import load_hands
from digit.hand.open_hand.anatomy import flexion_axes, skeleton
from digit.hand.open_hand.model import MIRROR, MIRROR_ROTATION, load_open_hand
from digit.hand.open_hand.posing import ANGLES, LIMITS_DEG, sample_poses
from digit.mesh.limits import MARGIN_DEG, angle_axes, angle_limits_rad, angle_statistics, tip_vertices


def rest(side):
    model = load_open_hand()[side]
    return model["J_regressor"] @ model["v_template"], model["v_template"][tip_vertices()]


def test_axes_are_those_of_the_anatomy():
    axes = angle_axes(*rest("right"), "right")
    assert np.allclose(axes[:, [0, 3, 4]].reshape(15, 3), flexion_axes(), atol=1e-6)
    assert np.allclose(axes[:, 2], [finger.along[0] for finger in skeleton().values()], atol=1e-6)
    assert np.allclose(np.linalg.norm(axes, axis=-1), 1)


def test_axes_of_the_left_mirror_those_of_the_right():
    assert np.allclose(angle_axes(*rest("left"), "left"), angle_axes(*rest("right"), "right") * MIRROR_ROTATION)
    assert np.allclose(rest("left")[0], rest("right")[0] * MIRROR)


def test_axes_follow_the_bones_of_another_hand():
    """A finger that rests in another direction bends about axes that are turned with it."""
    joints, tips = rest("right")
    turn = Rotation.from_rotvec([0, np.radians(9), 0])
    bent = joints.copy()
    bent[2:4] = joints[1] + turn.apply(joints[2:4] - joints[1])
    other_tips = np.concatenate([(joints[1] + turn.apply(tips[0] - joints[1]))[None], tips[1:]])
    before, after = angle_axes(joints, tips, "right"), angle_axes(bent, other_tips, "right")
    assert np.allclose(after[1:], before[1:])
    assert np.abs(after[0] - turn.apply(before[0])).max() < 0.03  # it may turn about itself a little
    assert np.abs(after[0] - before[0]).max() > 0.1


def test_limits_leave_a_margin_but_no_twist_to_the_long_fingers():
    lowest, highest = np.degrees(angle_limits_rad())
    twist = ANGLES.index("twist1")
    assert (lowest[:4, twist] == 0).all() and (highest[:4, twist] == 0).all()
    turning = LIMITS_DEG[..., 1] > LIMITS_DEG[..., 0]
    assert np.allclose((LIMITS_DEG[..., 0] - lowest)[turning], MARGIN_DEG)


def test_statistics_describe_natural_poses_and_more():
    mean, covariance = angle_statistics()
    assert np.linalg.eigvalsh(covariance).min() > np.radians(9) ** 2
    others = np.radians(sample_poses(np.random.default_rng(1), 40)).reshape(40, 25) - mean
    unusual = np.einsum("na,ab,nb->n", others, np.linalg.inv(covariance), others)
    assert 0 < unusual.mean() < 25
    assert mean.reshape(5, 5)[:4, 3] == pytest.approx(np.radians(40), abs=np.radians(15))


def test_axes_of_the_loaded_hands_are_unit_vectors():
    for side in ("right", "left"):
        hand = load_hands()[side]
        rest_mm = hand.model.J_regressor.numpy() @ hand.model.v_template.numpy()
        axes = angle_axes(rest_mm, hand.model.v_template.numpy()[tip_vertices()], side)
        assert np.allclose(axes, angle_axes(*rest(side), side), atol=1e-5)
