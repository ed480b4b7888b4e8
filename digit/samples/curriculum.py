"""Which samples a training sees first: single hands that show their palm.

Left and right are the hardest thing to learn from views of palms and backs alike: a thumb on the left means one hand if
the palm is seen and the other if the back is, so that neither feature tells anything without the other, and a network
can see 50,000 samples without telling them apart. While palms prevail, the side of the thumb alone is right more often
than not; it is learnt within minutes, and the few backs that contradict it then teach the rest.
"""

from dataclasses import dataclass

import numpy as np

from digit.config import TrainingSettings
from digit.samples.index import SplitIndex
from digit.skeleton import HANDS, JOINT_NAMES, JOINTS_PER_HAND

FEW_BACKS = 0.3
"""Share of the single hands of the second stage that show their back."""
CLEARLY = 0.25
"""Cosine between the palm's normal and the view from which on a palm is seen without doubt."""
ROWS_AT_ONCE = 1 << 16

_WRIST, _INDEX, _PINKY = (JOINT_NAMES[:JOINTS_PER_HAND].index(f"r_{name}") for name in ("wrist", "index1", "pinky1"))


def palm_view(joints_cam_mm: np.ndarray) -> np.ndarray:
    """How much of its palm each hand shows.

    Args:
        joints_cam_mm: (n, 42, 3) in the camera's frame.

    Returns:
        (n, 2) cosine between the normal of the plane through wrist, index and little knuckle and the line of sight: 1
        for a palm seen from the front, -1 for the back of a hand.
    """
    hands = joints_cam_mm.reshape(len(joints_cam_mm), len(HANDS), JOINTS_PER_HAND, 3)
    wrist = hands[:, :, _WRIST]
    index, pinky = hands[:, :, _INDEX] - wrist, hands[:, :, _PINKY] - wrist
    normal, sight = np.cross(pinky, index), wrist + (index + pinky) / 3
    lengths = np.linalg.norm(normal, axis=-1) * np.linalg.norm(sight, axis=-1)
    cosine = (normal * sight).sum(axis=-1) / np.maximum(lengths, np.finfo(float).tiny)
    return cosine * [1, -1]


@dataclass(frozen=True)
class Curriculum:
    """Positions of the samples that the epochs of a training may draw from."""

    palms: np.ndarray
    few_backs: np.ndarray
    palm_epochs: int
    few_backs_epochs: int

    def __call__(self, epoch: int) -> np.ndarray | None:
        """Positions for an epoch, counted from 0; None for all."""
        if epoch < self.palm_epochs:
            return self.palms
        return self.few_backs if epoch < self.palm_epochs + self.few_backs_epochs else None


def curriculum_of(index: SplitIndex, rows: np.ndarray, training: TrainingSettings) -> Curriculum | None:
    """The curriculum of a training on index rows (n,); None where it has none, or the data have nothing to begin with.

    Single hands are chosen by :func:`palm_view`, and as many samples of two hands are drawn beside them.
    """
    if not training.palm_epochs and not training.few_backs_epochs:
        return None
    hands = index.hand_type[rows]
    view = np.full(len(rows), np.nan)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        joints_cam_mm, valid = index.seen_joints(rows[block])
        known = valid.reshape(-1, len(HANDS), JOINTS_PER_HAND)[:, :, [_WRIST, _INDEX, _PINKY]].all(axis=2)
        shown = np.where(known & hands[block], palm_view(joints_cam_mm), np.nan)
        single = hands[block].sum(axis=1) == 1
        view[block] = np.where(single, np.where(hands[block, 0], shown[:, 0], shown[:, 1]), np.nan)
    rng = np.random.default_rng((training.seed, len(rows)))
    clear, palms, backs = (np.flatnonzero(chosen) for chosen in (view > CLEARLY, view > 0, view <= 0))
    both = np.flatnonzero(hands.all(axis=1))
    few = _some(rng, backs, round(len(palms) * FEW_BACKS / (1 - FEW_BACKS)))
    if not len(clear) or not len(few):
        return None
    first, second = (
        np.sort(np.concatenate([single, _some(rng, both, len(single))]))
        for single in (clear, np.concatenate([palms, few]))
    )
    return Curriculum(first, second, training.palm_epochs, training.few_backs_epochs)


def _some(rng: np.random.Generator, positions: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of some positions."""
    return rng.choice(positions, min(count, len(positions)), replace=False)
