import numpy as np
import pytest

from digit.hand.mano import load_hands
from digit.render.shading import vertex_normals
from digit.skeleton import HANDS
from digit.synthetic.contact import ALLOWED_DEPTH_MM, depths, depths_inside, nearest_gap, separate
from digit.synthetic.poses import WRIST_DISTANCE_MM, sample_hands


def sphere(radius_mm: float = 20.0, count: int = 800) -> tuple[np.ndarray, np.ndarray]:
    k = np.arange(count) + 0.5
    y, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - y**2)
    normals = np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=1)
    return radius_mm * normals, normals


def test_depth_of_points_in_a_sphere():
    points, normals = sphere()
    inside = np.array([[0.0, 15.0, 0.0], [0.0, -19.0, 0.0], [0.0, 30.0, 0.0], [90.0, 0.0, 0.0]])
    depth, _, gap = depths(inside, points, normals)
    np.testing.assert_allclose(depth, [5.0, 1.0, 0.0, 0.0], atol=0.15)
    assert gap == pytest.approx(1.0, abs=0.8)


def test_overlapping_spheres_are_pushed_apart_along_their_axis():
    points, normals = sphere()
    offset = np.array([12.0, 0.0, 0.0])
    shift = separate(points - offset, points + offset, normals, normals)
    assert shift is not None
    distance = 2 * (offset + shift)
    assert abs(distance[0]) > 40 - 2 * ALLOWED_DEPTH_MM - 1
    assert np.linalg.norm(distance[1:]) < 2.0


def test_the_quick_measure_finds_the_same_depths():
    points, normals = sphere()
    rng = np.random.default_rng(0)
    for offset in ([12.0, 5, 0], [35.0, 0, 0], [90.0, 0, 0]):
        moved = points + offset + rng.normal(0, 1, points.shape)
        depth, nearest, _ = depths(moved, points, normals)
        quick, quick_nearest, _ = depths_inside(moved, points, normals)
        np.testing.assert_allclose(quick, depth, atol=0.1)
        np.testing.assert_array_equal(quick_nearest[quick > 0.5], nearest[quick > 0.5])


def test_the_nearest_gap_closes_the_distance():
    points, _ = sphere()
    offset = np.array([50.0, 0, 0])
    gap = nearest_gap(points - offset, points + offset)
    assert np.linalg.norm(gap) == pytest.approx(60.0, abs=1.5)
    assert gap[0] < -58


@pytest.mark.parametrize("views", ["narrow", "wide"])
def test_sampled_pairs_touch_but_do_not_pass_through_each_other(views):
    hands, rng = load_hands(), np.random.default_rng(3)
    gaps = []
    for _ in range(12):
        pair = sample_hands(rng, hands, np.zeros(10), "interacting", views)
        right, left = (pair[side].vertices_mm for side in HANDS)
        in_right, _, gap = depths(left, right, vertex_normals(right, hands.right.faces))
        in_left, _, _ = depths(right, left, vertex_normals(left, hands.left.faces))
        assert max(in_right.max(), in_left.max()) <= ALLOWED_DEPTH_MM + 1e-6
        wrists = [hands[side].joints_world_mm(pair[side].vertices_mm)[20] for side in HANDS]
        assert WRIST_DISTANCE_MM[0] <= np.linalg.norm(wrists[0] - wrists[1]) <= WRIST_DISTANCE_MM[1]
        gaps.append(gap)
    assert np.mean(np.array(gaps) < 5.0) > 0.5
