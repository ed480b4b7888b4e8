"""Overlay videos: VP8 in WebM, which every browser plays, or MPEG-4 where OpenCV cannot write it."""

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from digit.run.errors import UserError
from digit.run.files import replacing

WEBM, MP4 = ".overlay.webm", ".overlay.mp4"
KINDS = {WEBM: ("VP80", b"\xec\x8d"), MP4: ("mp4v", b"\0\0\0\x15free")}
"""By suffix: the code of the compression, and the head of the empty element at the end of the file that holds
:data:`MARK`; players leave it out."""
MARK = b"digit overlay"
LEFT_OVER = (".overlay.webm.partial.webm", ".overlay.mp4.partial.mp4")
"""How the names of videos end that nobody finished."""


@functools.cache
def video_suffix() -> str:
    """Suffix of the overlay videos that this machine can write."""
    with tempfile.TemporaryDirectory() as folder:
        trial = cv2.VideoWriter()
        _open(trial, Path(folder) / "trial.webm", WEBM, 25, (32, 32))
        works = trial.isOpened()
        trial.release()
    return WEBM if works else MP4


@contextlib.contextmanager
def writing_video(path: Path, rate_hz: float) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that adds a picture (H, W, 3) uint8 RGB, of one size all, to a video that appears when it is whole.

    Args:
        path: with a suffix of :data:`KINDS`.
        rate_hz: pictures in a second.

    Raises:
        UserError: when it cannot be written.
    """
    suffix = next(suffix for suffix in KINDS if path.name.endswith(suffix))
    writer, count = cv2.VideoWriter(), 0
    with replacing(path) as temporary:
        growing = temporary.with_name(temporary.name + path.suffix)  # by which OpenCV knows the container

        def add(image: np.ndarray) -> None:
            nonlocal count
            if count == 0:
                size = (image.shape[1], image.shape[0])
                _open(writer, growing, suffix, rate_hz, size)
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            count += 1

        try:
            yield add
            writer.release()
            _require_whole(path, growing, count)
            with growing.open("ab") as file:
                file.write(KINDS[suffix][1] + MARK)
            growing.replace(temporary)
        finally:
            writer.release()
            growing.unlink(missing_ok=True)


def is_own_video(path: Path) -> bool:
    """Whether a file is an overlay video that this program wrote, or was writing when it was killed."""
    if path.name.startswith(".") and path.name.endswith(LEFT_OVER):
        return True
    if not path.name.endswith(tuple(KINDS)) or not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(MARK)))
        return file.read() == MARK


def _open(writer: cv2.VideoWriter, path: Path, suffix: str, rate_hz: float, size: tuple[int, int]) -> None:
    """Begin a video, without OpenCV's line about a code that WebM has no place for."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        writer.open(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*KINDS[suffix][0]), rate_hz, size)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _require_whole(path: Path, written: Path, count: int) -> None:
    """Refuse a video that is not on the disk, of which OpenCV says nothing."""
    capture = cv2.VideoCapture(str(written), cv2.CAP_FFMPEG)
    found = capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
    capture.release()
    if count == 0 or found < count - 1:
        raise UserError(f"{path}: cannot be written, {found:.0f} of {count} pictures arrived; is the disk full?")
