"""What the original's scripts prepare, read without rendering or packing anything again.

| file | content |
| --- | --- |
| ``interhand.lmdb`` | ``<split>/<file name>``: PNG that OpenCV decodes to R, G, B (others: red and blue swapped) |
| ``segm_32.lmdb`` | ``<split>/<file name>``, ending in .png: PNG of labels 0 to 32, the same in every channel |
| ``cache/meta_dict_<split>.pkl`` | ``{<split>/<file name>: {right_fit_err, left_fit_err (mm or None), imsize}}`` |

Both stores are LMDB folders. Names are also found without the split, below ``images/`` or ``segms/``, and masks under
the image's ending.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import cv2
import numpy as np

from digit.run.errors import UserError
from digit.run.pickles import as_array, load_data_pickle
from digit.skeleton import LABEL_COUNT
from digit.store.lmdb_file import LmdbFile
from digit.store.png import find_png_damage, is_png
from digit.store.prefetch import map_ahead

IMAGES_REMEDY = "set data.image_lmdb to the interhand.lmdb of the original, or to null to read the JPEG files"
MASKS_REMEDY = "set data.mask_lmdb to the segm_32.lmdb of the original, or to null to draw the masks"
FITS_REMEDY = "set data.fit_cache to the folder with meta_dict_<split>.pkl, or data.mask_lmdb to null to draw the masks"
OUR_HEADER = b"__header__"
"""A key that our own stores have, and those of the original have not."""
JUDGED = 32
"""Images by which a store is judged."""
_ENCODE_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)
_FILES = {"images": "interhand.lmdb", "masks": "segm_32.lmdb"}
_KEYS = {"images": "data.image_lmdb", "masks": "data.mask_lmdb"}
_REMEDIES = {"images": IMAGES_REMEDY, "masks": MASKS_REMEDY}
_FOLDERS = {"images": "images", "masks": "segms"}


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
        UserError: when the store is missing or damaged, or is another thing.
    """

    def __init__(self, path: Path, split: str, kind: Literal["images", "masks"]) -> None:
        self.path, self.remedy = path, _REMEDIES[kind]
        if path.is_dir() and not (path / "data.mdb").exists():
            raise UserError(f"{path}: {_inside(path, kind)}")
        self._file = LmdbFile(path, self.remedy)
        if self._file.get(OUR_HEADER) is not None:
            raise UserError(f"{path}: is a digit store, made by `digit images` or `digit parts`; {self.remedy}")
        self._prefixes = [f"{split}/", "", f"{_FOLDERS[kind]}/{split}/"]
        self._png = kind == "masks"

    def find(self, name: str) -> bytes | None:
        """Value of an image's file name, or None."""
        return self._find(name, None)

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of the file names that are not here."""
        return [name for name in names if self._find(name, 0) is None]

    def _find(self, name: str, past: int | None) -> bytes | None:
        endings = (name, str(PurePosixPath(name).with_suffix(".png"))) if self._png else (name,)
        for prefix in self._prefixes:
            for ending in endings:
                value = self._file.get_part(f"{prefix}{ending}".encode(), 0, past)
                if value is not None:
                    return value
        return None


def _inside(folder: Path, kind: str) -> str:
    """What a folder without data.mdb is, and what to set instead."""
    found = (*folder.glob("*/data.mdb"), *folder.glob("*/*/data.mdb"))
    stores = sorted(path.parent.relative_to(folder) for path in found)
    if not stores:
        return f"is a folder without a data.mdb, so it is no store; {_REMEDIES[kind]}"
    wanted = next((path for path in stores if path.name == _FILES[kind]), stores[0])
    return f"is the folder around {', '.join(map(str, stores))}; set {_KEYS[kind]} to {folder / wanted}"


def require_pictures(store: OriginalStore, names: Sequence[str]) -> None:
    """Refuse a store of masks that is given as one of images, by a few images of a split.

    Masks are grey and no brighter than the last label. A single picture may be, too; not all of several.

    Raises:
        UserError: when it holds masks.
    """
    judged = [names[k] for k in np.unique(np.linspace(0, len(names) - 1, min(JUDGED, len(names))).astype(int))]
    decoded = [_decode(store.find(name) or b"", cv2.IMREAD_COLOR) for name in judged]
    images = [image for image in decoded if image is not None]
    if images and all(image.max() < LABEL_COUNT and (image == image[..., :1]).all() for image in images):
        raise UserError(
            f"{store.path}: holds masks, no pictures: the {len(images)} that were looked at are grey throughout and no "
            f"brighter than {max(image.max() for image in images)}; {store.remedy}"
        )


def read_images(
    store: OriginalStore,
    names: Sequence[str],
    widths: Sequence[int],
    heights: Sequence[int],
    suspects: Collection[str] = (),
) -> Iterator[bytes | str]:
    """Images as PNG whose red and blue are swapped, as the original stores them, or why there is none.

    PNG come as they are; their checksums are compared, and those of ``suspects`` are decoded. Anything else that
    OpenCV reads becomes PNG.
    """

    def read(item: tuple[str, int, int]) -> bytes | str:
        name, width, height = item
        content = store.find(name)
        if content is None:
            return f"missing in {store.path}"
        if not is_png(content):
            image = _decode(content, cv2.IMREAD_COLOR)
            if image is None:
                return "does not decode"
            content = cv2.imencode(".png", image, _ENCODE_FAST)[1].tobytes()
        found = find_png_damage(content, width, height)
        if found is None and name in suspects and _decode(content, cv2.IMREAD_COLOR) is None:
            found = "does not decode"
        return found or content

    return map_ahead(read, list(zip(names, widths, heights, strict=True)))


def read_labels(content: bytes, width: int, height: int) -> tuple[np.ndarray, int] | str:
    """Labels (H, W) uint8 of a mask, and how many pixels had one that does not exist and became background.

    Or, when it does not decode, has another size, or is no mask: what is wrong with it.
    """
    mask = _decode(content, cv2.IMREAD_UNCHANGED)
    if mask is None:
        return "does not decode"
    if mask.ndim == 3:
        if (mask[..., :3] != mask[..., :1]).any():
            return "is a colour picture, not labels"
        mask = mask[..., 0]
    if mask.shape != (height, width) or mask.dtype != np.uint8:
        return f"is {mask.shape[1]}x{mask.shape[0]} {mask.dtype}, expected {width}x{height} uint8"
    strange = mask >= LABEL_COUNT
    return np.where(strange, 0, mask).astype(np.uint8), int(np.count_nonzero(strange))


def read_fit_cache(folder: Path, split: str, names: Sequence[str]) -> FitCache:
    """Fit errors of image file names.

    Raises:
        UserError: when the file is missing, damaged, wants to run code, has another content, or none of the names.
    """
    path = folder / f"meta_dict_{split}.pkl"
    if folder.is_file():
        raise UserError(f"{folder}: is a file, and the folder that holds {path.name} is wanted; {FITS_REMEDY}")
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
            error = _fit_error(path, name, entry, key)
            fitted[row, side] = error is not None
            errors[row, side] = np.nan if error is None else error
    if names and not listed.any():
        known = f"its first key is {next(iter(content))!r}" if content else "it is empty"
        raise UserError(
            f"{path}: lists none of {len(names)} samples such as {split}/{names[0]}; {known}; {FITS_REMEDY}"
        )
    return FitCache(listed, fitted, errors)


def _fit_error(path: Path, name: str, entry: Any, key: str) -> float | None:
    try:
        value = entry[key]
        if value is None:
            return None
        array = as_array(value)
        if array.size != 1:
            raise ValueError(f"{array.size} numbers instead of one")
        number = float(array.reshape(-1)[0])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: {name} has no usable {key} ({error!r}); {FITS_REMEDY}") from error
    if number < 0 or math.isinf(number):
        raise UserError(f"{path}: {name} has {key} {number:g}; an error in mm is 0 or more, or NaN; {FITS_REMEDY}")
    return number


def _decode(content: bytes, flags: int) -> np.ndarray | None:
    """Decode a picture; None where there is none, or a header that asks for more pixels than OpenCV allows."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error:
        return None
