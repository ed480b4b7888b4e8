import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from digit.hand.open_hand.anatomy import skeleton
from digit.hand.open_hand.generate import surface
from digit.hand.open_hand.generate.correctives import bent

points = arrays(float, (6, 3), elements=st.floats(-50, 50))
ORIGIN = np.zeros(3)


@given(points, st.floats(1, 20))
def test_capsule_without_taper_is_the_distance_to_a_segment(at, radius):
    ends = (ORIGIN, np.array([10.0, 0, 0]))
    nearest = np.clip(at[:, :1], 0, 10) * [1, 0, 0]
    assert np.allclose(surface.capsule(at, ends, (radius, radius)), np.linalg.norm(at - nearest, axis=1) - radius)


def test_pressed_capsule_is_flatter_along_the_given_direction():
    ends, up = (ORIGIN, np.array([10.0, 0, 0])), np.array([0, 1.0, 0])
    on_surface = np.array([[5, 8.0, 0], [5, 0, 10.0]])
    assert np.allclose(surface.capsule(on_surface, ends, (10, 10), up, 0.8), 0)


def test_ellipsoid_is_zero_on_its_surface_and_signed_around_it():
    along, radii = np.array([0, 0, 1.0]), (30.0, 10.0, 20.0)
    poles = np.array([[0, 0, 30.0], [0, 10.0, 0], [20.0, 0, 0]])
    assert np.allclose(surface.ellipsoid(poles, ORIGIN, along, radii), 0)
    assert np.all(surface.ellipsoid(0.9 * poles, ORIGIN, along, radii) < 0)
    assert np.all(surface.ellipsoid(1.1 * poles, ORIGIN, along, radii) > 0)


@given(arrays(float, 8, elements=st.floats(-30, 30)), arrays(float, 8, elements=st.floats(-30, 30)), st.floats(0.5, 15))
def test_smooth_min_is_a_min_up_to_a_quarter_of_the_blend(a, b, blend):
    smooth, sharp = surface.smooth_min(a, b, blend), np.minimum(a, b)
    assert np.all(smooth <= sharp + 1e-9) and np.all(smooth >= sharp - blend / 4 - 1e-9)
    assert np.allclose(smooth, surface.smooth_min(b, a, blend))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_projection_reaches_the_surface_and_the_wrist_plane(seed):
    rng = np.random.default_rng(seed)
    finger = skeleton()["middle"]
    start = finger.joints_mm[1] + rng.normal(0, 4, (20, 3)) + 8 * finger.palmar[1]
    on_cut = np.zeros(20, dtype=bool)
    on_cut[0], start[0] = True, (surface.CUT_MM + 2, -25, 3)
    landed = surface.project(start, skeleton(), on_cut, 8)
    assert landed[0, 0] == surface.CUT_MM
    assert np.abs(surface.hand_distance(landed, skeleton())).max() < 0.05


def test_bending_turns_the_bones_beyond_the_joint_only():
    finger = skeleton()["index"]
    turn = np.array([[0, -1.0, 0], [1.0, 0, 0], [0, 0, 1.0]])
    flexed = bent(finger, 1, turn)
    assert np.array_equal(flexed.joints_mm[:2], finger.joints_mm[:2])
    assert np.allclose(flexed.along[1], turn @ finger.along[1])
    assert np.array_equal(flexed.along[0], finger.along[0])
    assert np.allclose(np.linalg.norm(np.diff(flexed.joints_mm, axis=0), axis=1), finger.lengths_mm)
