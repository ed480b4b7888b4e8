"""Pictures as a browser shows them, large beside the page and small inside it."""

from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from digit.pages.files import PICTURE_START
from digit.pages.inline import data_uri, encode
from digit.run.files import replacing

LARGE_PX, SMALL_PX = 1280, 200
"""Longer side at most."""
LARGE_QUALITY, SMALL_QUALITY = 85, 50


def save_view(path: Path, image: np.ndarray) -> None:
    """Keep a picture (H, W, 3) uint8 RGB for a page; its own file may be of a kind that browsers do not show."""
    with replacing(path) as temporary:
        temporary.write_bytes(large(image))


def large(image: np.ndarray) -> bytes:
    """A picture (H, W, 3) as the JPEG that a page shows."""
    content = encode(fitting(image, LARGE_PX), "jpeg", LARGE_QUALITY)
    return PICTURE_START + content[2:]


def read_thumbnail(path: Path) -> str:
    """What :func:`save_view` kept, made small, as a link that holds it."""
    picture = simplejpeg.decode_jpeg(path.read_bytes(), "RGB", min_width=SMALL_PX, min_height=SMALL_PX)
    return data_uri(encode(fitting(picture, SMALL_PX), "webp", SMALL_QUALITY), "webp")


def fitting(image: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W, 3) uint8, made smaller where its longer side has more px than that."""
    factor = side / max(image.shape[:2])
    if factor >= 1:
        return image
    size = tuple(max(1, round(length * factor)) for length in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
