"""Posed hands as a camera sees them."""

import numpy as np
import pytest

import digit
from digit.skeleton import LABEL_NAMES

CAMERA = digit.Camera(focal_px=(400, 400), princpt_px=(160, 120), width=320, height=240)


@pytest.fixture(scope="module")
def hands():
    return digit.load_hands("open")


def test_a_hand_covers_the_pixels_around_its_joints(hands):
    right = digit.pose_hand(hands["right"], trans_m=(0, 0, 0.6))
    labels = digit.render_parts([right], CAMERA)
    assert labels.shape == (240, 320) and labels.dtype == np.uint8 and 0 < labels.max() <= 16
    joints = right.joints_world_mm
    x, y = (np.round(joints[:, k] / joints[:, 2] * 400 + c).astype(int) for k, c in ((0, 160), (1, 120)))
    seen = labels[y, x]
    assert (seen > 0).sum() >= 15  # tips are vertices, at the edge or behind other fingers
    assert LABEL_NAMES[seen[9]] in ("r_middle2", "r_middle3"), "joint 9 is between them"


def test_the_left_hand_has_labels_of_its_own_and_the_nearest_wins(hands):
    right = digit.pose_hand(hands["right"], trans_m=(0.09, 0, 0.6))
    left = digit.pose_hand(hands["left"], trans_m=(-0.09, 0, 0.6))
    both = digit.render_parts([right, left], CAMERA)
    alone = digit.render_parts([right], CAMERA), digit.render_parts([left], CAMERA)
    np.testing.assert_array_equal(both, np.maximum(*alone))
    near = digit.pose_hand(hands["left"], trans_m=(0.05, 0, 0.4))
    order = [digit.render_parts(pair, CAMERA) for pair in ([right, near], [near, right])]
    np.testing.assert_array_equal(order[0], order[1])
    np.testing.assert_array_equal(order[0][digit.render_parts([near], CAMERA) > 0] > 16, True)


def test_a_camera_moves_through_the_world(hands):
    right = digit.pose_hand(hands["right"], trans_m=(0, 0, 0.6))
    turn = np.diag([-1.0, 1.0, -1.0])
    behind = digit.Camera((500, 500), (160, 120), 320, 240, turn, (0, 0, 1200))
    assert (digit.render_parts([right], behind) > 0).sum() > 1000
    away = digit.Camera((500, 500), (160, 120), 320, 240, turn)
    assert not digit.render_parts([right], away).any()
    assert not digit.render_parts([], CAMERA).any()


def test_poses_of_the_wrong_length_are_named(hands):
    with pytest.raises(digit.UserError, match="pose: give 48 finite numbers, not 45"):
        digit.pose_hand(hands["right"], pose=np.zeros(45))
    with pytest.raises(digit.UserError, match="trans_m: give 3 finite numbers"):
        digit.pose_hand(hands["right"], trans_m=(0, 0, np.nan))
