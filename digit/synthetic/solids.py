"""Closed painted meshes: tubes, cylinders, boxes, balls and hoops, with normals that need no care at their edges."""

from functools import cache
from typing import NamedTuple

import numpy as np


class Piece(NamedTuple):
    """A painted mesh: vertices (N, 3), faces (M, 3) wound outwards, linear albedo (N, 3) and gloss (N,)."""

    vertices_mm: np.ndarray
    faces: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray


def painted(vertices_mm: np.ndarray, faces: np.ndarray, albedo: np.ndarray, gloss: float) -> Piece:
    """A piece of one colour (3,) or of colours (N, 3), and of one gloss."""
    colors = np.broadcast_to(np.asarray(albedo, np.float32), vertices_mm.shape)
    return Piece(vertices_mm, faces, colors, np.full(len(vertices_mm), gloss, np.float32))


@cache
def _tube_faces(rings: int, sides: int, capped: bool) -> np.ndarray:
    ring, spoke = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    here, beside = ring * sides + spoke, ring * sides + (spoke + 1) % sides
    quads = np.stack([here, beside, here + sides, beside, beside + sides, here + sides], axis=-1).reshape(-1, 3)
    if not capped:
        return quads
    around, last = np.arange(sides), rings * sides
    rims = last + around, last + sides + around
    ends = [
        np.stack([np.roll(rims[0], -1), rims[0], np.full(sides, last + 2 * sides)], axis=1),
        np.stack([rims[1], np.roll(rims[1], -1), np.full(sides, last + 2 * sides + 1)], axis=1),
    ]
    return np.concatenate([quads, *ends])


def tube(rings_mm: np.ndarray, mirrored: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Close a tube of rings (R, S, 3) at both ends: vertices (R * S + 2 * S + 2, 3) and faces wound outwards.

    Rings run anticlockwise seen from the last towards the first; ``mirrored`` when clockwise. The rims of the ends
    are doubled, so that shading does not blend around them.
    """
    rings, sides = rings_mm.shape[:2]
    ends = rings_mm[[0, -1]]
    vertices = np.concatenate([rings_mm.reshape(-1, 3), ends.reshape(-1, 3), ends.mean(axis=1)])
    faces = _tube_faces(rings, sides, True)
    return vertices, faces[:, [0, 2, 1]] if mirrored else faces


def spread_to_ends(colors: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Colours (R, S, 3) of a tube's rings with those of its ends; the last end is ``end`` (3,)."""
    sides = colors.shape[1]
    first = colors[0]
    return np.concatenate(
        [colors.reshape(-1, 3), first, np.tile(end, (sides, 1)), first.mean(axis=0)[None], end[None]]
    ).astype(np.float32)


def lathe(profile: np.ndarray, sides: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """A body of revolution about z: ``profile`` (R, 2) of radius and height, rising in z; vertices and faces."""
    angle = np.arange(sides) * 2 * np.pi / sides
    rings = np.empty((len(profile), sides, 3))
    rings[..., 0], rings[..., 1] = profile[:, :1] * np.cos(angle), profile[:, :1] * np.sin(angle)
    rings[..., 2] = profile[:, 1:]
    return tube(rings)


def hoop(
    radius_mm: float, thickness_mm: float, width_mm: float, sides: int = 28, around: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """A finger ring about z: vertices (sides * around, 3) and faces."""
    angle, turn = np.arange(sides) * 2 * np.pi / sides, np.arange(around) * 2 * np.pi / around
    radius = radius_mm + thickness_mm / 2 * np.cos(turn)[None]
    x, y = radius * np.cos(angle)[:, None], radius * np.sin(angle)[:, None]
    z = np.broadcast_to(width_mm / 2 * np.sin(turn)[None], x.shape)
    i, j = np.meshgrid(np.arange(sides), np.arange(around), indexing="ij")
    here, next_side = i * around + j, (i + 1) % sides * around + j
    up, both = i * around + (j + 1) % around, (i + 1) % sides * around + (j + 1) % around
    faces = np.stack([here, next_side, up, next_side, both, up], axis=-1).reshape(-1, 3)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3), faces


def block(size_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A box about the origin with sides (3,): each face has its own corners."""
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            corners = np.zeros((4, 3))
            corners[:, axis] = sign
            corners[:, u] = np.array([-1, 1, 1, -1]) * sign
            corners[:, v] = [-1, -1, 1, 1]
            faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + 4 * len(vertices))
            vertices.append(corners)
    return np.concatenate(vertices) * np.asarray(size_mm) / 2, np.concatenate(faces)


def frame_along(axis: np.ndarray, hint: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) whose columns are x, y and z, with z along ``axis`` and x as near to ``hint`` as can be."""
    z = axis / np.linalg.norm(axis)
    x = hint - (hint @ z) * z
    if np.linalg.norm(x) < 1e-6:
        x = np.cross(z, [1.0, 0.0, 0.0] if abs(z[0]) < 0.7 else [0.0, 1.0, 0.0])
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)
