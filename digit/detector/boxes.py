"""Boxes (x, y, w, h in px) around the joints of hands, and which hands are cropped together."""

import numpy as np

MARGIN = 1.2
"""InterHand2.6M's boxes are the box around the joints, enlarged by this about its centre and cut at the picture."""
SAME_HAND = 0.6
"""Overlap from which on two boxes are taken for one hand, found twice."""
NEAR = 0.5
"""Hands closer than this, in sides of the larger one's box, are cropped together."""
ALIKE = 2.5
"""Hands that differ more in size are at different distances: two people's, or a mistake."""


def overlap(boxes_px: np.ndarray, others_px: np.ndarray) -> np.ndarray:
    """Intersection over union (n, m) of boxes (n, 4) with others (m, 4); 0 where neither has an area."""
    low = np.maximum(boxes_px[:, None, :2], others_px[None, :, :2])
    high = np.minimum(_high(boxes_px)[:, None], _high(others_px)[None])
    both = np.prod(np.clip(high - low, 0, None), axis=-1)
    either = np.prod(boxes_px[:, None, 2:], axis=-1) + np.prod(others_px[None, :, 2:], axis=-1) - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def box_around(points_px: np.ndarray, width: int, height: int, margin: float = MARGIN) -> np.ndarray:
    """Boxes (..., 4) around points (..., N, 2) as InterHand2.6M's annotations make them, within the picture.

    Points outside of the picture count; a box that lies outside altogether has width or height 0.
    """
    low, high = points_px.min(axis=-2), points_px.max(axis=-2)
    centre, half = (low + high) / 2, (high - low) / 2 * margin
    limit = np.array([width - 1, height - 1])
    low, high = np.clip(centre - half, 0, limit), np.clip(centre + half, 0, limit)
    return np.concatenate([low, high - low], axis=-1)


def union(boxes_px: np.ndarray) -> np.ndarray:
    """The box (4,) that holds boxes (n, 4)."""
    low = boxes_px[:, :2].min(axis=0)
    return np.concatenate([low, _high(boxes_px).max(axis=0) - low])


def distinct(boxes_px: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Numbers of the boxes (n, 4) that are left when of those about one hand only the best remains, best first."""
    alike = overlap(boxes_px, boxes_px) >= SAME_HAND
    kept: list[int] = []
    for number in np.argsort(-score, kind="stable"):
        if not alike[number, kept].any():
            kept.append(int(number))
    return np.array(kept, dtype=int)


def crops(boxes_px: np.ndarray, may_pair: np.ndarray | bool = True) -> list[np.ndarray]:
    """Numbers of the one or two hands of each crop, in order: those that touch or are near for their size, in pairs.

    Args:
        boxes_px: (n, 4) of single hands. The nearest ones, for their size, are paired first.
        may_pair: (n, n) bool, symmetric: False where two hands can be no pair.
    """
    first, second = np.triu_indices(len(boxes_px), 1)
    gap = np.maximum(boxes_px[first, :2], boxes_px[second, :2]) - np.minimum(
        _high(boxes_px)[first], _high(boxes_px)[second]
    )
    side = boxes_px[:, 2:].max(axis=1)
    larger, smaller = np.maximum(side[first], side[second]), np.minimum(side[first], side[second])
    # Of hands that touch, the gap is 0: those whose centres are nearest belong together.
    centres_px = boxes_px[:, :2] + boxes_px[:, 2:] / 2
    apart = np.linalg.norm(centres_px[first] - centres_px[second], axis=1) / larger
    near = (np.linalg.norm(np.clip(gap, 0, None), axis=1) <= NEAR * larger) & (larger <= ALIKE * smaller)
    near &= np.broadcast_to(may_pair, (len(boxes_px),) * 2)[first, second]
    alone, pairs = np.ones(len(boxes_px), bool), []
    for pair in np.argsort(apart, kind="stable"):
        ends = [first[pair], second[pair]]
        if near[pair] and alone[ends].all():
            alone[ends] = False
            pairs.append(np.sort(ends))
    return sorted([*pairs, *np.flatnonzero(alone)[:, None]], key=lambda hands: int(hands[0]))


def _high(boxes_px: np.ndarray) -> np.ndarray:
    """Lower right corners (n, 2)."""
    return boxes_px[:, :2] + boxes_px[:, 2:]
