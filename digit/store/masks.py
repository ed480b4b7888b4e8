"""Part masks as PNG files: one channel of 8-bit labels, in one block of data without a filter."""

import cv2
import numpy as np
from zlib_ng import zlib_ng

PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
)
"""Masks are flat areas: run lengths alone give the smallest files, and in the least time."""

_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_GREY_8_BIT = b"\x08\0\0\0\0"
_DATA = 41
"""Offset of the content of the first block after the header."""
_TRAILER_BYTES = 16
"""Checksum of the block, and the closing block."""
_LARGEST_RATIO = 1032
"""Of deflate: a larger size in the header cannot be true."""


def encode_mask(mask: np.ndarray) -> bytes:
    """Encode labels (H, W) uint8 as PNG."""
    return cv2.imencode(".png", mask, PNG_OPTIONS)[1].tobytes()


def decode_mask(png: bytes) -> np.ndarray | None:
    """Decode what :func:`encode_mask` wrote, more than ten times as fast as a general PNG reader.

    Returns:
        (H, W) uint8, read-only, rows not contiguous; None when it is damaged or a PNG of another kind.
    """
    if len(png) < _DATA + _TRAILER_BYTES or png[:16] != _START or png[24:29] != _GREY_8_BIT or png[37:41] != b"IDAT":
        return None
    width, height, size = (int.from_bytes(png[place : place + 4]) for place in (16, 20, 33))
    count = height * (width + 1)
    if len(png) < _DATA + size + _TRAILER_BYTES or _LARGEST_RATIO * size < count:
        return None
    try:
        content = zlib_ng.decompress(memoryview(png)[_DATA : _DATA + size], bufsize=count)
    except zlib_ng.error:  # type: ignore[misc]  # its stub calls the class an instance
        return None
    if len(content) != count:
        return None
    rows = np.frombuffer(content, np.uint8).reshape(height, width + 1)
    return None if rows[:, 0].any() else rows[:, 1:]  # each row begins with its filter


def pixels_per_hand(mask: np.ndarray, first_left_label: int) -> np.ndarray:
    """(2,) pixels that show the right and the left hand, of labels (H, W)."""
    left = np.count_nonzero(mask >= first_left_label)
    return np.array([np.count_nonzero(mask) - left, left])
