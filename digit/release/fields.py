"""Turn lists of parsed JSON records into arrays, naming each record that does not fit.

The common case, thousands of records that are all well-formed, costs one array conversion a field; only when that
fails is each record looked at alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit.release.problems import Problems
from digit.skeleton import HAND_TYPES

INT32_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1
SMALLEST_BOX_PX, FARTHEST_BOX_PX = 0.01, 100_000
FARTHEST = 1e9
"""Largest number of any kind; in every unit that a file may be in, what is beyond it is none of a hand's."""
LONGEST_NAME = 511
"""Bytes of the longest key of an LMDB file."""
SHOWN_CHARACTERS = 40
HAND_FLAGS = dict(zip(HAND_TYPES, ((True, False), (False, True), (True, True)), strict=True))
"""[right, left] of each hand type."""


@dataclass(frozen=True)
class Field:
    """What a record must hold under ``name``."""

    name: str
    description: str
    convert: Callable[[list[Any]], np.ndarray | None]
    """An array of all values, or None when one does not fit."""
    sample: Any
    """A value that fits."""
    remedy: str = ""
    """What can be done about one that does not, besides reading the file again."""

    def empty(self) -> np.ndarray:
        """Return the array of no values."""
        array = self.convert([self.sample])
        assert array is not None
        return array[:0]


def numbers(name: str, *shape: int, positive: bool = False) -> Field:
    """Describe finite numbers of a shape."""

    def convert(values: list[Any]) -> np.ndarray | None:
        array = _array(values, shape, "if")
        if array is None or not (np.abs(array) <= FARTHEST).all() or (positive and not (array > 0).all()):
            return None
        return array.astype(np.float64)

    kind = "positive numbers" if positive else "numbers"
    return Field(name, f"{'x'.join(map(str, shape))} {kind} up to {FARTHEST:g}", convert, np.ones(shape).tolist())


def integer(name: str, minimum: int = 0, maximum: int = INT64_MAX) -> Field:
    """Describe a whole number that its column can hold."""

    def convert(values: list[Any]) -> np.ndarray | None:
        array = _array(values, (), "i")
        return array if array is not None and ((array >= minimum) & (array <= maximum)).all() else None

    return Field(name, f"a whole number from {minimum} to {maximum}", convert, minimum)


def box(name: str) -> Field:
    """Describe a box x, y, width, height in px: near enough and large enough to cut a picture out."""
    plain = numbers(name, 4)

    def convert(values: list[Any]) -> np.ndarray | None:
        array = plain.convert(values)
        if array is None or (np.abs(array) > FARTHEST_BOX_PX).any() or (array[:, 2:] < SMALLEST_BOX_PX).any():
            return None
        return array

    limits = f"within {FARTHEST_BOX_PX} px, sizes from {SMALLEST_BOX_PX} px"
    return Field(name, f"4 numbers (x, y, width, height; {limits})", convert, plain.sample)


def flags(name: str, *shape: int) -> Field:
    """Describe 0, 1, false or true."""

    def convert(values: list[Any]) -> np.ndarray | None:
        array = _array(values, shape, "bif")
        return array.astype(bool) if array is not None and ((array == 0) | (array == 1)).all() else None

    return Field(
        name, f"{'x'.join(map(str, shape))} of 0 or 1" if shape else "0 or 1", convert, np.ones(shape).tolist()
    )


def text(name: str) -> Field:
    """Describe text that is not empty and has no zero byte."""

    def convert(values: list[Any]) -> np.ndarray | None:
        if not all(isinstance(value, str) and value and "\0" not in value for value in values):
            return None
        return np.array([value.encode() for value in values])

    return Field(name, "text without zero bytes", convert, "text")


def relative_path(name: str) -> Field:
    """Describe a path below some folder, with forward slashes, that the stores can take as a name."""
    plain = text(name)

    def convert(values: list[Any]) -> np.ndarray | None:
        array = plain.convert(values)
        if array is None or array.itemsize > LONGEST_NAME:
            return None
        odd = any(value.startswith("/") or "\\" in value or ".." in value.split("/") for value in values)
        return None if odd else array

    description = f"a relative path without zero bytes, backslashes or .., of at most {LONGEST_NAME} bytes"
    return Field(name, description, convert, "path", "rename the file, with / between folders, here and on the disk")


def hand_type(name: str) -> Field:
    """Describe right, left or interacting, as two flags."""

    def convert(values: list[Any]) -> np.ndarray | None:
        if not all(isinstance(value, str) and value in HAND_FLAGS for value in values):
            return None
        return np.array([HAND_FLAGS[value] for value in values])

    return Field(name, " or ".join(HAND_TYPES), convert, "right")


def read_fields(
    records: Sequence[Any], names: Sequence[str], fields: Sequence[Field], file: Path, remedy: str, problems: Problems
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Convert records to one array a field.

    Args:
        records: parsed JSON objects.
        names: how to name each of them to a person.
        fields: what each must hold.
        file: where they come from.
        remedy: what to do about a record that does not fit.
        problems: receives every record and field that does not fit.

    Returns:
        Arrays by field name, without the faulty records, and (n,) int64 places of the sound ones.
    """
    sound = np.ones(len(records), bool)
    objects = [record if isinstance(record, dict) else {} for record in records]
    columns: dict[str, np.ndarray] = {}
    for field in fields:
        values = [record.get(field.name) for record in objects]
        array = field.convert(values) if values else None
        if array is not None:
            columns[field.name] = array
        elif values:
            faulty = [place for place, value in enumerate(values) if field.convert([value]) is None]
            sound[faulty] = False
            problem = f"{field.name} is missing or is not {field.description}"
            mending = f"{field.remedy}; or {remedy}" if field.remedy else remedy
            problems.error(file, problem, mending, [_with_value(names[place], values[place]) for place in faulty])
    places = np.flatnonzero(sound)
    if len(columns) == len(fields):
        return columns, places
    kept = [objects[place] for place in places]
    return {field.name: _required(field, [record[field.name] for record in kept]) for field in fields if kept}, places


def _with_value(name: str, value: Any) -> str:
    """Name a record and the beginning of its faulty value, if it has one."""
    if value is None:
        return name
    shown, size = repr(value), len(str(value).encode(errors="replace"))
    shown = f"{size} bytes, {shown}" if isinstance(value, str) and size > LONGEST_NAME else shown
    return f"{name}: {shown[:SHOWN_CHARACTERS]}{'...' if len(shown) > SHOWN_CHARACTERS else ''}"


def _required(field: Field, values: list[Any]) -> np.ndarray:
    array = field.convert(values)
    assert array is not None, field.name
    return array


def _array(values: list[Any], shape: tuple[int, ...], kinds: str) -> np.ndarray | None:
    """Return the values as an array (n, *shape) whose type is one of ``kinds``, else None."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError):
        return None
    if array.shape != (len(values), *shape) or array.dtype.kind not in kinds:
        return None
    return array if "b" in kinds or not _holds_flag(values, array) else None


def _holds_flag(values: list[Any], array: np.ndarray) -> bool:
    """Whether a false or true became a 0 or 1 of ``array``; what has another value is a number."""
    for place in np.argwhere((array == 0) | (array == 1)).tolist():
        value: Any = values
        for index in place:
            value = value[index]
        if isinstance(value, bool):
            return True
    return False
