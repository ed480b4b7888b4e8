"""Palms from the first network's answer: anchors, decoding and suppression.

The network answers for fixed anchors, as in SSD (Liu et al., ECCV 2016): a grid of cells for each of its resolutions,
with several guesses a cell. A guess is a square around a palm and seven points of it, relative to the cell's centre.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from digit import geometry
from digit.detector.boxes import overlap

GRIDS = ((24, 2), (12, 6))
"""Cells to a side, and guesses for each cell."""
WRIST, MIDDLE_KNUCKLE = 0, 2
"""Of the seven points, those that say which way a hand points."""
SAME_PALM = 0.3
"""Overlap of guesses that are about one palm."""


@dataclass(frozen=True)
class Palms:
    """Palms in one picture, the most probable first."""

    boxes_px: np.ndarray
    """(n, 4) x, y, w, h of squares around the palms without fingers, upright."""
    wrist_px: np.ndarray
    """(n, 2) middle of the wrist."""
    knuckle_px: np.ndarray
    """(n, 2) base of the middle finger."""
    score: np.ndarray
    """(n,) from 0 to 1."""


def anchors() -> np.ndarray:
    """Centres (2016, 2) of the cells that the network's guesses belong to, x and y as shares of its picture."""
    grids = []
    for cells, guesses in GRIDS:
        y, x = np.indices((cells, cells))
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(centres, guesses, axis=0))
    return np.concatenate(grids)


def letterbox(image: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit a picture (H, W, 3) into the middle of a black square.

    Returns:
        the square (side, side, 3) and the affine map (2, 3) from its px to the picture's.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (side - w) // 2, (side - h) // 2
    square = np.zeros((side, side, 3), np.uint8)
    shrinks = scale < 1
    square[top : top + h, left : left + w] = cv2.resize(
        image, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    # Sides of pixels, not their centres, are scaled: a pixel's centre lies half a pixel inside.
    step = np.array([width / w, height / h])
    shift = (0.5 - np.array([left, top])) * step - 0.5
    return square, np.concatenate([np.diag(step), shift[:, None]], axis=1)


def decode(guesses: np.ndarray, logits: np.ndarray, side: int, least_score: float) -> Palms:
    """Turn the network's answer into palms, several for each hand, in px of its picture.

    Args:
        guesses: (2016, 18) centre x, y, width, height, then seven points x, y; px, relative to the anchors.
        logits: (2016,) of there being a palm.
        side: of the network's picture in px.
        least_score: guesses below it are left out.
    """
    score = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    kept = np.flatnonzero(score >= least_score)
    kept = kept[np.argsort(-score[kept], kind="stable")]
    centres_px = anchors()[kept] * side - 0.5
    sizes_px = guesses[kept, 2:4].astype(np.float64)
    points_px = guesses[kept, 4:].reshape(-1, 7, 2) + centres_px[:, None]
    corners_px = guesses[kept, :2] + centres_px - sizes_px / 2
    boxes_px = np.concatenate([corners_px, sizes_px], axis=1)
    return Palms(boxes_px, points_px[:, WRIST], points_px[:, MIDDLE_KNUCKLE], score[kept])


def suppress(palms: Palms, same: float = SAME_PALM) -> Palms:
    """One palm instead of many that overlap the best of them: their mean, weighted by score, with the best score."""
    rows, scores = [], []
    table = np.concatenate([palms.boxes_px, palms.wrist_px, palms.knuckle_px], axis=1)
    likeness = overlap(palms.boxes_px, palms.boxes_px)
    left = np.ones(len(table), bool)
    for best in range(len(table)):
        if left[best]:
            members = left & (likeness[best] >= same)
            members[best] = True
            rows.append(np.average(table[members], axis=0, weights=palms.score[members]))
            scores.append(palms.score[best])
            left &= ~members
    merged = np.reshape(rows, (-1, 8))
    return Palms(merged[:, :4], merged[:, 4:6], merged[:, 6:], np.array(scores))


def to_picture(palms: Palms, square_to_picture: np.ndarray) -> Palms:
    """Palms in px of the picture, by the map (2, 3) of :func:`letterbox`."""
    step = np.diagonal(square_to_picture[:, :2])
    corners_px = geometry.apply_map(square_to_picture, palms.boxes_px[:, :2])
    return Palms(
        boxes_px=np.concatenate([corners_px, palms.boxes_px[:, 2:] * step], axis=1),
        wrist_px=geometry.apply_map(square_to_picture, palms.wrist_px),
        knuckle_px=geometry.apply_map(square_to_picture, palms.knuckle_px),
        score=palms.score,
    )
