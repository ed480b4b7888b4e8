"""Bones of the open hand: where its joints rest, which way they bend and how thick the flesh is.

Wrist frame of the right hand, millimetres: the origin is the wrist joint, fingers point to -x, the back of the
hand to +y (the palm to -y) and the thumb to +z. ``point`` takes distal, dorsal and radial coordinates.

Lengths follow published X-ray means of adult hands, rounded and adjusted by eye until renders looked right.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
"""MANO's order of fingers, three joints each after the wrist."""

LONG_FINGERS = ("index", "middle", "ring", "pinky")
"""From the thumb outwards."""

WRIST_M = np.array([0.0957, 0.0064, 0.0062])
"""Where MANO's right wrist joint lies in its template, metres; our template puts its own wrist there."""

PARENTS = (-1, *(0 if bone == 0 else 3 * finger + bone for finger in range(5) for bone in range(3)))
"""(16,) parent of each joint in MANO's order."""


@dataclass(frozen=True)
class Finger:
    """One finger at rest, or turned by ``bent``.

    ``joints_mm`` (4, 3) are the three joints and the fingertip. ``along``, ``palmar`` and ``flexion`` (3, 3) hold
    for each bone the unit vectors towards the tip, towards the pad, and about which it bends to the palm.
    ``half_widths_mm`` (7,) run joint 1, middle, joint 2, middle, joint 3, pulp, tip. ``depth`` is the ratio of
    palmar-dorsal depth to width, ``start_mm`` where the metacarpal (or, for the thumb, nothing) begins.
    """

    name: str
    joints_mm: np.ndarray
    along: np.ndarray
    palmar: np.ndarray
    flexion: np.ndarray
    lengths_mm: np.ndarray
    half_widths_mm: np.ndarray
    depth: float
    start_mm: np.ndarray


@dataclass(frozen=True)
class _Measures:
    joint1: tuple[float, float, float]
    azimuths: tuple[float, float, float]
    pitches: tuple[float, float, float]
    lengths: tuple[float, float, float]
    half_widths: tuple[float, float, float, float, float, float, float]
    roll: float
    depth: float
    start: tuple[float, float, float]


_MEASURES = {
    "index": _Measures(
        (92, 2, 25.5), (7, 6, 5), (2, 6, 9), (41, 23.5, 20.5),
        (10.8, 10.2, 9.7, 9.0, 8.6, 8.3, 7.1), 4, 0.92, (24, 4, 12),
    ),
    "middle": _Measures(
        (94.5, 3.5, 4), (1.5, 1, 0.5), (1, 6, 9), (45, 27, 21.5),
        (11, 10.3, 9.8, 9.1, 8.7, 8.4, 7.2), 0, 0.92, (22, 5, 3),
    ),
    "pinky": _Measures(
        (79, -1, -33.5), (-13, -11, -9), (3, 7, 10), (33.5, 19, 19.5),
        (9.5, 8.7, 8.2, 7.6, 7.2, 7.0, 6.1), -10, 0.92, (22, 1, -14),
    ),
    "ring": _Measures(
        (88, 2, -16), (-5, -5, -4), (2, 7, 10), (42, 26, 21.5),
        (10.5, 9.7, 9.3, 8.6, 8.2, 7.9, 6.8), -5, 0.92, (22, 4, -6),
    ),
    "thumb": _Measures(
        (21, -9, 22), (43, 31, 24), (14, 12, 10), (46, 32.5, 27),
        (16, 13.6, 12.4, 11.4, 11.4, 10.9, 8.8), 52, 0.86, (21, -9, 22),
    ),
}  # fmt: skip


def point(distal: float, dorsal: float, radial: float) -> np.ndarray:
    """(3,) a point or an offset in the wrist frame, mm."""
    return np.array([-distal, dorsal, radial], dtype=float)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) scaled to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and 3x^2 - 2x^3 between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _direction(azimuth_deg: float, pitch_deg: float) -> np.ndarray:
    """Turn a unit vector: distal, turned to the thumb by the azimuth and to the palm by the pitch."""
    azimuth, pitch = np.radians(azimuth_deg), np.radians(pitch_deg)
    return np.array([-np.cos(azimuth) * np.cos(pitch), -np.sin(pitch), np.sin(azimuth) * np.cos(pitch)])


def _finger(name: str, measures: _Measures) -> Finger:
    along = np.stack([_direction(a, p) for a, p in zip(measures.azimuths, measures.pitches, strict=True)])
    lengths = np.array(measures.lengths, dtype=float)
    joints = point(*measures.joint1) + np.concatenate([np.zeros((1, 3)), np.cumsum(along * lengths[:, None], axis=0)])
    down = np.array([0.0, -1.0, 0.0])
    straight_down = unit(down - along * (along @ down)[:, None])
    roll = np.radians(measures.roll)
    palmar = np.cos(roll) * straight_down - np.sin(roll) * np.cross(along, straight_down)
    half_widths = np.array(measures.half_widths, dtype=float)
    flexion = np.cross(along, palmar)
    return Finger(name, joints, along, palmar, flexion, lengths, half_widths, measures.depth, point(*measures.start))


@cache
def skeleton() -> dict[str, Finger]:
    """Give the five fingers at rest, by name, in MANO's order. Shared: do not write into the arrays."""
    return {name: _finger(name, _MEASURES[name]) for name in FINGERS}


def rest_joints_mm() -> np.ndarray:
    """(16, 3) the joints at rest in MANO's order, wrist frame."""
    return np.concatenate([np.zeros((1, 3)), *(finger.joints_mm[:3] for finger in skeleton().values())])


def flexion_axes() -> np.ndarray:
    """(15, 3) the axis about which each joint bends, finger by finger in MANO's order."""
    return np.concatenate([finger.flexion for finger in skeleton().values()])


def template_to_wrist_mm(vertices_m: np.ndarray, side: str) -> np.ndarray:
    """Template coordinates (metres, MANO's frame) of either hand -> the right hand's wrist frame in mm."""
    mirror = np.array([1.0 if side == "right" else -1.0, 1.0, 1.0])
    return 1000 * (vertices_m * mirror - WRIST_M)


def wrist_mm_to_template(vertices_mm: np.ndarray) -> np.ndarray:
    """Right hand's wrist frame in mm -> template coordinates of the right hand in metres."""
    return vertices_mm / 1000 + WRIST_M
