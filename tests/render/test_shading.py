import numpy as np
import pytest
import trimesh

from digit.render.shading import (
    Shadows,
    add_highlights,
    diffuse_light,
    draw,
    extent,
    front_faces,
    gather_light,
    lay_over,
    light_visibility,
    vertex_normals,
)

SHADOWS = Shadows(texel_mm=1.0, offset_mm=1.0, tolerance_mm=2.0)


@pytest.fixture(scope="module")
def ball() -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=30.0)
    return np.array(mesh.vertices), np.array(mesh.faces)


def test_normals_of_a_ball_point_outwards(ball):
    vertices, faces = ball
    np.testing.assert_allclose(vertex_normals(vertices, faces), vertices / 30, atol=0.01)


def test_a_ball_shades_its_own_far_side_and_a_plate_behind_it(ball):
    vertices, faces = ball
    normals, towards = vertices / 30, np.array([[0.0, 0.0, -1.0]])
    seen = light_visibility(vertices, normals, vertices, faces, towards, SHADOWS)[0]
    assert seen[normals[:, 2] < -0.3].min() > 0.99
    assert seen[normals[:, 2] > 0.5].max() < 0.01
    plate = np.array([[0.0, 0, 60], [10, 0, 60], [60, 0, 60], [0, 0, -60]])
    plate_normals = np.tile([0.0, 0, -1], (4, 1))
    seen = light_visibility(plate, plate_normals, vertices, faces, towards, SHADOWS)[0]
    np.testing.assert_array_equal(seen, [0, 0, 1, 1])


def test_light_follows_lamberts_law_without_wrap(ball):
    vertices, _ = ball
    normals, towards = vertices / 30, np.array([[0.0, 1.0, 0.0]])
    seen = np.ones((1, len(vertices)), np.float32)
    light = gather_light(normals, towards, np.array([[2.0, 1.0, 0.5]]), seen, np.zeros(3))
    np.testing.assert_allclose(light, np.maximum(normals[:, 1:2], 0) * [2.0, 1.0, 0.5], atol=1e-5)
    soft = gather_light(normals, towards, np.array([[2.0, 1.0, 0.5]]), seen, np.array([0.3, 0.0, 0.0]))
    dark_side = (normals[:, 1] < -0.05) & (normals[:, 1] > -0.25)
    assert np.all(soft[dark_side, 0] > 0)
    assert np.all(soft[dark_side, 1:] == 0)


def test_spreading_keeps_even_light_and_blurs_the_rest(ball):
    vertices, faces = ball
    even = np.full((len(vertices), 3), 0.7, np.float32)
    np.testing.assert_allclose(diffuse_light(even, faces, np.array([5, 2, 0])), even, rtol=1e-5)
    edge = np.repeat((vertices[:, :1] > 0).astype(np.float32), 3, axis=1)
    spread = diffuse_light(edge, faces, np.array([5, 2, 0]))
    assert np.array_equal(spread[:, 2], edge[:, 2])
    assert 0 < np.abs(spread[:, 1] - edge[:, 1]).sum() < np.abs(spread[:, 0] - edge[:, 0]).sum()


def test_highlights_sit_where_the_light_is_mirrored(ball):
    vertices, _ = ball
    normals = vertices / 30
    black = np.zeros((len(vertices), 3), np.float32)
    eye, lamp = np.array([0.0, 0.0, -5000.0]), np.array([[0.6, 0.0, -0.8]])
    seen = np.ones((1, len(vertices)), np.float32)
    gloss = np.full(len(vertices), 80.0, np.float32)
    shine = add_highlights(vertices, normals, black, black, eye, lamp, np.ones((1, 3)), seen, gloss)[:, 0]
    half = np.array([0.6, 0.0, -1.8]) / np.linalg.norm([0.6, 0.0, -1.8])
    assert normals[np.argmax(shine)] @ half > 0.99
    dull = add_highlights(vertices, normals, black, black, eye, lamp, np.ones((1, 3)), seen, gloss * 0)
    assert not dull.any()


def test_a_drawn_ball_has_the_right_area_place_and_colour(ball):
    vertices, faces = ball
    colors = np.tile(np.array([0.2, 0.5, 0.9], np.float32), (len(vertices), 1))
    focal, princpt = np.array([1000.0, 1000.0]), np.array([100.3, 80.6])
    layer, window = draw(vertices + np.array([0, 0, 1000.0]), faces, colors, focal, princpt, (200, 160), samples=4)
    coverage = np.zeros((160, 200))
    coverage[window] = layer[..., 3]
    rows, columns = np.mgrid[:160, :200]
    assert coverage.sum() == pytest.approx(np.pi * 30.0135**2, rel=0.005)
    assert (coverage * columns).sum() / coverage.sum() == pytest.approx(100.3, abs=0.05)
    assert (coverage * rows).sum() / coverage.sum() == pytest.approx(80.6, abs=0.05)
    np.testing.assert_allclose(
        layer[layer[..., 3] == 1][:, :3], np.tile([0.2, 0.5, 0.9], ((layer[..., 3] == 1).sum(), 1)), rtol=1e-4
    )
    assert np.any((layer[..., 3] > 0) & (layer[..., 3] < 1))


def test_colours_are_interpolated_in_perspective():
    corners = np.array([[-100.0, -100, 500], [100, -100, 500], [100, 100, 1500], [-100, 100, 1500]])
    colors = np.repeat(np.array([[0.0], [0.0], [1.0], [1.0]], np.float32), 3, axis=1)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    focal, princpt = np.array([300.0, 300.0]), np.array([100.0, 100.0])
    layer, window = draw(corners, faces, colors, focal, princpt, (200, 200), samples=1)
    rows = np.arange(window[0].start, window[0].stop)
    column = 100 - window[1].start
    covered = layer[:, column, 3] == 1
    slope = (rows[covered] - 100.0) / 300.0  # y / z, with y = -100 + 200 t and z = 500 + 1000 t
    expected = (100 + 500 * slope) / (200 - 1000 * slope)
    np.testing.assert_allclose(layer[covered, column, 0], expected, atol=1e-5)


def test_nothing_in_view_gives_an_empty_window(ball):
    vertices, faces = ball
    far_left = vertices + np.array([-5000.0, 0, 1000])
    focal = np.array([1000.0, 1000.0])
    layer, window = draw(far_left, faces, np.ones((len(vertices), 3), np.float32), focal, focal / 10, (200, 200))
    assert layer.size == 0
    assert np.zeros((200, 200, 3))[window].size == 0


def test_a_closed_mesh_looks_the_same_without_its_far_side(ball):
    vertices, faces = ball
    cam_mm = vertices + [4.0, -3.0, 300.0]
    assert 0.35 < len(front_faces(cam_mm, faces)) / len(faces) < 0.5
    colors = ((vertices + 30) / 60).astype(np.float32)
    view = np.full(2, 500.0), np.full(2, 63.5), (128, 128)
    whole, window = draw(cam_mm, faces, colors, *view)
    front, same_window = draw(cam_mm, faces, colors, *view, closed=True)
    assert window == same_window
    np.testing.assert_allclose(front, whole, atol=0.02)
    towards, normals = np.array([[0.3, 0.4, -np.sqrt(0.75)]]), vertices / 30
    seen = [light_visibility(vertices, normals, vertices, faces, towards, SHADOWS, closed) for closed in (False, True)]
    np.testing.assert_allclose(*seen, atol=0.05)


def test_layers_cover_by_their_share_and_tell_their_mean_light():
    picture, layer = np.full((2, 2, 3), 0.4, np.float32), np.zeros((2, 2, 4), np.float32)
    layer[0, 0] = [0.9, 0.6, 0.3, 1.0]
    layer[1, 1] = [0.1, 0.1, 0.1, 0.5]
    level = lay_over(picture, layer)
    np.testing.assert_allclose(picture[0, 0], [0.9, 0.6, 0.3])
    np.testing.assert_allclose(picture[1, 1], 0.3)
    np.testing.assert_allclose(picture[0, 1], 0.4)
    assert level == pytest.approx((1.8 + 0.3) / (3 * 1.5))


def test_extents_are_those_of_the_points():
    points = np.random.default_rng(0).normal(0, 1, (50, 3))
    np.testing.assert_array_equal(extent(points), [points.min(axis=0), points.max(axis=0)])
