"""Shaded hands over pictures."""

import tracemalloc

import numpy as np
import pytest

from digit.hand.mano import load_hands
from digit.mesh.fit import fit_hands
from digit.mesh.overlay import COLORS, MeshPainter, to_linear, to_srgb
from digit.parts.view import Camera, PosedHand, render_parts
from digit.skeleton import HANDS

FOCAL_PX, PRINCPT_PX = np.array([300.0, 300.0]), np.array([80.0, 60.0])
IMAGE = np.full((120, 160, 3), (20, 90, 40), np.uint8)


@pytest.fixture(scope="module")
def hands():
    return load_hands()


@pytest.fixture(scope="module")
def painter(hands):
    return MeshPainter(hands)


def fitted(hands, places_mm, sides):
    """Hands whose middles are at such places."""
    joints = []
    for side, place_mm in zip(sides, places_mm, strict=True):
        vertices = hands[side].vertices_world_mm(np.array([[1.2, *[0.0] * 47]]), np.zeros((1, 10)), np.zeros((1, 3)))
        own = hands[side].joints_world_mm(vertices)[0]
        joints.append(own - own.mean(axis=0) + place_mm)
    return fit_hands(hands, np.array(joints), sides)


@pytest.mark.parametrize("scale", [1, 3])
def test_the_hand_covers_the_pixels_that_it_is_seen_at(hands, painter, scale):
    fits = fitted(hands, [(-60, 0, 600), (60, 10, 620)], HANDS)
    drawn = painter(IMAGE, fits, FOCAL_PX, PRINCPT_PX, scale)
    assert drawn.shape == (120 * scale, 160 * scale, 3) and drawn.dtype == np.uint8
    camera = Camera(FOCAL_PX * scale, (PRINCPT_PX + 0.5) * scale - 0.5, 160 * scale, 120 * scale)
    posed = [PosedHand(hands[side], vertices) for side, vertices in zip(HANDS, fits.vertices_cam_mm, strict=True)]
    seen = render_parts(posed, camera) > 0
    changed = (drawn != IMAGE[0, 0]).any(axis=2)
    assert (seen & changed).sum() > 0.95 * (seen | changed).sum()
    assert (IMAGE == (20, 90, 40)).all(), "the picture of the caller is as it was"


def test_edges_are_smooth_and_hands_have_their_colours(hands, painter):
    black = np.zeros_like(IMAGE)
    drawn = {side: painter(black, fitted(hands, [(0, 0, 600)], [side]), FOCAL_PX, PRINCPT_PX) for side in HANDS}
    assert drawn["right"].reshape(-1, 3).sum(axis=0).argmax() == np.argmax(COLORS["right"]) == 0
    assert drawn["left"].reshape(-1, 3).sum(axis=0).argmax() == np.argmax(COLORS["left"]) == 2
    brightness = drawn["right"].max(axis=2)
    inside = brightness[brightness > 0]
    assert (inside < 0.5 * np.median(inside)).mean() > 0.02, "no pixel is covered in part"
    assert inside.std() > 8, "the hand is flat"


def test_the_nearer_hand_hides_the_other(hands, painter):
    alone = painter(IMAGE, fitted(hands, [(0, 0, 500)], ["right"]), FOCAL_PX, PRINCPT_PX)
    both = painter(IMAGE, fitted(hands, [(0, 0, 900), (0, 0, 500)], ["left", "right"]), FOCAL_PX, PRINCPT_PX)
    reddish = alone[..., 0].astype(int) - alone[..., 2] > 20
    assert reddish.sum() > 500
    assert (both[..., 0].astype(int) - both[..., 2] > 10)[reddish].mean() > 0.98


def test_a_hand_far_behind_changes_nothing_of_the_near_one(hands, painter):
    near, far_mm = (0, 0, 500), (0, 0, 1e6)
    alone = painter(IMAGE, fitted(hands, [near], ["right"]), FOCAL_PX, PRINCPT_PX)
    tracemalloc.start()
    both = painter(IMAGE, fitted(hands, [far_mm, near], ["left", "right"]), FOCAL_PX, PRINCPT_PX)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.array_equal(both, alone)
    assert peak_bytes < 100e6


def test_hands_shade_one_another(hands, painter):
    below = [(0, 0, 600), (-40, -60, 560)]
    alone, both = (
        painter(np.zeros_like(IMAGE), fitted(hands, below[:count], HANDS[:count]), FOCAL_PX, PRINCPT_PX).astype(int)
        for count in (1, 2)
    )
    still_red = (both[..., 0] - both[..., 2] > 0) & (alone[..., 0] > 60)
    darker = (alone - both)[still_red][:, 0] > 40
    assert still_red.sum() > 300 and darker.mean() > 0.1


def test_absent_hands_and_those_behind_the_camera_are_not_drawn(hands, painter):
    joints = np.full((1, 21, 3), np.nan)
    assert np.array_equal(painter(IMAGE, fit_hands(hands, joints, ["left"]), FOCAL_PX, PRINCPT_PX), IMAGE)
    behind = fitted(hands, [(0, 0, -600), (0, 0, 30)], HANDS)
    assert np.array_equal(painter(IMAGE, behind, FOCAL_PX, PRINCPT_PX), IMAGE)
    beside = fitted(hands, [(5000, 0, 600)], ["left"])
    assert np.array_equal(painter(IMAGE, beside, FOCAL_PX, PRINCPT_PX), IMAGE)


def test_light_and_display_values_are_inverses():
    values = np.linspace(0, 1, 256)
    assert np.allclose(to_srgb(to_linear(values)), values)
    assert to_linear(np.array(0.5)) == pytest.approx(0.214, abs=1e-3)
