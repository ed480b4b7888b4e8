"""How problems of annotations name units, frames, cameras and samples."""

import math

import numpy as np

from digit.release.interhand import Columns, texts

UNITS = {1000.0: "m", 100.0: "dm", 25.4: "inches", 10.0: "cm", 0.001: "micrometres"}
"""Factors to mm."""
CAMERA_RULE = "X_cam = camrot (X_world - campos), u = focal X/Z + princpt"


def factor_words(ratio: float, keys: str) -> str:
    """Say which unit's factor comes near what ``keys`` must be multiplied by; nothing when none does."""
    if not 0 < ratio < math.inf:
        return ""
    factor = min(UNITS, key=lambda known: abs(math.log(ratio / known)))
    near = 0.5 < ratio / factor < 2
    return f"multiply {keys} by {factor:g} ({UNITS[factor]} to mm); or " if near else ""


def name_frames(columns: Columns, rows: np.ndarray) -> list[str]:
    """Name rows (n,) of the frames table."""
    pairs = zip(columns["frame_capture"][rows].tolist(), columns["frame_number"][rows].tolist(), strict=True)
    return [f"capture {capture} frame {frame}" for capture, frame in pairs]


def name_cameras(columns: Columns, rows: np.ndarray) -> list[str]:
    """Name rows (n,) of the cameras table."""
    pairs = zip(columns["camera_capture"][rows].tolist(), texts(columns["camera_name"][rows]), strict=True)
    return [f"capture {capture} camera {name}" for capture, name in pairs]


def name_boxes(columns: Columns, rows: np.ndarray) -> list[str]:
    """Name samples (n,) with their boxes."""
    pairs = zip(columns["annot_id"][rows].tolist(), columns["box_px"][rows].round(1).tolist(), strict=True)
    return [f"id {number}: {box_px}" for number, box_px in pairs]
