"""Read JSON files of any size record by record, in bounded memory.

The annotation files of InterHand2.6M are up to a gigabyte of small records, which as Python objects are ten
times that. A compiled scanner finds where the records begin and end; then a few thousand at a time are parsed.
"""

import contextlib
import gc
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import orjson

from digit.run.errors import UserError

RECORDS_PER_CHUNK = 4096
_DEEPEST = 2
_USUAL_BYTES_PER_RECORD = 200
QUOTE, BACKSLASH, COLON, COMMA = 34, 92, 58, 44
OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = 91, 93, 123, 125


@dataclass(frozen=True)
class JsonFile:
    """A scanned JSON file: its containers (lists and objects) down to ``_DEEPEST`` levels, in order of appearance.

    Container 0 is the whole document.
    """

    path: Path
    remedy: str
    content: mmap.mmap | bytes
    parent: np.ndarray
    """(M,) row of the container that a container stands in, -1 for the document."""
    start: np.ndarray
    """(M,) offset of its opening bracket."""
    end: np.ndarray
    """(M,) offset past its closing bracket."""
    key_start: np.ndarray
    """(M,) offset of its key's opening quote, -1 within a list."""

    def members(self, parent: int = 0) -> np.ndarray:
        """Rows of the containers that stand directly in container ``parent``."""
        return np.flatnonzero(self.parent == parent)

    def key(self, row: int) -> str:
        """Key under which a container stands in its parent; empty within a list."""
        if self.key_start[row] < 0:
            return ""
        text = self.content[self.key_start[row] : self.start[row]]
        return self._parse(text[: text.rindex(b":")].rstrip())

    def chunks(self, parent: int = 0) -> Iterator[list[Any] | dict[str, Any]]:
        """Parse what stands in container ``parent``, some thousands of records at a time.

        Anything between records that is none, such as null, comes with them; a container without any record gives
        nothing.

        Yields:
            A list of records, or a dict of them when the container is an object.
        """
        rows = self.members(parent)
        frame = b"{%b}" if self.content[self.start[parent]] == OPEN_OBJECT else b"[%b]"
        begin = self.start[parent] + 1
        for first in range(0, len(rows), RECORDS_PER_CHUNK):
            last = first + RECORDS_PER_CHUNK >= len(rows)
            end = self.end[parent] - 1 if last else self.end[rows[first + RECORDS_PER_CHUNK - 1]]
            text = self.content[begin:end].lstrip()
            if first:  # the comma after the last chunk; without one, what is parsed is no JSON either
                text = text[1:] if text.startswith(b",") else b"," + text
            yield self._parse(frame % text)
            begin = end

    def _parse(self, text: bytes) -> Any:
        try:
            with _no_garbage_collection():
                return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise UserError(f"{self.path}: is not valid JSON ({error}); it is damaged; {self.remedy}") from error


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Pause the collector: it would search the new lists, which hold no cycles, again and again (9 times slower)."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def scan(path: Path, remedy: str) -> JsonFile:
    """Find the records of a JSON file.

    Raises:
        UserError: naming the file when it is missing, empty or cut off.
    """
    try:
        with path.open("rb") as file:
            content: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        content = b""
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if not content[:64].lstrip().startswith((b"{", b"[")):
        what = "is empty" if not len(content) else "does not begin with { or ["
        raise UserError(f"{path}: is not valid JSON ({what}); {remedy}")
    text = np.frombuffer(content, np.uint8)
    table = np.empty((len(text) // _USUAL_BYTES_PER_RECORD + 64, 4), np.int64)
    count, depth = _scan(text, table)
    if count > len(table):
        table = np.empty((count, 4), np.int64)
        _scan(text, table)
    if depth != 0:
        what = "it ends inside a record" if depth > 0 else "it closes a bracket that was not opened"
        raise UserError(f"{path}: is not valid JSON ({what}); the file is cut off or damaged; {remedy}")
    return JsonFile(path, remedy, content, *table[:count].T.copy())


@numba.njit(cache=True)
def _scan(text: np.ndarray, table: np.ndarray) -> tuple[int, int]:
    """Fill ``table`` with rows (parent, start, end, key_start) of the outer containers, as far as it reaches.

    Returns:
        The number of such containers, and the depth at the end of the text: 0 when it is whole.
    """
    open_rows = np.full(_DEEPEST + 2, -1, np.int64)
    count, depth, place, size = 0, 0, 0, len(text)
    last_string, after_colon = -1, False
    while place < size:
        byte = text[place]
        if byte == QUOTE:
            last_string = place
            place += 1
            while place < size and text[place] != QUOTE:
                place += 2 if text[place] == BACKSLASH else 1
            if place >= size:
                return count, max(depth, 1)
        elif byte == COLON:
            after_colon = True
        elif byte == COMMA:
            after_colon = False
        elif byte in (OPEN_LIST, OPEN_OBJECT):
            if depth <= _DEEPEST:
                if count < len(table):
                    table[count, 0] = open_rows[depth]
                    table[count, 1] = place
                    table[count, 3] = last_string if after_colon else -1
                open_rows[depth + 1] = count
                count += 1
            depth += 1
            after_colon = False
        elif byte in (CLOSE_LIST, CLOSE_OBJECT):
            depth -= 1
            if depth < 0:
                return count, depth
            if depth <= _DEEPEST and open_rows[depth + 1] < len(table):
                table[open_rows[depth + 1], 2] = place + 1
        place += 1
    return count, depth
