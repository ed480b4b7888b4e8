"""Jitter and lag of the One-Euro filter, on moving hands whose true joints are known.

``python -m bench.smoothing``: hands of the embedded model that rest, move between sampled poses, wave across the picture
and rest again, at 30 frames a second, with noise as a network leaves it. Jitter is the second difference from frame to
frame of what is wrong with a joint; lag the delay by which true joints fit the filtered ones best.
"""

import numpy as np

from digit.hand.mano import load_hands
from digit.hand.open_hand.posing import pose_vector, sample_poses
from digit.predictor.hand_tracks import hand_sizes
from digit.predictor.one_euro import BETA, MIN_CUTOFF_HZ, OneEuro

RATE_HZ, SIZE_PX = 30.0, 200.0
NOISE = 0.02
"""Of a joint, in sizes of the hand."""
WAVES_PER_S, WAVE_SIZES = 0.8, 1.0
"""Of the hand to and fro, and how far to each side, in sizes of the hand."""
DELAYS = np.arange(0, 8, 0.05)
"""In frames."""


def true_joints_px(rng: np.random.Generator, seconds: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Joints (n, 21, 2) px, and which frames (n,) are at rest: the first and the last quarter."""
    count = int(seconds * RATE_HZ)
    angles = sample_poses(rng, 2)
    time = np.linspace(0, 1, count)
    moving = (time > 0.25) & (time < 0.75)
    since_s = np.clip(time - 0.25, 0, 0.5) * seconds
    share = (0.5 - 0.5 * np.cos(2 * np.pi * WAVES_PER_S * since_s))[:, None, None]
    poses = np.stack([pose_vector((1 - s) * angles[0] + s * angles[1], "right") for s in share])
    joints_mm = load_hands().joints("right", poses)[..., :2]
    joints_px = joints_mm * (SIZE_PX / hand_sizes(joints_mm[:1])[0])
    joints_px[..., 0] += WAVE_SIZES * SIZE_PX * np.sin(2 * np.pi * WAVES_PER_S * since_s)[:, None]
    return joints_px, ~moving
