"""Things that hands hold or that get in the way: pens, bottles, phones, balls, cups, spoons."""

import numpy as np

from digit.synthetic.person import bright_color
from digit.synthetic.solids import Piece, block, frame_along, lathe, painted

KINDS = {"stick": 0.35, "bottle": 0.2, "ball": 0.15, "slab": 0.3}
"""Kinds of things and how often each is drawn."""


def draw_prop(rng: np.random.Generator, grip_mm: np.ndarray, palm: np.ndarray, across: np.ndarray) -> Piece:
    """Put a thing into or near a hand.

    Args:
        rng: source of randomness.
        grip_mm: (3,) middle of the palm.
        palm: (3,) unit vector out of it.
        across: (3,) unit vector across the palm, along which a fist's hold lies.
    """
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    vertices, faces, depth_mm = _shape(rng, kind)
    axis = across + rng.normal(0, 0.35, 3)
    turned = vertices @ frame_along(axis, palm + rng.normal(0, 0.5, 3)).T
    place = grip_mm + palm * (depth_mm + rng.uniform(10, 26)) + rng.normal(0, 8, 3)
    along = axis / np.linalg.norm(axis) * rng.normal(0, 0.2) * np.ptp(vertices[:, 2])
    shine = float(rng.choice([0.0, 15.0, 60.0]))
    return painted(turned + place + along, faces, _colors(rng, vertices), shine)


def _shape(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Vertices and faces about the origin, long side along z, and half the thickness."""
    if kind == "stick":
        radius, length = rng.uniform(2.5, 11), rng.uniform(90, 220)
        tip = rng.uniform(0.2, 1.0)
        heights = np.linspace(-0.5, 0.5, 9)
        profile = np.stack([radius * np.where(np.abs(heights) > 0.45, tip, 1.0), heights * length], axis=1)
        return *lathe(profile, 16), radius
    if kind == "bottle":
        radius, length = rng.uniform(16, 36), rng.uniform(70, 200)
        heights, neck = np.linspace(-0.5, 0.5, 11), rng.uniform(0.35, 1.0)
        profile = np.stack([radius * (1 + (neck - 1) * np.clip((heights - 0.1) / 0.2, 0, 1)), heights * length], axis=1)
        return *lathe(profile), radius
    if kind == "ball":
        angle, size = np.linspace(-1.45, 1.45, 13), rng.uniform(14, 38) * np.exp(rng.normal(0, 0.15, 2))
        return *lathe(np.stack([size[0] * np.cos(angle), size[1] * np.sin(angle)], axis=1)), size[0]
    size = np.array([rng.uniform(4, 30), rng.uniform(30, 95), rng.uniform(60, 170)])
    return *block(size), size[0] / 2


def _colors(rng: np.random.Generator, vertices: np.ndarray) -> np.ndarray:
    """One colour, or two in bands along z: (N, 3)."""
    first, second = np.clip(bright_color(rng), 0.01, 0.8), np.clip(bright_color(rng), 0.01, 0.8)
    if rng.random() < 0.5:
        return np.broadcast_to(first, vertices.shape)
    band = vertices[:, 2] > rng.uniform(-0.3, 0.3) * np.ptp(vertices[:, 2])
    return np.where(band[:, None], first, second)
