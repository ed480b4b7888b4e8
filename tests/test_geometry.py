import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from digit import geometry as geo

POINTS = arrays(np.float64, (7, 3), elements=st.floats(-500, 500))
SMALL = st.floats(-3, 3)


def _numbers(low, high):
    return st.floats(low, high, allow_nan=False)


BOX = st.tuples(_numbers(-200, 500), _numbers(-200, 500), _numbers(5, 600), _numbers(5, 600)).map(np.array)


@given(POINTS, arrays(np.float64, 3, elements=SMALL), arrays(np.float64, 3, elements=st.floats(-900, 900)))
def test_world_to_camera_is_the_release_formula(points, rotvec, position):
    rotation = Rotation.from_rotvec(rotvec).as_matrix()
    moved = geo.world_to_camera(points, rotation, position)
    for point, result in zip(points, moved, strict=True):
        np.testing.assert_allclose(result, rotation @ (point - position), atol=1e-9)
    np.testing.assert_allclose(moved @ rotation + position, points, atol=1e-8)


@given(POINTS)
def test_projection_and_back_projection_are_inverse(points):
    points = points + np.array([0, 0, 600.0])
    focal, princpt = np.array([1270.0, 1265.0]), np.array([256.3, 170.1])
    pixels = geo.project(points, focal, princpt)
    np.testing.assert_allclose(geo.back_project(pixels, points[:, 2], focal, princpt), points, atol=1e-7)


def test_projection_by_hand():
    pixel = geo.project(np.array([[10.0, -20.0, 1000.0]]), np.array([1000.0, 500.0]), np.array([256.0, 167.0]))
    np.testing.assert_allclose(pixel, [[266.0, 157.0]])


@pytest.mark.parametrize("depth_mm", [0.0, -0.0, 1e-300, -1e-9, -800.0])
def test_what_a_camera_cannot_see_has_finite_pixels_and_is_said_to_be_unseen(depth_mm):
    point = np.array([[1e9, -1.0, depth_mm]])
    assert not geo.in_front(point).any()
    assert np.isfinite(geo.project(point, np.full(2, 1e6), np.ones(2))).all()


def test_what_stands_before_a_camera_is_in_front_of_it():
    assert geo.in_front(np.array([[0.0, 0.0, 1.0], [5.0, 5.0, 700.0]])).all()


def test_batches_are_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    points, focal, princpt = rng.normal(size=(4, 42, 3)), rng.uniform(1, 2, (4, 2)), rng.normal(size=(4, 2))
    points[..., 2] += 9
    rotation, position = Rotation.random(4, random_state=1).as_matrix(), rng.normal(size=(4, 3))
    cam, px = geo.world_to_camera(points, rotation, position), geo.project(points, focal, princpt)
    for k in range(4):
        np.testing.assert_allclose(cam[k], geo.world_to_camera(points[k], rotation[k], position[k]))
        np.testing.assert_allclose(px[k], geo.project(points[k], focal[k], princpt[k]))


@given(BOX)
def test_square_box_keeps_the_centre(box):
    square = geo.square_box(box)
    np.testing.assert_allclose(square[:2] + square[2:] / 2, box[:2] + box[2:] / 2, atol=1e-9)
    np.testing.assert_allclose(square[2:], max(box[2:]) * 1.25)


@given(BOX, st.sampled_from([64, 256]), _numbers(0.5, 1.5), _numbers(-np.pi, np.pi))
def test_crop_map_sends_the_anchor_points(box, size, scale, rotation):
    """The three anchors of the specification: centre, below the centre, right of the centre (turned)."""
    (x, y, w, h), (cos, sin) = box, (np.cos(rotation), np.sin(rotation))
    turn = np.array([[cos, -sin], [sin, cos]])
    center = np.array([x + w / 2, y + h / 2])
    anchors = np.stack([center, center + turn @ [0, h * scale / 2], center + turn @ [w * scale / 2, 0]])
    expected = np.array([[size / 2, size / 2], [size / 2, size], [size, size / 2]])
    affine = geo.crop_map(box, size, scale, rotation)
    precision = 4 * np.finfo(np.float32).eps * max(size, np.abs(affine[:, :2]).max() * np.abs(anchors).max())
    np.testing.assert_allclose(geo.apply_map(affine, anchors), expected, atol=precision)


def test_crop_map_rounds_as_opencv_does_from_float32_points():
    """Which pixels the crop shows depends on the last digit; the original lets OpenCV solve for the map."""
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(-200, 300, (500, 2)), rng.uniform(20, 500, (500, 1)).repeat(2, axis=1)], axis=1)
    expected = np.array([[128, 128], [256, 128], [128, 256]], np.float32)
    for box, affine in zip(boxes.astype(np.float32), geo.crop_map(boxes, 256), strict=True):
        center, half = box[:2] + box[2:] / 2, box[2:] / 2
        points = np.stack([center, center + half * [1, 0], center + half * [0, 1]]).astype(np.float32)
        solved = cv2.getAffineTransform(points, expected).astype(np.float32)
        np.testing.assert_allclose(affine, solved, rtol=0, atol=1e-12)


@given(BOX, _numbers(0.5, 1.5), _numbers(-np.pi, np.pi), arrays(np.float64, (9, 2), elements=st.floats(-300, 800)))
def test_inverse_map_undoes_the_map(box, scale, rotation, points):
    affine = geo.crop_map(box, 256, scale, rotation)
    back = geo.apply_map(geo.invert_map(affine), geo.apply_map(affine, points))
    np.testing.assert_allclose(back, points, atol=1e-6)


def test_crop_maps_broadcast_over_boxes_scales_and_rotations():
    boxes = np.array([[10.0, 20, 30, 40], [0, 0, 100, 50]])
    maps = geo.crop_map(boxes, 64, np.array([1.0, 1.2]), np.array([0.0, 0.7]))
    assert maps.shape == (2, 2, 3)
    for k, (scale, rotation) in enumerate([(1.0, 0.0), (1.2, 0.7)]):
        np.testing.assert_allclose(maps[k], geo.crop_map(boxes[k], 64, scale, rotation))
    assert geo.crop_map(boxes[0], 64, 1.0, np.zeros(5)).shape == (5, 2, 3)


@given(_numbers(-400, 400), _numbers(1, 800), st.sampled_from([16, 64]))
def test_depth_cells_round_trip(depth, box, cells):
    assert geo.cells_to_depth(geo.depth_to_cells(depth, box, cells), box, cells) == pytest.approx(depth, abs=1e-6)


def test_depth_cells_cover_the_box():
    np.testing.assert_allclose(geo.depth_to_cells(np.array([-200.0, 0.0, 200.0]), 400.0, 64), [0, 32, 64])
