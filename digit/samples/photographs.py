"""Photographs from folders or installed packages, to stand behind hands or to lend their spectra."""

from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

from digit.run.errors import UserError

SUFFIXES = (".jpg", ".jpeg")
UNSUITABLE = ("pexels-2560067.jpg", "pexels-36444540.jpg")
"""Files of the packages named in docs/synthetic.md that are no surroundings: a footballer, a drawn room."""

SHORTEST_PX = 480
"""Photographs are kept with a shorter side of about this; backgrounds need no more."""

KEPT = 64
"""Photographs that a process remembers, about a megabyte each."""

SHARE = 5
"""Of every so many photographs one is for validation and one for testing; training never sees those."""


@cache
def photo_files(sources: tuple[str, ...], split: str, key: str = "synthetic.photos") -> tuple[Path, ...]:
    """The photographs of one split, sorted by name; no photograph is in two of them.

    Args:
        sources: folders, or names of installed packages.
        split: ``train``, ``val`` or ``test``.
        key: of the configuration, for messages.

    Raises:
        UserError: a source is neither, or holds no JPEG.
    """
    found = [path for source in sources for path in _jpegs(source, key) if path.name not in UNSUITABLE]
    turn = {"val": SHARE - 2, "test": SHARE - 1}
    chosen = [
        path
        for k, path in enumerate(found)
        if (k % SHARE == turn[split] if split in turn else k % SHARE not in turn.values())
    ]
    return tuple(chosen)


@lru_cache(maxsize=KEPT)
def read_photo(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, shrunk.

    Raises:
        UserError: when the file is no picture.
    """
    photo = cv2.imread(str(path))
    if photo is None:
        raise UserError(f"{path}: cannot be decoded; take it out of the folder with photographs")
    factor = min(SHORTEST_PX / min(photo.shape[:2]), 1.0)
    photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(photo[..., ::-1])


def cut_out(rng: np.random.Generator, photo: np.ndarray, width: int, height: int) -> np.ndarray:
    """A random part of a photograph, upright or turned, mirrored or not: (height, width, 3) uint8."""
    rows, columns = photo.shape[:2]
    cover = min(rows / height, columns / width)
    scale = cover * np.exp(rng.uniform(np.log(0.35), 0))
    turn = rng.normal(0, 0.12) if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear[:, 0] *= rng.choice([-1.0, 1.0])
    reach = scale * np.array([width, height]) / 2
    centre = np.array([columns, rows]) / 2 + rng.uniform(-1, 1, 2) * np.maximum([columns / 2, rows / 2] - reach, 0)
    shift = centre - linear @ (width / 2, height / 2)
    affine = np.column_stack([linear, shift])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, affine, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def _jpegs(source: str, key: str) -> list[Path]:
    """JPEG files below a folder or of an installed package, sorted."""
    folder = Path(source)
    if folder.is_dir():
        files = [path for path in folder.rglob("*") if path.is_file()]
    else:
        try:
            listed = metadata.files(source) or []
        except metadata.PackageNotFoundError as error:
            raise UserError(
                f"{key}: {source} is neither a folder nor an installed package; install it "
                f"(pip install {source}), correct the name, or take it out of the list"
            ) from error
        files = [Path(str(file.locate())) for file in listed]
    found = sorted(path for path in files if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{key}: {source} holds no JPEG file; name a folder or package with photographs")
    return found
