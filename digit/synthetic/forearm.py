"""Forearms and sleeves, so that hands do not end at the wrist in the pictures."""

from functools import cache

import numpy as np

SIDES = 32
STATIONS_MM = np.array([-10.0, -4, 2, 8, 16, 26, 40, 60, 85, 115, 150, 190, 235, 285])
"""Distances behind the wrist's rim of the rings of vertices."""

SLEEVE_GAP_MM = 4.5


@cache
def tube_faces(rings: int, side: str) -> np.ndarray:
    """Faces (F, 3), wound outwards, of a tube of ``rings`` rings of ``SIDES`` vertices, open at both ends."""
    ring, spoke = np.meshgrid(np.arange(rings - 1), np.arange(SIDES), indexing="ij")
    here, beside = ring * SIDES + spoke, ring * SIDES + (spoke + 1) % SIDES
    quads = np.stack([here, beside, here + SIDES, beside, beside + SIDES, here + SIDES], axis=-1)
    faces = quads.reshape(-1, 3)
    return faces if side == "right" else faces[:, [0, 2, 1]]


def forearm(rim_mm: np.ndarray, hand_axis: np.ndarray, elbow_axis: np.ndarray) -> np.ndarray:
    """Vertices (rings * SIDES, 3) of a bare forearm.

    Args:
        rim_mm: (R, 3) loop of vertices around the wrist.
        hand_axis: (3,) unit vector from the fingers to the wrist.
        elbow_axis: (3,) unit vector towards the elbow; the arm bends from one to the other.
    """
    around = np.linspace(0, len(rim_mm), SIDES, endpoint=False)
    closed = np.concatenate([rim_mm, rim_mm[:1]])
    rim = np.stack([np.interp(around, np.arange(len(closed)), closed[:, k]) for k in range(3)], axis=1)
    centre = rim.mean(axis=0)
    section = rim - centre
    section = section - np.outer(section @ hand_axis, hand_axis)
    rings, place = [], centre + STATIONS_MM[0] * hand_axis
    for before, station in zip(STATIONS_MM[:1].tolist() + STATIONS_MM[:-1].tolist(), STATIONS_MM, strict=True):
        bend = np.clip(station / 60, 0, 1)
        axis = (1 - bend) * hand_axis + bend * elbow_axis
        axis = axis / np.linalg.norm(axis)
        place = place + (station - before) * axis
        girth = 0.955 + 0.35 * np.clip(station / 200, 0, 1) ** 1.2
        across = section - np.outer(section @ axis, axis)
        round_off = np.clip(station / 150, 0, 1) * 0.5
        lengths = np.linalg.norm(across, axis=1, keepdims=True)
        across = across * (1 + round_off * (lengths.mean() / lengths - 1))
        rings.append(place + girth * across)
    return np.concatenate(rings)


def sleeve(arm_mm: np.ndarray, cuff_mm: float, folds: np.ndarray) -> np.ndarray:
    """Vertices of a sleeve around a forearm from ``cuff_mm`` behind the wrist on; ``folds`` (K,) are phases."""
    rings = arm_mm.reshape(len(STATIONS_MM), SIDES, 3)
    rings = rings[np.searchsorted(STATIONS_MM, cuff_mm) :]
    centres = rings.mean(axis=1, keepdims=True)
    outwards = rings - centres
    outwards = outwards / np.linalg.norm(outwards, axis=2, keepdims=True)
    angle = np.arange(SIDES) * 2 * np.pi / SIDES
    along = np.arange(len(rings))[:, None]
    wrinkles = sum(
        np.sin((k + 2) * angle + phase + (1.1 + 0.7 * k) * along) / (k + 1.5) for k, phase in enumerate(folds)
    )
    return (rings + outwards * (SLEEVE_GAP_MM + 0.9 * wrinkles + 0.4 * along)[..., None]).reshape(-1, 3)
