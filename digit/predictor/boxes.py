"""Hand boxes: x and y of the upper left corner, width, height, in px of the upright picture."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digit import geometry
from digit.run.errors import UserError
from digit.run.files import read_json

FARTHEST_PX = 1e6
"""Beyond, the float32 numbers of a crop's map lose the pixel."""
SHAPE = "four numbers x, y, width, height in px, with width and height of at least 1 and all within a million"
REMEDY = 'give {"photo.jpg": [x, y, width, height], ...}; several crops of a picture are a list of boxes'


def read_boxes(path: Path) -> dict[str, Any]:
    """Read boxes by picture name; each is looked at when its picture comes.

    Raises:
        UserError: when the file is no JSON object, or holds two boxes for one picture.
    """
    document = read_json(path, REMEDY)
    if not isinstance(document, dict):
        raise UserError(f"{path}: is not a JSON object of boxes; {REMEDY}")
    try:
        pairs = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=list)
    except RecursionError as error:
        raise UserError(f"{path}: is nested too deeply for boxes; {REMEDY}") from error
    counts = Counter(_key(name) for name, _ in pairs)
    twins = ", ".join(repr(name) for name, count in counts.items() if count > 1)
    if twins:
        raise UserError(f"{path}: holds more than one box for {twins}; keep one for each picture")
    return {_key(name): box for name, box in document.items()}


def boxes_of(boxes: dict[str, Any], name: str) -> list[Any]:
    """What a box file says of a picture: one box, or a list of them.

    Raises:
        UserError: when it says nothing.
    """
    if _key(name) not in boxes:
        raise UserError(f"{name}: has no box in the box file; add one, or leave the box file out")
    given = boxes[_key(name)]
    several = isinstance(given, list) and given and all(isinstance(one, list) for one in given)
    return given if several else [given]


def parse_box(words: str) -> list[float]:
    """A box from ``"x,y,width,height"``.

    Raises:
        UserError: when these are not four numbers.
    """
    try:
        box = [float(word) for word in words.split(",")]
    except ValueError as error:
        raise UserError(f"the box {words!r} is not {SHAPE}; write --box 310,120,240,200") from error
    if len(box) != 4 or not all(_is_number(value) for value in box):
        raise UserError(f"the box {words!r} is not {SHAPE}; write --box 310,120,240,200")
    if min(box[2:]) < 1:
        raise UserError(f"the box {words!r} is {box[2]:g} px wide and {box[3]:g} px high; both must be at least 1")
    return box


def unused_boxes(boxes: dict[str, Any], names: Iterable[str]) -> list[str]:
    """Names in a box file that no picture has."""
    return sorted(boxes.keys() - {_key(name) for name in names})


def crop_box(width: int, height: int, box: Sequence[float] | np.ndarray | None) -> np.ndarray:
    """The square (4,) px to crop: a box enlarged x1.25 as in training, or what holds the whole picture.

    Raises:
        UserError: when the box is none, or does not touch the picture.
    """
    if box is None:
        return geometry.square_box(np.array([0.0, 0.0, width, height]), enlarge=1.0)
    numbers = box.tolist() if hasattr(box, "tolist") else box
    whole = isinstance(numbers, list | tuple) and len(numbers) == 4
    if not whole or not all(_is_number(value) for value in numbers) or min(numbers[2:]) < 1:
        raise UserError(f"the box {numbers!r} is not {SHAPE}")
    x, y, w, h = (float(value) for value in numbers)
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        shown = ", ".join(f"{value:g}" for value in (x, y, w, h))
        raise UserError(
            f"the box [{shown}] does not touch the picture, which is {width} x {height} px when it is upright; "
            "boxes are x, y of the upper left corner, width, height"
        )
    return geometry.square_box(np.array([x, y, w, h]))


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a box may have; NaN is not within anything."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FARTHEST_PX


def _key(name: str) -> str:
    """A name in one of the two ways in which file systems and editors write accents."""
    return unicodedata.normalize("NFC", name)
