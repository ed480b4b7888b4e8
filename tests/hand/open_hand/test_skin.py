import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.hand.open_hand.anatomy import skeleton, template_to_wrist_mm
from digit.hand.open_hand.model import load_open_hand
from digit.hand.open_hand.skin import SKIN_TONES, boundary_loop, load_skin, loop_subdivision, refine


@pytest.mark.parametrize("side", ["right", "left"])
def test_skin_closes_around_the_hand(side):
    skin, template = load_skin(side), load_open_hand()[side]["v_template"]
    fine = skin.subdivide(template)
    body = trimesh.Trimesh(1000 * fine, skin.faces, process=False)
    body.merge_vertices()
    assert body.is_watertight and body.is_winding_consistent and body.body_count == 1
    assert 300e3 < body.volume < 420e3
    assert len(fine) == 12402 and skin.faces.shape == (24672, 3)


def test_skin_points_are_weighted_means():
    matrix = load_skin("right").matrix
    assert np.abs(matrix.sum(axis=1) - 1).max() < 1e-12
    assert matrix.data.min() >= 0


def test_batches_and_float_types_are_kept():
    skin, template = load_skin("left"), load_open_hand()["left"]["v_template"]
    batch = np.stack([template, 2 * template, template + 1])[None].astype(np.float32)
    fine = skin.subdivide(batch)
    assert fine.shape == (1, 3, 12402, 3) and fine.dtype == np.float32
    assert np.allclose(fine[0, 1], 2 * fine[0, 0], atol=1e-6)
    assert np.allclose(fine[0, 2], skin.subdivide(template) + 1, atol=1e-6)


def test_subdivision_keeps_a_plane_flat_and_quarters_it():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    matrix, refined = loop_subdivision(faces, 4)
    fine = matrix @ square
    assert refined.shape == (8, 3) and len(fine) == 9
    assert np.all(fine[:, 2] == 0)
    normals = np.cross(fine[refined[:, 1]] - fine[refined[:, 0]], fine[refined[:, 2]] - fine[refined[:, 0]])
    assert np.all(normals[:, 2] > 0)
    rim = boundary_loop(refined)
    assert len(rim) == len(set(rim.tolist())) == 8


def test_subdivided_tetrahedron_follows_loops_weights():
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    matrix, _ = loop_subdivision(faces, 4)
    beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / 3) / 4) ** 2) / 3
    dense = matrix.toarray()
    assert np.allclose(dense[0], [1 - 3 * beta, beta, beta, beta])
    assert np.allclose(np.sort(dense[4]), [1 / 8, 1 / 8, 3 / 8, 3 / 8])


def test_two_steps_are_one_matrix():
    faces = load_open_hand()["right"]["f"]
    first, middle = loop_subdivision(faces, 778)
    second, last = loop_subdivision(middle, first.shape[0])
    both, finest = refine(faces, 778, 2)
    assert np.array_equal(finest, last)
    assert abs(both - second @ first).max() < 1e-12


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(sorted(SKIN_TONES)), st.integers(0, 2**32 - 1))
def test_colours_are_a_seeded_variation_of_the_tone(tone, seed):
    skin = load_skin("right")
    colors = skin.colors(SKIN_TONES[tone], seed)
    assert colors.shape == (12402, 3)
    assert colors.min() >= 0 and colors.max() <= 1
    assert np.array_equal(colors, skin.colors(SKIN_TONES[tone], seed))
    dorsal = skin.marks.palmar < 0.05
    assert np.abs(np.median(colors[dorsal], axis=0) - SKIN_TONES[tone]).max() < 0.08


def test_another_person_looks_different_and_both_hands_alike():
    tone = SKIN_TONES["tan"]
    right = load_skin("right").colors(tone, 1)
    assert np.abs(right - load_skin("right").colors(tone, 2)).mean() > 1e-3
    assert np.array_equal(right, load_skin("left").colors(tone, 1))


def test_nails_lie_on_the_back_of_the_fingertips():
    skin = load_skin("right")
    points = skin.marks.points_mm
    assert np.allclose(points, template_to_wrist_mm(skin.subdivide(load_open_hand()["right"]["v_template"]), "right"))
    nails = points[skin.marks.nail > 0.5]
    tips = np.stack([finger.joints_mm[3] for finger in skeleton().values()])
    distances = np.linalg.norm(nails[:, None] - tips[None], axis=-1)
    assert distances.min(axis=1).max() < 24
    assert np.bincount(distances.argmin(axis=1), minlength=5).min() > 20
    for k, finger in enumerate(skeleton().values()):
        own = nails[distances.argmin(axis=1) == k]
        assert np.all((own - finger.joints_mm[3]) @ finger.palmar[2] < 2)
