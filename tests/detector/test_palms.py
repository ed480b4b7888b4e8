"""Anchors, decoding and suppression, on answers made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.detector.boxes import overlap
from digit.detector.palms import SAME_PALM, Palms, anchors, decode, letterbox, suppress, to_picture
from digit.geometry import apply_map

QUICK = settings(max_examples=40, deadline=None)

SIDE = 192


def test_anchors_are_the_centres_of_two_grids():
    centres = anchors()
    assert centres.shape == (24 * 24 * 2 + 12 * 12 * 6, 2)
    assert centres[0].tolist() == pytest.approx([0.5 / 24, 0.5 / 24])
    assert centres[2].tolist() == pytest.approx([1.5 / 24, 0.5 / 24]), "rows first, two guesses a cell"
    assert centres[1152].tolist() == pytest.approx([0.5 / 12, 0.5 / 12])
    assert centres[-1].tolist() == pytest.approx([11.5 / 12, 11.5 / 12])


def _answer(numbers, centre, size, points, logits):
    """What the network would say of palms (n) at px of its picture, pixel centres at integers."""
    guesses, scores = np.zeros((2016, 18), np.float32), np.full(2016, -50, np.float32)
    cells = anchors()[numbers] * SIDE - 0.5
    guesses[numbers] = np.concatenate([centre - cells, size, (points - cells[:, None]).reshape(-1, 14)], axis=1)
    scores[numbers] = logits
    return guesses, scores


@QUICK
@given(st.integers(0, 2**31), st.integers(0, 12))
def test_decoding_gives_back_what_was_encoded(seed, count):
    rng = np.random.default_rng(seed)
    numbers = rng.choice(2016, count, replace=False)
    centre, size = rng.uniform(-20, 212, (count, 2)), rng.uniform(5, 150, (count, 2))
    points, logits = rng.uniform(-20, 212, (count, 7, 2)), np.sort(rng.uniform(-1, 6, count))[::-1]
    palms = decode(*_answer(numbers, centre, size, points, logits), SIDE, 0.2)
    assert len(palms.score) == count and (np.diff(palms.score) <= 0).all()
    assert np.allclose(palms.boxes_px, np.concatenate([centre - size / 2, size], axis=1), atol=1e-3)
    assert np.allclose(palms.wrist_px, points[:, 0], atol=1e-3)
    assert np.allclose(palms.knuckle_px, points[:, 2], atol=1e-3)
    assert np.allclose(palms.score, 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_decoding_leaves_out_improbable_guesses_and_survives_extreme_ones():
    guesses = np.zeros((2016, 18), np.float32)
    logits = np.full(2016, -1e30, np.float32)
    assert len(decode(guesses, logits, SIDE, 0.2).score) == 0
    logits[7] = 1e30
    assert decode(guesses, logits, SIDE, 0.2).score.tolist() == [1.0]


def _palms(boxes, score):
    boxes, score = np.reshape(boxes, (-1, 4)).astype(float), np.array(score, float)
    order = np.argsort(-score, kind="stable")
    return Palms(boxes[order], boxes[order, :2], boxes[order, 2:], score[order])


@QUICK
@given(
    st.lists(
        st.tuples(st.integers(0, 150), st.integers(0, 150), st.integers(5, 80), st.floats(0.25, 1, width=16)),
        max_size=12,
    )
)
def test_suppression_keeps_the_best_score_and_stays_among_what_it_merges(rows):
    palms = _palms([(x, y, side, side) for x, y, side, _ in rows], [score for *_, score in rows])
    merged = suppress(palms)
    assert len(merged.score) <= len(palms.score) and (np.diff(merged.score) <= 0).all()
    assert set(merged.score) <= set(palms.score)
    if rows:
        assert merged.score[0] == palms.score[0]
        assert (merged.boxes_px.min(axis=0) >= palms.boxes_px.min(axis=0) - 1e-9).all()
        assert (merged.boxes_px.max(axis=0) <= palms.boxes_px.max(axis=0) + 1e-9).all()
    far = overlap(palms.boxes_px, palms.boxes_px)[~np.eye(len(rows), dtype=bool)] < SAME_PALM
    if far.all():
        assert np.allclose(merged.boxes_px, palms.boxes_px)


def test_suppression_takes_the_mean_weighted_by_score():
    merged = suppress(_palms([(10, 10, 40, 40), (14, 10, 40, 40), (120, 0, 20, 20)], [0.9, 0.3, 0.5]))
    assert merged.score.tolist() == [0.9, 0.5]
    assert merged.boxes_px.tolist() == [pytest.approx([11, 10, 40, 40]), [120, 0, 20, 20]]


@QUICK
@given(st.integers(1, 700), st.integers(1, 700))
def test_the_letterbox_holds_the_whole_picture(width, height):
    square, to_picture_px = letterbox(np.full((height, width, 3), 255, np.uint8), SIDE)
    inside = np.argwhere((square == 255).all(axis=-1))
    assert (inside.max(axis=0) - inside.min(axis=0) + 1).max() == SIDE
    edges = np.array([inside.min(axis=0) - 0.5, inside.max(axis=0) + 0.5])[:, ::-1]
    assert np.allclose(apply_map(to_picture_px, edges), [[-0.5, -0.5], [width - 0.5, height - 0.5]])


def test_palms_are_found_again_in_the_picture():
    image = np.zeros((300, 600, 3), np.uint8)
    image[100:120, 400:440] = 255
    square, to_image = letterbox(image, SIDE)
    y, x = np.argwhere(square[..., 0] > 128).T
    box = np.array([[x.min() - 0.5, y.min() - 0.5, np.ptp(x) + 1, np.ptp(y) + 1]])
    palms = to_picture(Palms(box, box[:, :2], box[:, 2:], np.ones(1)), to_image)
    assert np.abs(palms.boxes_px - [399.5, 99.5, 40, 20]).max() < 2
