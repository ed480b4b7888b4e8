"""Hands that touch without passing through each other."""

from collections.abc import Callable

import numpy as np

from digit.render.shading import extent
from digit.run.compiled import compiled

ALLOWED_DEPTH_MM = 1.5
"""Flesh gives way by this much before hands are pushed apart."""

REACH_MM = 25.0
"""A vertex farther than this from the other hand's nearest vertex is outside it."""


@compiled
def depths(points_mm: np.ndarray, surface_mm: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """How deep points (P, 3) lie under a closed surface of vertices (V, 3) with outward normals (V, 3).

    Signed by the nearest vertex's normal, which is exact to about half an edge length.

    Returns:
        (P,) depth in mm, 0 outside; (P,) the nearest vertex; the smallest distance between points and vertices.
    """
    depth = np.zeros(len(points_mm))
    nearest = np.zeros(len(points_mm), np.int64)
    gap = np.inf
    for p in range(len(points_mm)):
        best, found = np.inf, 0
        for v in range(len(surface_mm)):
            dx = points_mm[p, 0] - surface_mm[v, 0]
            dy = points_mm[p, 1] - surface_mm[v, 1]
            dz = points_mm[p, 2] - surface_mm[v, 2]
            distance = dx * dx + dy * dy + dz * dz
            if distance < best:
                best, found = distance, v
        nearest[p] = found
        gap = min(gap, best)
        if best < REACH_MM * REACH_MM:
            outside = 0.0
            for k in range(3):
                outside += (points_mm[p, k] - surface_mm[found, k]) * normals[found, k]
            depth[p] = max(-outside, 0.0)
    return depth, nearest, np.sqrt(gap)


@compiled
def depths_inside(
    points_mm: np.ndarray, surface_mm: np.ndarray, normals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """As :func:`depths`, but points outside the surface's bounding box count as outside at once.

    Several times as fast for hands that touch in places; the nearest vertex of such a point is given as 0 and the
    smallest distance is that of the others.
    """
    low, high = extent(surface_mm)
    within = _in_box(points_mm, low, high, 0.0)
    chosen = np.flatnonzero(within)
    depth, nearest = np.zeros(len(points_mm)), np.zeros(len(points_mm), np.int64)
    if len(chosen) == 0:
        return depth, nearest, np.inf
    low, high = extent(points_mm[chosen])
    close = np.flatnonzero(_in_box(surface_mm, low, high, REACH_MM))
    if len(close) == 0:
        return depth, nearest, np.inf
    some_depth, some_nearest, gap = depths(points_mm[chosen], surface_mm[close], normals[close])
    depth[chosen], nearest[chosen] = some_depth, close[some_nearest]
    return depth, nearest, gap


@compiled
def _in_box(points: np.ndarray, low: np.ndarray, high: np.ndarray, margin: float) -> np.ndarray:
    inside = np.ones(len(points), np.bool_)
    for p in range(len(points)):
        for k in range(3):
            if not low[k] - margin <= points[p, k] <= high[k] + margin:
                inside[p] = False
    return inside


def separate(
    right_mm: np.ndarray,
    left_mm: np.ndarray,
    right_normals: np.ndarray,
    left_normals: np.ndarray,
    rounds: int = 16,
    allowed_mm: float = ALLOWED_DEPTH_MM,
    measure: Callable[..., tuple[np.ndarray, np.ndarray, float]] = depths,
) -> np.ndarray | None:
    """Shift (3,) mm to add to the left hand and subtract from the right so that they no longer overlap.

    Args:
        right_mm: (V, 3) vertices of the right hand.
        left_mm: (V, 3) vertices of the left hand.
        right_normals: (V, 3) outward.
        left_normals: (V, 3) outward.
        rounds: attempts before giving up.
        allowed_mm: depth by which the hands may overlap.
        measure: ``depths``, or ``depths_inside`` for speed.

    Returns:
        The shift, or None when ``rounds`` pushes were not enough.
    """
    shift = np.zeros(3)
    for _ in range(rounds):
        depth_left, at_right, _ = measure(left_mm + shift, right_mm - shift, right_normals)
        depth_right, at_left, _ = measure(right_mm - shift, left_mm + shift, left_normals)
        deepest = max(depth_left.max(), depth_right.max())
        if deepest <= allowed_mm:
            return shift
        push = depth_left @ right_normals[at_right] - depth_right @ left_normals[at_left]
        length = np.linalg.norm(push)
        if length < 1e-6:
            return None
        shift = shift + push / length * (0.5 * deepest)
    return None


def nearest_gap(right_mm: np.ndarray, left_mm: np.ndarray) -> np.ndarray:
    """The shortest vector (3,) from a left vertex to a right vertex."""
    unused = np.zeros_like(right_mm)
    _, nearest, _ = depths(left_mm, right_mm, unused)
    vectors = right_mm[nearest] - left_mm
    return vectors[np.argmin((vectors**2).sum(axis=1))]
