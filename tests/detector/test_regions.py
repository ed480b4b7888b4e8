"""Turned regions: fingers up, whole hand inside, and back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.detector.palms import Palms
from digit.detector.regions import cut, joint_regions, joints_in_picture, palm_regions, tiles
from digit.geometry import apply_map
from digit.skeleton import FINGERS, HAND_JOINT_NAMES

QUICK = settings(max_examples=40, deadline=None)

SIDE = 224


def _palm(wrist, pointing_rad, size):
    """A palm of so many px whose fingers point to an angle, clockwise from up."""
    up = np.array([np.sin(pointing_rad), -np.cos(pointing_rad)])
    centre = wrist + up * size / 2
    return Palms(np.array([[*(centre - size / 2), size, size]]), wrist[None], (wrist + up * size)[None], np.ones(1))


@QUICK
@given(st.floats(-200, 900), st.floats(-200, 900), st.floats(-3.1, 3.1), st.floats(5, 500))
def test_hands_stand_upright_in_their_region(x, y, angle, size):
    wrist = np.array([x, y])
    maps = palm_regions(_palm(wrist, angle, size), SIDE)
    up = np.array([np.sin(angle), -np.cos(angle)])
    line = np.stack([wrist, wrist + up * size, wrist + 2.2 * size * up])
    in_crop = apply_map(maps, line[None])[0]
    assert np.allclose(in_crop[:, 0], SIDE / 2, atol=0.05), "palm and fingers lie on the middle line"
    assert SIDE > in_crop[0, 1] > in_crop[1, 1] > in_crop[2, 1] > 0, "wrist below, fingertips above, all inside"


@QUICK
@given(st.integers(0, 2**31), st.floats(5, 500))
def test_joints_come_back_in_the_order_of_the_skeleton(seed, size):
    joints = np.random.default_rng(seed).uniform(-size, size, (3, 21, 2))
    maps = palm_regions(_palm(joints[0, 0], 1.0, size), SIDE).repeat(3, axis=0)
    answer = np.zeros((3, 21, 3))
    for number, name in enumerate(HAND_JOINT_NAMES):
        place = 0 if name == "wrist" else 1 + 4 * FINGERS.index(name[:-1]) + int(name[-1]) - 1
        answer[:, place, :2] = apply_map(maps, joints)[:, number]
    assert np.allclose(joints_in_picture(answer.reshape(3, 63), maps), joints, atol=0.02 + size / 1000)


@QUICK
@given(st.floats(-3.1, 3.1), st.floats(5, 500))
def test_regions_around_joints_are_those_around_palms_or_nearly(angle, size):
    """An open hand whose palm is a square."""
    wrist = np.array([300.0, 200.0])
    up = np.array([np.sin(angle), -np.cos(angle)])
    across = np.array([-up[1], up[0]])
    joints = np.zeros((1, 21, 2))
    for number, name in enumerate(HAND_JOINT_NAMES):
        along, aside = (0, 0) if name == "wrist" else (0.7 + 0.3 * int(name[-1]), FINGERS.index(name[:-1]) / 4 - 0.5)
        joints[0, number] = wrist + size * (along * up + aside * across)
    in_crop = apply_map(joint_regions(joints, SIDE), joints)[0]
    assert (in_crop > 0).all() and (in_crop < SIDE).all()
    assert in_crop[20, 1] > in_crop[11, 1] > in_crop[8, 1], "wrist below, fingertip above"
    assert in_crop[11, 0] == pytest.approx(in_crop[20, 0], abs=0.05) and np.ptp(in_crop[:, 1]) > SIDE / 2


def test_joints_that_are_one_point_make_a_region_all_the_same():
    assert np.isfinite(joint_regions(np.full((1, 21, 2), 7.0), SIDE)).all()


def test_a_turned_picture_gives_the_same_crop():
    rng = np.random.default_rng(3)
    image = cv2.GaussianBlur(rng.integers(0, 256, (200, 200, 3), np.uint8), (0, 0), 5)
    turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
    wrist = np.array([100.0, 140.0])
    upright = cut(image, palm_regions(_palm(wrist, 0, 40), SIDE), SIDE)
    after = cut(turned, palm_regions(_palm(np.array([199 - wrist[1], wrist[0]]), np.pi / 2, 40), SIDE), SIDE)
    assert upright.shape == (1, SIDE, SIDE, 3)
    assert np.abs(upright.astype(int) - after).max() <= 3


def test_no_palm_gives_no_region():
    none = Palms(np.zeros((0, 4)), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    maps = palm_regions(none, SIDE)
    assert maps.shape == (0, 2, 3)
    assert cut(np.zeros((9, 9, 3), np.uint8), maps, SIDE).shape == (0, SIDE, SIDE, 3)
    assert joints_in_picture(np.zeros((0, 63)), maps).shape == (0, 21, 2)


@QUICK
@given(st.integers(1, 300), st.integers(1, 300))
def test_tiles_cover_the_picture_and_overlap(width, height):
    seen = np.zeros((height, width), np.uint8)
    for left, top, right, bottom in tiles(width, height):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        seen[top:bottom, left:right] += 1
    assert seen.min() >= 1 and seen[height // 2, width // 2] == 4
