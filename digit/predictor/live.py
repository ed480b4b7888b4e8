"""A camera of this machine: its pictures as they come, and their results as lines of JSON."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from digit.predictor.camera import Intrinsics
from digit.predictor.engine import Picture, Result
from digit.predictor.pose_lines import line_of
from digit.predictor.predictor import Box
from digit.run.errors import UserError, refusal


def camera_frames(number: int) -> Iterator[np.ndarray]:
    """Pictures (H, W, 3) uint8 RGB of a camera, the latest one each time.

    Args:
        number: of the camera, from 0.

    Raises:
        UserError: when there is no such camera, or it stops.
    """
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise UserError(f"camera {number}: there is none, or another program uses it; --camera 0 is the first one")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        while True:
            readable, pixels = capture.read()
            if not readable:
                raise UserError(f"camera {number}: gives no more pictures; is it still connected?")
            yield cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def live_pictures(
    frames: Iterable[np.ndarray], name: str, focal_px: float | None = None, boxes_px: Sequence[Box] | None = None
) -> Iterator[Picture]:
    """Frames (H, W, 3) uint8 RGB as pictures with their number and the seconds since the first.

    Args:
        frames: as they come.
        name: of their source.
        focal_px: focal length in px; None assumes a field of view.
        boxes_px: of all pictures; None has hands found and followed.
    """
    start_s = None
    for number, pixels in enumerate(frames):
        now_s = time.monotonic()
        start_s = now_s if start_s is None else start_s
        height, width = pixels.shape[:2]
        yield Picture(pixels, name, boxes_px, Intrinsics.of(width, height, focal_px), number, now_s - start_s)


def write_live(
    stream: Callable[[Picture], Result], pictures: Iterable[Picture], path: Path, most: int | None = None
) -> Iterator[Result]:
    """Predict pictures one after the other; each result is a line of a file before it is given.

    Args:
        stream: a :class:`digit.predictor.stream.Stream`.
        pictures: as they come.
        path: of the file, which must not exist.
        most: pictures after which to end; None goes on.

    Raises:
        UserError: when the file is there or cannot be written, or the camera stops.
    """
    try:
        with path.open("xb") as file:
            for picture in islice(pictures, most):
                result = stream(picture)
                file.write(line_of(result))
                file.flush()
                yield result
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({refusal(error)})") from error
