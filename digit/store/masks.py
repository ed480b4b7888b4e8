"""Part masks as PNG files."""

import cv2
import numpy as np

PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
)
"""Masks are flat areas: run lengths alone give the smallest files, and in the least time."""


def encode_mask(mask: np.ndarray) -> bytes:
    """Encode labels (H, W) uint8 as PNG."""
    return cv2.imencode(".png", mask, PNG_OPTIONS)[1].tobytes()


def pixels_per_hand(mask: np.ndarray, first_left_label: int) -> np.ndarray:
    """(2,) pixels that show the right and the left hand, of labels (H, W)."""
    left = np.count_nonzero(mask >= first_left_label)
    return np.array([np.count_nonzero(mask) - left, left])
