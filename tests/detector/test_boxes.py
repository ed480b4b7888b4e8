"""Boxes around joints, and which hands share a crop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.detector.boxes import MARGIN, NEAR, SAME_HAND, box_around, crops, distinct, overlap, union
from digit.synthetic.annotate import BOX_MARGIN

QUICK = settings(max_examples=40, deadline=None)

CORNERS = st.floats(-500, 500, width=16)
SIDES = st.floats(1, 400, width=16)
BOXES = st.lists(st.tuples(CORNERS, CORNERS, SIDES, SIDES), max_size=9).map(lambda rows: np.reshape(rows, (-1, 4)))


def test_boxes_have_the_margin_of_annotated_ones():
    joints = np.array([[10.0, 40.0], [30.0, 50.0], [20.0, 44.0]])
    assert MARGIN == BOX_MARGIN
    assert box_around(joints, 200, 100).tolist() == pytest.approx([8, 39, 24, 12])
    assert box_around(joints - [25, 0], 200, 100).tolist() == pytest.approx([0, 39, 7, 12])
    assert box_around(joints + [500, 0], 200, 100)[2] == 0


@QUICK
@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_1_for_a_box_with_itself(boxes, others):
    shares = overlap(boxes, others)
    assert shares.shape == (len(boxes), len(others))
    assert np.allclose(shares, overlap(others, boxes).T)
    assert ((shares >= 0) & (shares <= 1 + 1e-12)).all()
    assert np.allclose(np.diagonal(overlap(boxes, boxes)), 1)


def test_overlap_by_hand():
    box = np.array([[0, 0, 10, 10]], float)
    others = np.array([[5, 0, 10, 10], [10, 0, 5, 5], [2, 2, 5, 2], [3, 3, 0, 0]], float)
    assert overlap(box, others)[0].tolist() == pytest.approx([50 / 150, 0, 0.1, 0])


@QUICK
@given(BOXES, st.integers(0, 2**31))
def test_one_box_remains_of_those_about_one_hand(boxes, seed):
    score = np.random.default_rng(seed).random(len(boxes))
    kept = distinct(boxes, score)
    assert (np.diff(score[kept]) <= 0).all()
    likeness = overlap(boxes, boxes[kept])
    assert (likeness[kept][~np.eye(len(kept), dtype=bool)] < SAME_HAND).all()
    for gone in set(range(len(boxes))) - set(kept.tolist()):
        assert any(likeness[gone, k] >= SAME_HAND and score[kept[k]] >= score[gone] for k in range(len(kept)))


@QUICK
@given(BOXES)
def test_each_hand_is_in_one_crop_and_a_crop_holds_two_at_most(boxes):
    groups = crops(boxes)
    assert sorted(np.concatenate([*groups, np.empty(0, int)]).tolist()) == list(range(len(boxes)))
    assert all(1 <= len(group) <= 2 for group in groups)
    for group in groups:
        x, y, w, h = union(boxes[group])
        assert (boxes[group, :2] >= [x, y]).all() and (boxes[group, :2] + boxes[group, 2:] <= [x + w, y + h]).all()


@QUICK
@given(BOXES, st.sampled_from([0.25, 0.5, 2, 4]))
def test_crops_do_not_depend_on_how_large_the_picture_is(boxes, scale):
    assert [group.tolist() for group in crops(boxes)] == [group.tolist() for group in crops(boxes * scale)]


def test_hands_are_paired_by_what_lies_between_them():
    side = 100.0

    def pair(gap, size=side):
        return len(crops(np.array([[0, 0, side, side], [side + gap, 0, size, size]]))) == 1

    assert pair(-side / 2) and pair(0) and pair(NEAR * side)
    assert not pair(NEAR * side + 1)
    assert not pair(0, size=side / 3), "a small hand beside a large one is farther away"


def test_of_three_hands_in_a_row_the_nearest_two_are_a_pair_and_two_people_are_two_crops():
    row = np.array([[0, 0, 100, 100], [130, 0, 100, 100], [240, 0, 100, 100]], float)
    assert [group.tolist() for group in crops(row)] == [[0], [1, 2]]
    people = np.array([[0, 0, 90, 90], [600, 10, 80, 80], [80, 0, 90, 90], [660, 10, 80, 80]], float)
    assert [group.tolist() for group in crops(people)] == [[0, 2], [1, 3]]
    never = np.zeros((4, 4), bool)
    assert len(crops(people, never)) == 4
