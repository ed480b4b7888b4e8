"""The camera of a picture, as far as it is known: focal length and principal point in px of the upright picture."""

import math
from dataclasses import dataclass

import numpy as np

from digit.run.errors import UserError

FIELD_OF_VIEW_DEG = 60.0
"""Assumed across the longer side of a picture that says nothing of its lens."""
GIVEN, EXIF = "given", "exif"
ASSUMED = f"assumed field of view of {FIELD_OF_VIEW_DEG:.0f} degrees"


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without distortion."""

    focal_px: np.ndarray
    """(2,) along x and y."""
    princpt_px: np.ndarray
    """(2,) pixel centres at integers."""
    focal_from: str
    """``given``, ``exif``, or the assumption in words."""

    @classmethod
    def of(cls, width: int, height: int, focal_px: float | None = None, focal_from: str = GIVEN) -> "Intrinsics":
        """Camera of a picture of this size whose axis goes through the middle.

        Args:
            width: of the upright picture in px.
            height: of the upright picture in px.
            focal_px: focal length in px; None assumes :data:`FIELD_OF_VIEW_DEG` across the longer side.
            focal_from: where the focal length comes from.

        Raises:
            UserError: when the focal length is no positive number.
        """
        if focal_px is None:
            focal_px = max(width, height) / 2 / math.tan(math.radians(FIELD_OF_VIEW_DEG) / 2)
            focal_from = ASSUMED
        if not (math.isfinite(focal_px) and focal_px > 0):
            raise UserError(f"focal length {focal_px}: give a positive number of px")
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        return cls(np.full(2, float(focal_px)), middle, focal_from)
