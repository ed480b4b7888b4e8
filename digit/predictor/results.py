"""Files that predictions leave: names that never meet, and how this program knows its own files again."""

import json
import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from digit import __version__
from digit.predictor.pictures import UNREADABLE
from digit.predictor.record import FORMAT
from digit.run.errors import UserError
from digit.run.files import replacing, write_json

SOFTWARE = f"digit {__version__}"
FORMATS = (FORMAT, "digit-pose")
"""Entry ``format`` of a pose file, this version's and earlier ones'."""
LINES_START = b'{"format":"digit.pose/'
"""How lines of JSON begin by which they are known."""
MARK, OVERLAY = "digit", "overlay"
"""Key and value of a PNG text by which an overlay is known."""
OVERLAY_SUFFIX, POSE_SUFFIX = ".overlay.png", ".pose.json"
LINES_SUFFIX, PARTIAL_SUFFIX = ".poses.jsonl", ".partial.jsonl"
"""Of the poses of a video, and of those of one that is not finished."""
LARGEST_POSE_BYTES = 1 << 20
LONGEST_NAME_BYTES = 255 - len("..overlay.webm.partial.webm")


def result_names(pictures: Iterable[str]) -> dict[str, str]:
    """A name for the results of each picture: its own without the suffix, or with it where two would share one.

    Two names differ in more than case and the way of writing accents, so that they are two files everywhere.

    Args:
        pictures: paths with slashes; folders stay in the names.
    """
    pictures = sorted(pictures)
    stems = {name: str(PurePosixPath(name).with_suffix("")) for name in pictures}
    claims = Counter(_folded(claim) for name in pictures for claim in {name, stems[name]})
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in pictures:
        chosen = stems[name] if claims[_folded(stems[name])] == 1 else name
        number = 2
        while _folded(chosen) in taken:
            chosen, number = f"{name}-{number}", number + 1
        taken.add(_folded(chosen))
        names[name] = chosen
    return names


def write_overlay(path: Path, image: np.ndarray) -> None:
    """Write a picture (H, W, 3) uint8 RGB as a PNG that :func:`is_own_overlay` knows."""
    info = PngInfo()
    info.add_text("Software", SOFTWARE)
    info.add_text(MARK, OVERLAY)
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary, "PNG", pnginfo=info, compress_level=1)


def write_pose(path: Path, record: dict[str, Any]) -> None:
    """Write what is known about a picture as JSON that :func:`is_own_pose` knows."""
    write_json(path, {"format": FORMAT, "software": SOFTWARE} | record)


def is_own_overlay(path: Path) -> bool:
    """Whether a file is an overlay that this program wrote."""

    def look() -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG",)) as image:
                return image.info.get(MARK) == OVERLAY

    return _succeeds(path, look)


def is_own_pose(path: Path) -> bool:
    """Whether a file is a pose that this program wrote."""

    def look() -> bool:
        return path.stat().st_size <= LARGEST_POSE_BYTES and json.loads(path.read_bytes())["format"] in FORMATS

    return path.suffix == ".json" and _succeeds(path, look)


def is_own_lines(path: Path) -> bool:
    """Whether a file holds lines that this program wrote for a video, or nothing yet."""

    def look() -> bool:
        with path.open("rb") as file:
            return LINES_START.startswith(file.read(len(LINES_START)))

    return path.name.endswith((LINES_SUFFIX, PARTIAL_SUFFIX)) and _succeeds(path, look)


def is_finished(base: Path, identity: str) -> bool:
    """Whether the results of a picture are there, made from the same file in the same way.

    Args:
        base: path of the results without their suffixes.
        identity: of file and settings, as the pose file has it.
    """
    pose = base.with_name(base.name + POSE_SUFFIX)

    def look() -> bool:
        return json.loads(pose.read_bytes()).get("identity") == identity

    return is_own_pose(pose) and is_own_overlay(base.with_name(base.name + OVERLAY_SUFFIX)) and _succeeds(pose, look)


def require_free(base: Path, kinds: Mapping[str, Callable[[Path], bool]] | None = None) -> None:
    """Refuse results that would take the place of files of somebody else's.

    Args:
        base: path of the results without their suffixes.
        kinds: what tells own files, by suffix; by default those of a picture.

    Raises:
        UserError: naming the file that is there.
    """
    if len(os.fsencode(base.name)) > LONGEST_NAME_BYTES:
        raise UserError(f"{base.name}: is too long a name for a result; rename the picture")
    for suffix, is_own in (kinds or {OVERLAY_SUFFIX: is_own_overlay, POSE_SUFFIX: is_own_pose}).items():
        path = base.with_name(base.name + suffix)
        if os.path.lexists(path) and not is_own(path):
            raise UserError(f"{path}: is there and was not written by digit; choose another --output, or move it away")


def as_text(name: str) -> str:
    """A file name for JSON; bytes that are no UTF-8 become question marks."""
    return os.fsencode(name).decode("utf-8", "replace")


def _succeeds(path: Path, look: Callable[[], bool]) -> bool:
    """The answer about a file; no when it is not the kind of file that has one."""
    try:
        return path.is_file() and look()  # opening a pipe would wait for its writer
    except UNREADABLE:
        return False


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
