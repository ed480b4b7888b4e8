"""What the original's scripts prepare, read without rendering or packing anything again.

| file | content |
| --- | --- |
| ``interhand.lmdb`` | ``<split>/<file name>``: PNG that OpenCV decodes to R, G, B (others: red and blue swapped) |
| ``segm_32.lmdb`` | ``<split>/<file name>``, ending in .png: PNG of labels 0 to 32, the same in every channel |
| ``cache/meta_dict_<split>.pkl`` | ``{<split>/<file name>: {right_fit_err, left_fit_err (mm or None), imsize}}`` |

Both stores are LMDB folders. Names are also found without the split, below ``images/`` or ``segms/``, and masks under
the image's ending.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from digit.data.ahead import map_ahead
from digit.data.lmdb_file import LmdbFile
from digit.errors import UserError
from digit.pickles import as_array, load_data_pickle
from digit.skeleton import LABEL_COUNT

IMAGES_REMEDY = "set data.image_lmdb to the interhand.lmdb of the original, or to null to read the JPEG files"
MASKS_REMEDY = "set data.mask_lmdb to the segm_32.lmdb of the original, or to null to draw the masks"
FITS_REMEDY = "set data.fit_cache to the folder with meta_dict_<split>.pkl, or data.mask_lmdb to null to draw the masks"
_ENCODE_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)


@dataclass(frozen=True)
class FitCache:
    """Fit errors of n samples as the original measured them; axes of length 2 are [right, left]."""

    listed: np.ndarray
    """(n,) bool: the file knows the sample."""
    fitted: np.ndarray
    """(n, 2) bool: a hand fit exists."""
    error_mm: np.ndarray
    """(n, 2) NaN where there is no fit or the error is unknown."""


class OriginalStore:
    """Images or masks of one split in a store of the original.

    Raises:
        UserError: when the store is missing or damaged.
    """

    def __init__(self, path: Path, split: str, remedy: str) -> None:
        self.path, self._file = path, LmdbFile(path, remedy)
        self._prefixes = [f"{split}/", "", f"images/{split}/", f"segms/{split}/"]

    def find(self, name: str) -> bytes | None:
        """Value of an image's file name, or None."""
        png = str(PurePosixPath(name).with_suffix(".png"))
        for prefix in self._prefixes:
            for ending in (name, png):
                value = self._file.get(f"{prefix}{ending}".encode())
                if value is not None:
                    return value
        return None

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of the file names that are not here."""
        return [name for name in names if self.find(name) is None]


def read_images(
    store: OriginalStore, names: Sequence[str], widths: Sequence[int], heights: Sequence[int]
) -> Iterator[bytes | str]:
    """Images as PNG with red, green and blue where every reader expects them, or why there is none."""

    def read(item: tuple[str, int, int]) -> bytes | str:
        name, width, height = item
        content = store.find(name)
        if content is None:
            return f"missing in {store.path}"
        image = _decode(content, cv2.IMREAD_COLOR)
        if image is None:
            return "does not decode"
        if image.shape[:2] != (height, width):
            return f"{image.shape[1]}x{image.shape[0]} px, annotated as {width}x{height}"
        return cv2.imencode(".png", image[..., ::-1], _ENCODE_FAST)[1].tobytes()

    return map_ahead(read, list(zip(names, widths, heights, strict=True)))


def read_labels(content: bytes, name: str, width: int, height: int) -> tuple[np.ndarray, int]:
    """Labels (H, W) uint8 of a mask, and how many pixels had one that does not exist and became background.

    Raises:
        UserError: when it does not decode, has another size, or is no mask.
    """
    mask = _decode(content, cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise UserError(f"{name}: its mask does not decode; {MASKS_REMEDY}")
    if mask.ndim == 3:
        if (mask[..., :3] != mask[..., :1]).any():
            raise UserError(f"{name}: its mask is a colour picture, not labels; {MASKS_REMEDY}")
        mask = mask[..., 0]
    if mask.shape != (height, width) or mask.dtype != np.uint8:
        found = f"{mask.shape[1]}x{mask.shape[0]} {mask.dtype}"
        raise UserError(f"{name}: its mask is {found}, expected {width}x{height} uint8; {MASKS_REMEDY}")
    strange = mask >= LABEL_COUNT
    return np.where(strange, 0, mask).astype(np.uint8), int(np.count_nonzero(strange))


def read_fit_cache(folder: Path, split: str, names: Sequence[str]) -> FitCache:
    """Fit errors of image file names.

    Raises:
        UserError: when the file is missing, damaged, wants to run code, or has another content.
    """
    path = folder / f"meta_dict_{split}.pkl"
    content = load_data_pickle(path, FITS_REMEDY)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, expected a dict by image; {FITS_REMEDY}")
    listed, errors, fitted = (
        np.zeros(len(names), bool),
        np.full((len(names), 2), np.nan),
        np.zeros((len(names), 2), bool),
    )
    for row, name in enumerate(names):
        entry = content.get(f"{split}/{name}", content.get(name))
        if entry is None:
            continue
        listed[row] = True
        for side, key in enumerate(("right_fit_err", "left_fit_err")):
            error = _number(path, name, entry, key)
            fitted[row, side] = error is not None
            errors[row, side] = np.nan if error is None else error
    return FitCache(listed, fitted, errors)


def _number(path: Path, name: str, entry: Any, key: str) -> float | None:
    try:
        value = entry[key]
        return None if value is None else float(as_array(value))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: {name} has no usable {key} ({error!r}); {FITS_REMEDY}") from error


def _decode(content: bytes, flags: int) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
