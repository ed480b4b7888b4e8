"""Skin to render: the 778 vertices refined by two Loop subdivisions, closed at the wrist, and painted."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sparse

from digit.hand.open_hand import paint
from digit.hand.open_hand.anatomy import template_to_wrist_mm
from digit.hand.open_hand.model import load_open_hand

SUBDIVISIONS = 2

SKIN_TONES = {
    "porcelain": (0.90, 0.72, 0.63),
    "fair": (0.87, 0.67, 0.56),
    "beige": (0.82, 0.61, 0.48),
    "olive": (0.74, 0.54, 0.40),
    "tan": (0.66, 0.46, 0.33),
    "bronze": (0.55, 0.37, 0.26),
    "brown": (0.44, 0.29, 0.20),
    "deep": (0.33, 0.21, 0.15),
}
"""Colours of the back of the hand in even white light, sRGB in 0..1."""


@dataclass(frozen=True)
class Skin:
    """Fine mesh of one hand.

    ``matrix`` (V, 778) sparse maps the model's vertices to the skin's, ``faces`` (F, 3) int64 close it with a flat,
    sharp-edged wrist, ``marks`` say where nails, creases and the like lie.
    """

    side: str
    matrix: sparse.csr_matrix
    faces: np.ndarray
    marks: paint.Marks

    def subdivide(self, vertices: np.ndarray) -> np.ndarray:
        """Refine posed vertices: (..., 778, 3) -> (..., V, 3), same frame, unit and float type."""
        columns = np.moveaxis(vertices, -2, 0)
        fine = self.matrix.astype(vertices.dtype, copy=False) @ np.ascontiguousarray(columns).reshape(len(columns), -1)
        return np.ascontiguousarray(np.moveaxis(fine.reshape(-1, *columns.shape[1:]), 0, -2))

    def colors(self, tone_rgb: tuple[float, float, float] | np.ndarray, seed: int) -> np.ndarray:
        """Paint the skin: (V, 3) sRGB albedo in 0..1.

        Args:
            tone_rgb: the back of the hand, sRGB in 0..1, for instance one of ``SKIN_TONES``.
            seed: the person: mottling, and how strong redness, creases, tendons and veins are.
        """
        return paint.skin_colors(self.marks, np.asarray(tone_rgb, dtype=float), seed)


def loop_subdivision(faces: np.ndarray, vertex_count: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """One step of Loop's subdivision (Loop 1987) with the usual rule for open boundaries.

    Args:
        faces: (F, 3) of a manifold mesh.
        vertex_count: V, all of them used.

    Returns:
        The (V + E, V) matrix to the refined vertices, old ones first, and the (4F, 3) refined faces.
    """
    start, end, opposite = faces.ravel(), np.roll(faces, -1, axis=1).ravel(), np.roll(faces, -2, axis=1).ravel()
    keys = np.minimum(start, end) * vertex_count + np.maximum(start, end)
    unique, edge, uses = np.unique(keys, return_inverse=True, return_counts=True)
    low, high = unique // vertex_count, unique % vertex_count
    rim = uses == 1
    inner_half = ~rim[edge]
    midpoint = vertex_count + edge
    on_rim = np.zeros(vertex_count, dtype=bool)
    on_rim[low[rim]] = on_rim[high[rim]] = True
    valence = np.bincount(np.concatenate([low, high]), minlength=vertex_count)
    beta = (0.625 - (0.375 + 0.25 * np.cos(2 * np.pi / valence)) ** 2) / valence
    beta = np.where(on_rim, 0.125, beta)
    own = np.where(on_rim, 0.75, 1 - valence * beta)

    towards, source = np.concatenate([low, high]), np.concatenate([high, low])
    counted = ~on_rim[towards] | np.concatenate([rim, rim])
    every = np.arange(vertex_count)
    rows = [every, towards[counted], midpoint, midpoint, midpoint[inner_half]]
    columns = [every, source[counted], start, end, opposite[inner_half]]
    side_weight = np.where(inner_half, 0.1875, 0.5)
    weights = [own, beta[towards[counted]], side_weight, side_weight, np.full(inner_half.sum(), 0.125)]
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    matrix = sparse.csr_matrix(entries, shape=(vertex_count + len(unique), vertex_count))

    a, b, c = faces.T
    ab, bc, ca = midpoint.reshape(-1, 3).T
    refined = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)
    return matrix, refined


def refine(faces: np.ndarray, vertex_count: int, steps: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Several steps of ``loop_subdivision`` as one matrix, and the finest faces."""
    matrix = sparse.identity(vertex_count, format="csr")
    for _ in range(steps):
        step, faces = loop_subdivision(faces, matrix.shape[0])
        matrix = step @ matrix
    return matrix, faces


def boundary_loop(faces: np.ndarray) -> np.ndarray:
    """(B,) vertices around the one open boundary of a mesh, in the direction of its faces' edges."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    reverse = set(zip(end.tolist(), start.tolist(), strict=True))
    following = {a: b for a, b in zip(start.tolist(), end.tolist(), strict=True) if (a, b) not in reverse}
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    return np.array(loop)


@cache
def load_skin(side: str) -> Skin:
    """Build the skin of the open hand's ``right`` or ``left``; the left mirrors the right vertex by vertex."""
    if side == "left":
        right = load_skin("right")
        return Skin("left", right.matrix, right.faces[:, [0, 2, 1]], right.marks)
    model = load_open_hand()["right"]
    matrix, faces = _cap(*refine(model["f"], len(model["v_template"]), SUBDIVISIONS))
    rest_mm = template_to_wrist_mm(matrix @ model["v_template"], "right")
    return Skin("right", matrix, faces, paint.find_marks(rest_mm, vertex_normals(rest_mm, faces)))


def _cap(matrix: sparse.csr_matrix, faces: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Close the wrist; the rim is doubled so that shading does not blend around the edge."""
    rim, count = boundary_loop(faces), matrix.shape[0]
    rows = matrix[rim]
    centre = sparse.csr_matrix(rows.mean(axis=0))
    doubled = count + np.arange(len(rim))
    fan = np.stack([np.roll(doubled, -1), doubled, np.full(len(rim), count + len(rim))], axis=1)
    return sparse.vstack([matrix, rows, centre]).tocsr(), np.concatenate([faces, fan])


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, each the area-weighted mean over the faces around the vertex."""
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.stack(
        [np.bincount(faces.ravel(), np.repeat(face_normals[:, k], 3), minlength=len(vertices)) for k in range(3)],
        axis=1,
    )
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
