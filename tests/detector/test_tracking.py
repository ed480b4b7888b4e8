"""Crops of a video's next picture: what is followed, joined, parted and lost."""

import numpy as np
import pytest

from digit.detector.boxes import box_around
from digit.detector.tracking import LEAST_CONFIDENCE, match, next_crops, still_there

WIDTH, HEIGHT = 640, 480
RIGHT, LEFT = True, False


def _hand(x, y, side=100.0, seed=0):
    """Joints (21, 2) that fill a square."""
    joints = np.random.default_rng(seed).random((21, 2))
    joints = (joints - joints.min(axis=0)) / np.ptp(joints, axis=0)
    return np.array([x, y]) + side * joints


def _crops(hands, right):
    return next_crops(np.array(hands).reshape(-1, 21, 2), np.array(right, bool), WIDTH, HEIGHT)


def test_a_hand_is_followed_with_the_margin_of_annotations():
    hand = _hand(200, 100)
    (crop,) = _crops([hand], [RIGHT])
    assert crop.hands.tolist() == [0]
    assert crop.box_px.tolist() == box_around(hand, WIDTH, HEIGHT).tolist() == pytest.approx([190, 90, 120, 120])


def test_hands_share_a_crop_while_they_are_near_and_get_their_own_when_they_part():
    seen = [len(_crops([_hand(50, 100), _hand(50 + apart, 100)], [RIGHT, LEFT])) for apart in range(0, 400, 10)]
    assert seen[0] == 1 and seen[-1] == 2
    assert sorted(seen) == seen, "they part once"


def test_laced_hands_stay_two_but_one_hand_followed_twice_is_one():
    hands = [_hand(200, 100), _hand(205, 102, seed=1)]
    (crop,) = _crops(hands, [RIGHT, LEFT])
    assert crop.hands.tolist() == [0, 1]
    (crop,) = _crops(hands, [RIGHT, RIGHT])
    assert crop.hands.tolist() == [0]


def test_a_pair_has_a_right_and_a_left_hand():
    hands = [_hand(100, 100), _hand(210, 100), _hand(345, 100)]
    assert [crop.hands.tolist() for crop in _crops(hands, [RIGHT, RIGHT, LEFT])] == [[0], [1, 2]]


def test_no_hand_gives_no_crop():
    assert _crops([], []) == []
    assert _crops([_hand(2000, 100)], [RIGHT]) == [], "outside of the picture"


def test_what_is_lost():
    joints = np.array([_hand(200, 100), _hand(200, 100), _hand(200, 100), _hand(-70, 100), _hand(-20, 100)])
    probability = np.array([0.9, 0.4, 0.9, 0.9, 0.9])
    confidence = np.full((5, 21), 0.8)
    confidence[2] = LEAST_CONFIDENCE / 2
    kept = still_there(joints, probability, confidence, WIDTH, HEIGHT)
    assert kept.tolist() == [True, False, False, False, True]
    assert still_there(joints, probability, confidence, WIDTH, HEIGHT, hand_threshold=0.3)[1]


def test_the_detector_confirms_tracks_and_brings_new_hands():
    tracked = np.array([[0, 0, 100, 100], [300, 0, 100, 100]], float)
    found = np.array([[10, 10, 100, 100], [500, 300, 60, 60]], float)
    confirmed, new = match(tracked, found)
    assert confirmed.tolist() == [True, False] and new.tolist() == [False, True]
    confirmed, new = match(tracked, np.zeros((0, 4)))
    assert confirmed.tolist() == [False, False] and new.shape == (0,)


def test_a_moving_hand_is_followed_through_a_sequence():
    """The box of each picture, made from the one before, holds most of the hand at 30 px a picture."""
    for k in range(12):
        (crop,) = _crops([_hand(50 + 30 * k, 100, seed=k)], [LEFT])
        now = _hand(50 + 30 * (k + 1), 100, seed=k + 1)
        x, y, w, h = crop.box_px
        enlarged = np.array([x - 0.125 * w, y - 0.125 * h]), np.array([x + 1.125 * w, y + 1.125 * h])
        assert ((now >= enlarged[0]) & (now <= enlarged[1])).all(axis=-1).mean() > 0.8
