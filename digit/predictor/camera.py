"""The camera of a picture, as far as it is known: focal length and principal point in px of the upright picture."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL.ExifTags import Base

from digit.run.errors import UserError
from digit.run.files import finite

FIELD_OF_VIEW_DEG = 60.0
"""Assumed across the longer side of a picture that says nothing of its lens."""
GIVEN, EXIF = "given", "exif"
ASSUMED = f"assumed field of view of {FIELD_OF_VIEW_DEG:.0f} degrees"

FILM_DIAGONAL_MM = math.hypot(36, 24)
"""Equivalent focal lengths are those that give the same field of view across the diagonal of 35 mm film."""
MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
"""Of EXIF's FocalPlaneResolutionUnit: inch, cm, mm, um."""
PLAUSIBLE_VIEWS_DEG = (2.0, 160.0)
"""Fields of view across the longer side that lenses have; other metadata are not believed."""


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


def exif_focal_px(tags: Mapping[int, Any], width: int, height: int) -> float | None:
    """Focal length that EXIF tags tell of a picture that was not cropped.

    From FocalLengthIn35mmFilm, else from FocalLength and the sensor's FocalPlaneXResolution.

    Args:
        tags: of the EXIF sub-directory, by number.
        width: of the picture in px.
        height: of the picture in px.

    Returns:
        px; None when the tags do not tell, or tell what no lens has.
    """
    values = {tag: finite(tags.get(tag)) or 0.0 for tag in _LENS_TAGS}
    longer, film_mm = max(width, height), values[Base.FocalLengthIn35mmFilm]
    taken_px = max(values[Base.ExifImageWidth], values[Base.ExifImageHeight]) or longer
    unit_mm = MM_PER_UNIT.get(int(values[Base.FocalPlaneResolutionUnit]), 0.0)
    px_per_mm = values[Base.FocalPlaneXResolution] / unit_mm * (longer / taken_px) if unit_mm else 0.0
    focal_px = film_mm * math.hypot(width, height) / FILM_DIAGONAL_MM or values[Base.FocalLength] * px_per_mm
    if focal_px <= 0:
        return None
    view_deg = math.degrees(2 * math.atan(longer / 2 / focal_px))
    return focal_px if PLAUSIBLE_VIEWS_DEG[0] <= view_deg <= PLAUSIBLE_VIEWS_DEG[1] else None


_LENS_TAGS = (
    Base.FocalLengthIn35mmFilm, Base.FocalLength, Base.FocalPlaneXResolution, Base.FocalPlaneResolutionUnit,
    Base.ExifImageWidth, Base.ExifImageHeight,
)  # fmt: skip
