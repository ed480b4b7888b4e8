"""Videos: crops of the next picture from the poses of the last one, so that hands are looked for only now and then."""

from dataclasses import dataclass

import numpy as np

from digit.detector.boxes import SAME_HAND, box_around, crops, overlap, union

LEAST_CONFIDENCE = 0.03
"""Mean confidence of a hand's joints below which it counts as lost: 19 of 20 hands have more
(a network of the preset ``small``).

So have many crops without any hand, which the network takes for hands: ``HandDetector.confirm`` tells them apart.
"""
LEAST_INSIDE = 0.5
"""Share of a hand's joints in the picture below which it counts as gone."""
TOUCHING = 0.1
"""Overlap from which on a detected crop confirms a tracked one."""


@dataclass(frozen=True)
class Next:
    """A crop of the next picture."""

    box_px: np.ndarray
    """(4,) x, y, w, h around the hands, as the detector's."""
    hands: np.ndarray
    """(1 or 2,) numbers of the hands that it follows."""


def still_there(
    joints_px: np.ndarray,
    probability: np.ndarray,
    confidence: np.ndarray,
    width: int,
    height: int,
    hand_threshold: float = 0.5,
    least_confidence: float = LEAST_CONFIDENCE,
) -> np.ndarray:
    """Which hands of the last picture can be followed: probable, sure of their joints, and not out of the picture.

    Args:
        joints_px: (h, 21, 2) of all hands of all crops.
        probability: (h,) that the hand is there.
        confidence: (h, 21) of the joints, from 0 to 1.
        width: of the picture in px.
        height: of the picture in px.
        hand_threshold: less probable hands are lost.
        least_confidence: hands whose joints have less on average are lost.

    Returns:
        (h,) bool; with none left, hands have to be detected again.
    """
    inside = ((joints_px >= 0) & (joints_px <= [width - 1, height - 1])).all(axis=-1).mean(axis=-1)
    sure = confidence.mean(axis=-1) >= least_confidence
    return (probability >= hand_threshold) & sure & (inside >= LEAST_INSIDE)


def next_crops(joints_px: np.ndarray, right: np.ndarray, width: int, height: int) -> list[Next]:
    """Crops that follow hands: hands that come near one another share a crop, those that part get their own.

    Args:
        joints_px: (h, 21, 2) of the hands to follow, the surest first.
        right: (h,) bool, whether it is a right hand. Of hands of one side in the same place only the first is followed.
        width: of the picture in px.
        height: of the picture in px.
    """
    boxes_px = box_around(joints_px, width, height)
    other_side = right[:, None] != right[None]
    twins = (overlap(boxes_px, boxes_px) >= SAME_HAND) & ~other_side
    kept = np.flatnonzero(~np.tril(twins, -1).any(axis=1) & (boxes_px[:, 2:].min(axis=1) >= 1))
    groups = (kept[group] for group in crops(boxes_px[kept], other_side[np.ix_(kept, kept)]))
    return [Next(union(boxes_px[hands]), hands) for hands in groups]


def match(tracked_px: np.ndarray, found_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare tracked crops (n, 4) with those (m, 4) that the detector found in the same picture.

    Returns:
        (n,) bool, which tracked crops the detector confirms, and (m,) bool, which of its crops are new.
    """
    touching = overlap(tracked_px, found_px) >= TOUCHING
    return np.any(touching, axis=1), ~np.any(touching, axis=0)
