from dataclasses import replace

import numpy as np
import pytest
import trimesh

from digit.config import SyntheticSettings
from digit.hand.mano import load_hands
from digit.hand.open_hand.skin import load_skin
from digit.synthetic.outfit import arm_pieces, draw_outfit, ring_pieces
from digit.synthetic.person import complexion
from digit.synthetic.props import draw_prop
from digit.synthetic.rich import person_of
from digit.synthetic.scene import SKIN_RIM

SETTINGS = SyntheticSettings(variety="rich", captures=3)
BARE = replace(
    draw_outfit(np.random.default_rng(0), 400.0), arm_mm=200.0, cuff_mm=None, watch_side=None, watch_mm=20.0, rings=()
)


def dressed(side, outfit):
    hands, person = load_hands(), person_of(1, "train", 0, SETTINGS)
    mesh_mm = hands[side].vertices_world_mm(np.zeros((1, 48)), np.zeros((1, 10)), np.zeros((1, 3)))[0]
    skin_mm = load_skin(side).subdivide(mesh_mm)
    elbow = np.array([1.0 if side == "right" else -1.0, 0, 0])
    rim = skin_mm[SKIN_RIM], complexion(side, person).albedo[SKIN_RIM]
    middle, back = skin_mm.mean(axis=0), np.array([0.0, 1, 0])
    arms = arm_pieces(np.random.default_rng(0), side, *rim, middle, back, elbow, person, outfit)
    return arms, ring_pieces(side, hands[side].joints_world_mm(mesh_mm), skin_mm, outfit)


def assert_closed(piece):
    assert len(piece.albedo) == len(piece.gloss) == len(piece.vertices_mm)
    assert np.isfinite(piece.albedo).all() and piece.albedo.min() >= 0 and piece.albedo.max() <= 1
    mesh = trimesh.Trimesh(piece.vertices_mm, piece.faces, process=False)
    mesh.merge_vertices(digits_vertex=6)
    assert mesh.is_winding_consistent and mesh.volume > 0


@pytest.mark.parametrize("side", ["right", "left"])
def test_all_that_is_worn_is_closed_and_wound_outwards(side):
    worn = replace(BARE, cuff_mm=60.0, watch_side=side, rings=((side, "ring"), (side, "index")))
    arms, rings = dressed(side, worn)
    assert len(arms) == 4 and len(rings) == 2
    for piece in arms + rings:
        assert_closed(piece)


def test_an_arm_is_as_long_as_it_is_cut():
    for length in (30.0, 120.0, 400.0):
        (arm,), _ = dressed("right", replace(BARE, arm_mm=length))
        assert length - 5 < np.ptp(arm.vertices_mm[:, 0]) < length + 45


def test_a_ring_fits_its_finger():
    _, (ring,) = dressed("right", replace(BARE, rings=(("right", "ring"),)))
    size = np.linalg.norm(ring.vertices_mm - ring.vertices_mm.mean(axis=0), axis=1)
    assert 6 < size.min() < size.max() < 14


def test_no_jewellery_on_the_other_hand():
    arms, rings = dressed("left", replace(BARE, watch_side="right", rings=(("right", "ring"),)))
    assert len(arms) == 1 and not rings


def test_things_are_closed_and_lie_at_the_palm():
    rng = np.random.default_rng(1)
    for _ in range(25):
        piece = draw_prop(rng, np.zeros(3), np.array([0.0, -1, 0]), np.array([0.0, 0, 1]))
        assert_closed(piece)
        assert np.linalg.norm(piece.vertices_mm.mean(axis=0)) < 170


def test_people_of_a_capture_keep_their_looks():
    first, second = (person_of(1, "train", k, SETTINGS) for k in (0, 1))
    assert first is person_of(1, "train", 0, SETTINGS)
    assert complexion("right", first) is complexion("right", first)
    assert np.abs(complexion("right", first).albedo - complexion("right", second).albedo).mean() > 0.01
