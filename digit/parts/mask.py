"""What drawing or taking over a part mask gives, sample by sample."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from digit.samples.fits import FitTable


class PartMask(NamedTuple):
    """The mask of one sample; axes of length 2 are [right, left]."""

    place: int
    """Of the sample in its shard."""
    png: bytes | None
    """One channel of labels, as large as the image; None where no hand has a fit."""
    fitted: np.ndarray
    """(2,) bool: a hand fit exists, so the mask shows the hand."""
    error_mm: np.ndarray
    """(2,) mean distance between regressed and annotated valid joints; NaN where it is unknown."""
    pixels: np.ndarray
    """(2,) pixels that show the hand."""


def noted(masks: Iterable[PartMask], table: FitTable) -> Iterator[tuple[int, bytes]]:
    """Yield place and PNG of each mask that exists, and note all of them in ``table``."""
    for mask in masks:
        table.fitted[mask.place], table.error_mm[mask.place] = mask.fitted, mask.error_mm
        table.pixels[mask.place] = mask.pixels
        if mask.png is not None:
            yield mask.place, mask.png
