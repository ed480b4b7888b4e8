"""Packing images the plain way: every JPEG is decoded and stored as PNG, each put into one LMDB."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import lmdb

MAP_BYTES = 1 << 40


def pack(folder: Path, names: Sequence[str], target: Path) -> None:
    """Write the images ``names`` below ``folder`` as PNG into the LMDB ``target``."""
    with lmdb.open(str(target), map_size=MAP_BYTES, subdir=False) as environment:
        with environment.begin(write=True) as transaction:
            for name in names:
                picture = cv2.imread(str(folder / name))
                transaction.put(name.encode(), cv2.imencode(".png", picture)[1].tobytes())
