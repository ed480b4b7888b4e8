"""Forearms and sleeves, so that hands do not end at the wrist in the pictures."""

from functools import cache
from itertools import pairwise

import numpy as np

SIDES = 64
"""Vertices around the rim of the open hand's fine skin, continued along the arm."""

STATIONS_MM = np.array([0.0, 2, 5, 9, 14, 20, 28, 40, 60, 85, 115, 150, 190, 240, 300, 380, 480])
"""Distances behind the wrist's rim of the rings of vertices."""

SLEEVE_GAP_MM = 4.5

ARM_RADIUS_MM, CHECKED_ARM_MM = 27.0, 260.0
"""Radius of a bare arm, and how much of it must keep clear of the other hand."""

ELBOW_PULL = np.array([0.0, 0.35, 0.25])
"""Forearms lean this much down and back, towards the body."""


@cache
def tube_faces(rings: int, side: str) -> np.ndarray:
    """Faces (F, 3), wound outwards, of a tube of ``rings`` rings of ``SIDES`` vertices, open at both ends."""
    ring, spoke = np.meshgrid(np.arange(rings - 1), np.arange(SIDES), indexing="ij")
    here, beside = ring * SIDES + spoke, ring * SIDES + (spoke + 1) % SIDES
    quads = np.stack([here, beside, here + SIDES, beside, beside + SIDES, here + SIDES], axis=-1)
    faces = quads.reshape(-1, 3)
    return faces[:, [0, 2, 1]] if side == "right" else faces


def wrist_axis(rim_mm: np.ndarray, fingers_mm: np.ndarray) -> np.ndarray:
    """Unit vector (3,) out of the wrist, normal to its rim (R, 3) and away from ``fingers_mm`` (3,)."""
    middle = rim_mm.mean(axis=0)
    normal = np.cross(rim_mm - np.roll(rim_mm, 1, axis=0), rim_mm - middle).sum(axis=0)
    normal = normal / np.linalg.norm(normal)
    return -normal if normal @ (fingers_mm - middle) > 0 else normal


def lean(rng: np.random.Generator, hand_axis: np.ndarray) -> np.ndarray:
    """Draw the unit vector (3,) from wrist to elbow of a hand whose wrist points along ``hand_axis``."""
    axis = hand_axis + ELBOW_PULL + rng.normal(0, 0.12, 3)
    return axis / np.linalg.norm(axis)


def runs_into(wrist_mm: np.ndarray, elbow_axis: np.ndarray, others_mm: np.ndarray) -> bool:
    """Whether an arm from ``wrist_mm`` (3,) along ``elbow_axis`` (3,) hits any of the points ``others_mm`` (N, 3)."""
    along = np.clip((others_mm - wrist_mm) @ elbow_axis, ARM_RADIUS_MM, CHECKED_ARM_MM)
    distance = np.linalg.norm(others_mm - wrist_mm - along[:, None] * elbow_axis, axis=1)
    return bool(distance.min() < ARM_RADIUS_MM)


def forearm(
    rim_mm: np.ndarray,
    hand_axis: np.ndarray,
    elbow_axis: np.ndarray,
    stations_mm: np.ndarray = STATIONS_MM,
    bend_mm: float = 60.0,
    swelling: float = 0.35,
) -> np.ndarray:
    """Vertices (rings * SIDES, 3) of a bare forearm, the first ring on the rim.

    Args:
        rim_mm: (SIDES, 3) loop of vertices around the wrist.
        hand_axis: (3,) unit vector from the fingers to the wrist.
        elbow_axis: (3,) unit vector towards the elbow; the arm bends from one to the other.
        stations_mm: distances of the rings behind the rim, rising from 0.
        bend_mm: length over which the arm bends at the wrist.
        swelling: how much thicker than the wrist the arm is 20 cm behind it.
    """
    place = rim_mm.mean(axis=0)
    section = rim_mm - place
    rings = [rim_mm]
    for before, station in pairwise(stations_mm):
        bend = np.clip(station / bend_mm, 0, 1)
        axis = (1 - bend) * hand_axis + bend * elbow_axis
        axis = axis / np.linalg.norm(axis)
        place = place + (station - before) * axis
        flat = section - np.clip(station / 10, 0, 1) * np.outer(section @ axis, axis)
        lengths = np.linalg.norm(flat, axis=1, keepdims=True)
        rounding = 0.5 * np.clip(station / 150, 0, 1)
        girth = 1 + swelling * np.clip(station / 200, 0, 1) ** 1.2
        rings.append(place + girth * flat * (1 + rounding * (lengths.mean() / lengths - 1)))
    return np.concatenate(rings)


def arm_colors(rim_colors: np.ndarray) -> np.ndarray:
    """Albedo (rings * SIDES, 3) of a bare forearm: that of the rim (SIDES, 3), fading into its mean."""
    fade = np.clip(STATIONS_MM / 60, 0, 1)[:, None, None]
    return ((1 - fade) * rim_colors + fade * rim_colors.mean(axis=0)).reshape(-1, 3).astype(np.float32)


def sleeve(arm_mm: np.ndarray, cuff_mm: float, folds: np.ndarray) -> np.ndarray:
    """Vertices of a sleeve around a forearm from ``cuff_mm`` behind the wrist on; ``folds`` (K,) are phases."""
    rings = arm_mm.reshape(len(STATIONS_MM), SIDES, 3)
    return sleeve_rings(rings[np.searchsorted(STATIONS_MM, cuff_mm) :], folds).reshape(-1, 3)


def sleeve_rings(rings: np.ndarray, folds: np.ndarray, looseness_mm: float = 0.0) -> np.ndarray:
    """Cloth (R, SIDES, 3) around an arm's ``rings`` of the same shape, ``looseness_mm`` wider than need be."""
    centres = rings.mean(axis=1, keepdims=True)
    outwards = rings - centres
    outwards = outwards / np.linalg.norm(outwards, axis=2, keepdims=True)
    angle = np.arange(SIDES) * 2 * np.pi / SIDES
    along = np.arange(len(rings))[:, None]
    wrinkles = sum(
        np.sin((k + 2) * angle + phase + (1.1 + 0.7 * k) * along) / (k + 1.5) for k, phase in enumerate(folds)
    )
    gap_mm = SLEEVE_GAP_MM + looseness_mm
    return rings + outwards * (gap_mm + 0.9 * wrinkles + 0.4 * along)[..., None]
