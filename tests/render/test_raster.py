import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from digit.render.raster import face_buffer, label_mask

FOCAL, PRINCPT = np.array([60.0, 55.0]), np.array([23.3, 15.9])
WIDTH, HEIGHT = 48, 32


def lift(points_px, depth_mm):
    """Camera points that project to the given image points."""
    points_px, depth_mm = np.asarray(points_px, dtype=float), np.asarray(depth_mm, dtype=float)
    return np.c_[(points_px - PRINCPT) / FOCAL * depth_mm[:, None], depth_mm]


def cast_rays(vertices, faces):
    """Oracle: intersect the ray of every pixel with the plane of every face, in 3D.

    Returns depths (H, W, M), inf where a face is missed, and how far (in barycentric units) each ray is from an edge.
    """
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    rays = np.stack([(columns - PRINCPT[0]) / FOCAL[0], (rows - PRINCPT[1]) / FOCAL[1], np.ones(columns.shape)], -1)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    depth = (normal * a).sum(-1) / (rays @ normal.T)
    hits = rays[:, :, None] * depth[..., None]
    area2 = (normal**2).sum(-1)
    weights = [(np.cross(q - p, hits - p) * normal).sum(-1) / area2 for p, q in ((b, c), (c, a), (a, b))]
    margin = np.min(weights, axis=0)
    return np.where((margin >= 0) & (depth > 0), depth, np.inf), np.abs(margin)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_nearest_face_and_depth_equal_a_ray_cast(seed):
    rng = np.random.default_rng(seed)
    vertices = lift(rng.uniform([-10, -10], [WIDTH + 10, HEIGHT + 10], (36, 2)), rng.uniform(50, 900, 36))
    faces = np.arange(36).reshape(12, 3)
    index, depth = face_buffer(vertices, faces, FOCAL, PRINCPT, WIDTH, HEIGHT)
    oracle, margin = cast_rays(vertices, faces)
    order = np.sort(oracle, axis=-1)
    with np.errstate(invalid="ignore"):
        clear = (margin.min(-1) > 0.01) & ~(order[..., 1] - order[..., 0] < 1.0)
    seen = np.isfinite(order[..., 0])
    np.testing.assert_array_equal(index[clear], np.where(seen, oracle.argmin(-1), -1)[clear])
    both = clear & seen
    np.testing.assert_allclose(depth[both], order[..., 0][both], rtol=2e-3)
    assert np.isinf(depth[index < 0]).all()
    assert clear.mean() > 0.5


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), whole=st.booleans())
def test_shared_edges_leave_neither_gap_nor_double_ownership(seed, whole):
    rng = np.random.default_rng(seed)
    corners = np.array([[-2, -2], [WIDTH + 2, -2], [-2, HEIGHT + 2], [WIDTH + 2, HEIGHT + 2]])
    points = rng.uniform([-2, -2], [WIDTH + 2, HEIGHT + 2], (60, 2))
    points = np.r_[corners, np.unique(np.round(points), axis=0) if whole else points]
    faces = Delaunay(points).simplices
    vertices = np.c_[points * 100.0, np.full(len(points), 100.0)]
    owners = np.zeros((HEIGHT, WIDTH), dtype=int)
    for face in faces:
        owners += face_buffer(vertices, face[None], np.ones(2), np.zeros(2), WIDTH, HEIGHT)[0] == 0
    np.testing.assert_array_equal(owners, 1)


def test_pixel_centres_sit_at_integers():
    square = np.array([[9.6, 19.6], [10.4, 19.6], [10.4, 20.4], [9.6, 20.4]])
    index, _ = face_buffer(
        lift(square, np.full(4, 500.0)), np.array([[0, 1, 2], [0, 2, 3]]), FOCAL, PRINCPT, WIDTH, HEIGHT
    )
    assert [tuple(p) for p in np.argwhere(index >= 0)] == [(20, 10)]


def test_depth_of_a_tilted_plane_is_perspective_correct():
    # The plane Z = 400 + 2 X: along the ray X = s Z, Z = 400 / (1 - 2 s).
    x = np.array([-150.0, 150.0])
    vertices = np.array([[X, Y, 400 + 2 * X] for X in x for Y in (-400.0, 400.0)])
    _, depth = face_buffer(vertices, np.array([[0, 1, 2], [1, 2, 3]]), FOCAL, PRINCPT, WIDTH, HEIGHT)
    slope = (np.arange(WIDTH) - PRINCPT[0]) / FOCAL[0]
    expected = np.broadcast_to(400 / (1 - 2 * slope), depth.shape)
    seen = np.isfinite(depth)
    assert seen.sum() > 300
    np.testing.assert_allclose(depth[seen], expected[seen], rtol=1e-4)


def test_winding_does_not_matter():
    rng = np.random.default_rng(3)
    vertices = lift(rng.uniform(0, 40, (30, 2)), rng.uniform(100, 900, 30))
    faces = np.arange(30).reshape(10, 3)
    for shuffled in (faces[:, ::-1], faces[:, [1, 2, 0]]):
        for ours, other in zip(
            face_buffer(vertices, faces, FOCAL, PRINCPT, WIDTH, HEIGHT),
            face_buffer(vertices, shuffled, FOCAL, PRINCPT, WIDTH, HEIGHT),
            strict=True,
        ):
            np.testing.assert_allclose(ours, other, rtol=1e-6)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_equal_depths_go_to_the_lowest_face(order):
    vertices = lift([[5, 5], [40, 6], [20, 29]], [333.0, 333.0, 333.0])
    faces = np.array([order, [0, 1, 2], [1, 0, 2]])
    index, _ = face_buffer(vertices, faces, FOCAL, PRINCPT, WIDTH, HEIGHT)
    assert set(np.unique(index)) == {-1, 0}


@pytest.mark.parametrize("bad", [[0, 0, 0.5], [0, 0, -300], [0, 0, 0], [np.nan, 0, 300], [0, 0, np.inf], [1e9, 0, 2]])
def test_faces_that_cannot_be_projected_are_left_out_whole(bad):
    good = lift([[5, 5], [40, 6], [20, 29]], [300.0, 310.0, 320.0])
    vertices = np.r_[good, [bad]]
    alone = face_buffer(good, np.array([[0, 1, 2]]), FOCAL, PRINCPT, WIDTH, HEIGHT)
    both = face_buffer(vertices, np.array([[0, 1, 2], [0, 1, 3]]), FOCAL, PRINCPT, WIDTH, HEIGHT)
    np.testing.assert_array_equal(alone[0], both[0])
    np.testing.assert_array_equal(alone[1], both[1])
    mask = label_mask(vertices, np.array([[0, 1, 2], [0, 1, 3]]), np.array([7, 8]), FOCAL, PRINCPT, WIDTH, HEIGHT)
    np.testing.assert_array_equal(mask, np.where(alone[0] == 0, 7, 0))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(1, 300))
def test_label_mask_looks_up_the_face_buffer(seed, spread):
    rng = np.random.default_rng(seed)
    centre = rng.uniform(-20, 60, 2)
    vertices = lift(rng.normal(centre, spread, (24, 2)), rng.uniform(-50, 900, 24))
    faces, labels = rng.integers(0, 24, (16, 3)), rng.integers(1, 33, 16).astype(np.uint8)
    index, _ = face_buffer(vertices, faces, FOCAL, PRINCPT, WIDTH, HEIGHT)
    mask = label_mask(vertices, faces, labels, FOCAL, PRINCPT, WIDTH, HEIGHT)
    assert mask.dtype == np.uint8 and mask.shape == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(mask, np.where(index >= 0, labels[index], 0))


def test_nothing_to_draw_gives_background():
    empty = np.zeros((0, 3))
    index, depth = face_buffer(empty, empty, FOCAL, PRINCPT, WIDTH, HEIGHT)
    assert (index == -1).all() and np.isinf(depth).all()
    assert not label_mask(empty, empty, np.zeros(0, np.uint8), FOCAL, PRINCPT, WIDTH, HEIGHT).any()


def test_wrong_tables_are_refused():
    vertices = lift([[5, 5], [40, 6], [20, 29]], [300.0, 310.0, 320.0])
    with pytest.raises(ValueError, match=r"vertices 0\.\.3, but there are 3"):
        face_buffer(vertices, np.array([[0, 1, 3]]), FOCAL, PRINCPT, WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="2 entries for 1 faces"):
        label_mask(vertices, np.array([[0, 1, 2]]), np.array([1, 2]), FOCAL, PRINCPT, WIDTH, HEIGHT)
