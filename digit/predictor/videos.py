"""Video files, picture by picture, upright and with the time of each."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from digit.run.errors import UserError

SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"})
USUAL_RATE_HZ = 30.0
"""Assumed of a video or camera that does not say how many pictures come in a second."""
PLAUSIBLE_RATES_HZ = (0.1, 1000.0)
MISSING_SHARE, MISSING_FRAMES = 0.02, 2
"""Frames that may be fewer than a file announces, which is often an estimate."""


class Frame(NamedTuple):
    """A picture of a video."""

    number: int
    """From 0."""
    time_s: float
    """Since the beginning."""
    pixels: np.ndarray
    """(H, W, 3) uint8 RGB, upright."""


class Video:
    """An open video file.

    Args:
        path: of the file.

    Raises:
        UserError: when it cannot be opened or shows nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise UserError(f"{path}: does not exist, or is no file; give a video")
        if path.stat().st_size == 0:
            raise UserError(f"{path}: is empty")
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        if not self._capture.isOpened():
            raise UserError(f"{path}: cannot be opened as a video; it is damaged, cut off or of an unknown kind")
        self.rate_hz = _rate_hz(self._capture)
        announced = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.announced = int(announced) if 0 < announced < 1e9 else 0
        """Frames that the file says to have; 0 if it does not say."""

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """All frames that can be read, once.

        Args:
            skip: frames at the beginning that are not wanted; they are read, because jumping is not exact.
        """
        last_s, number = -math.inf, 0
        try:
            while self._capture.grab():
                time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
                if not last_s < time_s < math.inf:
                    time_s = last_s + 1 / self.rate_hz if number else 0.0
                last_s, number = time_s, number + 1
                if number > skip:
                    readable, pixels = self._capture.retrieve()
                    if not readable:
                        return
                    yield Frame(number - 1, time_s, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        finally:
            self._capture.release()

    def missing(self, read: int) -> str | None:
        """A sentence when fewer frames could be read than there should be."""
        if read == 0:
            return f"{self.path}: shows no picture that can be read; it is damaged or cut off"
        if read < self.announced - max(MISSING_FRAMES, MISSING_SHARE * self.announced):
            return (
                f"{self.path}: ends after {read} of about {self.announced} pictures; it is damaged or cut off, and the "
                "results are those of its beginning"
            )
        return None


def _rate_hz(capture: cv2.VideoCapture) -> float:
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    return rate_hz if PLAUSIBLE_RATES_HZ[0] <= rate_hz <= PLAUSIBLE_RATES_HZ[1] else USUAL_RATE_HZ
