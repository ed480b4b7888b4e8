"""Hand poses beyond the natural grip: fingers that point, count and sign, and named postures with some liberty."""

import numpy as np

from digit.hand.open_hand.anatomy import FINGERS, LONG_FINGERS
from digit.hand.open_hand.posing import (
    LIMITS_DEG,
    NAMED_POSES,
    OVERLAP_TOLERANCE_MM,
    THUMB_LIBERTY,
    THUMB_POSTURES,
    sample_pose,
    self_overlap_mm,
)

SIGN_SHARE, NAMED_SHARE = 0.35, 0.15
"""Shares of poses with each finger stretched or bent for itself, and of named postures; the rest is natural."""

CANDIDATES, ROUNDS = 6, 4
"""Poses drawn at once, of which the first free of overlap is taken, and how often before giving up."""

LIBERTY_DEG = np.array([9.0, 3.5, 3.0, 10.0, 7.0])
"""Standard deviation around a named posture, by column of ``ANGLES``."""


def draw_gesture(rng: np.random.Generator) -> np.ndarray:
    """Draw a pose whose digits stay out of each other: (5, 5) degrees within ``LIMITS_DEG``."""
    kind = rng.random()
    if kind < SIGN_SHARE + NAMED_SHARE:
        draw = _sign if kind < SIGN_SHARE else _named
        for _ in range(ROUNDS):
            poses = np.stack([draw(rng) for _ in range(CANDIDATES)])
            free = np.flatnonzero(self_overlap_mm(poses) <= OVERLAP_TOLERANCE_MM)
            if len(free):
                return poses[free[0]]
    return sample_pose(rng)


def near_posture(rng: np.random.Generator, name: str) -> np.ndarray:
    """(5, 5) degrees around one of ``NAMED_POSES``, within limits; digits may touch."""
    angles = NAMED_POSES[name] + rng.normal(0, 1, (5, 5)) * LIBERTY_DEG
    return np.clip(angles, LIMITS_DEG[..., 0], LIMITS_DEG[..., 1])


def _named(rng: np.random.Generator) -> np.ndarray:
    return near_posture(rng, str(rng.choice(list(NAMED_POSES))))


def _sign(rng: np.random.Generator) -> np.ndarray:
    """Each long finger stretched, half bent or bent for itself, as in pointing and counting; any thumb."""
    angles = np.zeros((5, 5))
    for name in LONG_FINGERS:
        row = FINGERS.index(name)
        low, high = LIMITS_DEG[row].T
        bend = rng.choice([rng.uniform(0, 0.2), rng.uniform(0.25, 0.7), rng.uniform(0.75, 1.0)], p=[0.45, 0.15, 0.4])
        angles[row, 0] = low[0] + (high[0] - low[0]) * np.clip(bend * 0.85 + rng.uniform(0.0, 0.25), 0, 1)
        angles[row, 3] = high[3] * np.clip(bend + rng.normal(0, 0.06), 0, 1)
        angles[row, 4] = np.clip(0.62 * angles[row, 3] + rng.normal(0, 6), low[4], high[4])
        angles[row, 1] = rng.uniform(low[1], high[1]) * (1 - np.clip((angles[row, 0] - 10) / 60, 0, 1))
    low, high = LIMITS_DEG[FINGERS.index("thumb")].T
    mix = rng.dirichlet(np.full(len(THUMB_POSTURES), 0.4)) @ THUMB_POSTURES
    angles[FINGERS.index("thumb")] = np.clip(mix + rng.normal(0, THUMB_LIBERTY), low, high)
    return angles
