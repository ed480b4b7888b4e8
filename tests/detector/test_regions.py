"""Turned regions: fingers up, whole hand inside, and back."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from digit.detector.palms import Palms
from digit.detector.regions import cut, joints_in_picture, region_maps
from digit.geometry import apply_map

SIDE = 224


def _palm(wrist, pointing_rad, size):
    """A palm of so many px whose fingers point to an angle, clockwise from up."""
    up = np.array([np.sin(pointing_rad), -np.cos(pointing_rad)])
    centre = wrist + up * size / 2
    return Palms(np.array([[*(centre - size / 2), size, size]]), wrist[None], (wrist + up * size)[None], np.ones(1))


@given(st.floats(-200, 900), st.floats(-200, 900), st.floats(-3.1, 3.1), st.floats(5, 500))
def test_hands_stand_upright_in_their_region_and_joints_come_back(x, y, angle, size):
    wrist = np.array([x, y])
    maps = region_maps(_palm(wrist, angle, size), SIDE)
    up = np.array([np.sin(angle), -np.cos(angle)])
    line = np.stack([wrist, wrist + up * size, wrist + 2.2 * size * up])
    in_crop = apply_map(maps, line[None])[0]
    assert np.allclose(in_crop[:, 0], SIDE / 2, atol=0.05), "palm and fingers lie on the middle line"
    assert SIDE > in_crop[0, 1] > in_crop[1, 1] > in_crop[2, 1] > 0, "wrist below, fingertips above, all inside"
    joints = np.concatenate([apply_map(maps, np.tile(line, (7, 1))[None])[0], np.full((21, 1), 9.0)], axis=1)
    back = joints_in_picture(joints.reshape(1, 63), maps)
    assert np.allclose(back[0], np.tile(line, (7, 1)), atol=0.02 + size / 1000)


def test_a_turned_picture_gives_the_same_crop():
    rng = np.random.default_rng(3)
    image = cv2.GaussianBlur(rng.integers(0, 256, (200, 200, 3), np.uint8), (0, 0), 5)
    turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
    wrist = np.array([100.0, 140.0])
    upright = cut(image, region_maps(_palm(wrist, 0, 40), SIDE), SIDE)
    after = cut(turned, region_maps(_palm(np.array([199 - wrist[1], wrist[0]]), np.pi / 2, 40), SIDE), SIDE)
    assert upright.shape == (1, SIDE, SIDE, 3)
    assert np.abs(upright.astype(int) - after).max() <= 3


def test_no_palm_gives_no_region():
    none = Palms(np.zeros((0, 4)), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    maps = region_maps(none, SIDE)
    assert maps.shape == (0, 2, 3)
    assert cut(np.zeros((9, 9, 3), np.uint8), maps, SIDE).shape == (0, SIDE, SIDE, 3)
    assert joints_in_picture(np.zeros((0, 63)), maps).shape == (0, 21, 2)
