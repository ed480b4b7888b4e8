"""Read JSON files of any size record by record, in bounded memory.

The annotation files of InterHand2.6M are up to a gigabyte of small records, which as Python objects are ten
times that. A compiled scanner finds where the records begin and end; then a few thousand at a time are parsed.
"""

import contextlib
import gc
import json
import mmap
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from digit.run.compiled import compiled
from digit.run.errors import UserError
from digit.run.files import after_mark

RECORDS_PER_CHUNK = 4096
_DEEPEST = 2
_USUAL_BYTES_PER_RECORD = 200
QUOTE, BACKSLASH, COLON, COMMA = 34, 92, 58, 44
NEWLINE = 10
OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = 91, 93, 123, 125


NO_NUMBER = re.compile(rb".??(-?\b(?:nan|inf(?:inity)?)\b)", re.IGNORECASE | re.DOTALL)
LONGEST_NO_NUMBER = len("-Infinity ")
NO_NUMBER_REMEDY = (
    "write a number in its place, 0 for a joint that is not known, with 0 in the joint_valid of that joint"
)
TWINS_REMEDY = "only one of them can count: take the others out"


@dataclass(frozen=True)
class JsonFile:
    """A scanned JSON file: its containers (lists and objects) down to ``_DEEPEST`` levels, in order of appearance.

    Container 0 is the whole document.
    """

    path: Path
    remedy: str
    content: mmap.mmap | bytes
    parent: np.ndarray
    """(M,) row of the container that a container is in, -1 for the document."""
    start: np.ndarray
    """(M,) offset of its opening bracket."""
    end: np.ndarray
    """(M,) offset past its closing bracket."""
    key_start: np.ndarray
    """(M,) offset of its key's opening quote, -1 within a list."""

    def keyed(self) -> dict[str, int]:
        """Row of each container in the document by its key.

        Raises:
            UserError: when a key occurs more than once.
        """
        rows: dict[str, int] = {}
        for row in self.members().tolist():
            if self.key_start[row] >= 0 and rows.setdefault(self.key(row), row) != row:
                found = f"{self.path}: holds the same name more than once (1: {self.key(row)})"
                raise UserError(f"{found}; {TWINS_REMEDY}, or {self.remedy}")
        return rows

    def members(self, parent: int = 0) -> np.ndarray:
        """Rows of the containers that stand directly in container ``parent``."""
        return np.flatnonzero(self.parent == parent)

    def key(self, row: int) -> str:
        """Key of a container in its parent; empty within a list."""
        if self.key_start[row] < 0:
            return ""
        text = self.content[self.key_start[row] : self.start[row]]
        return self._parse(text[: text.rindex(b":")].rstrip(), self.key_start[row])

    def whole(self) -> Any:
        """Parse a small document at once.

        Raises:
            UserError: when it is no JSON, or when an object in it has a key more than once.
        """
        text = self.content[self.start[0] : self.end[0]]
        parsed = self._parse(text, self.start[0])
        twins: list[str] = []

        def note(pairs: list[tuple[str, Any]]) -> None:
            twins.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)

        json.loads(text, object_pairs_hook=note)
        if twins:
            found = f"{self.path}: holds the same name more than once ({len(twins)}: {', '.join(twins[:5])})"
            raise UserError(f"{found}; {TWINS_REMEDY}, or {self.remedy}")
        return parsed

    def chunks(self, parent: int = 0) -> Iterator[list[Any] | dict[str, Any]]:
        """Parse what is in container ``parent``, some thousands of records at a time.

        Anything between records that is none, such as null, comes with them; a container without any record gives
        nothing.

        Yields:
            A list of records, or a dict of them when the container is an object.
        """
        rows = self.members(parent)
        frame = b"{%b}" if self.content[self.start[parent]] == OPEN_OBJECT else b"[%b]"
        begin = self.start[parent] + 1
        for first in range(0, len(rows), RECORDS_PER_CHUNK):
            chunk = rows[first : first + RECORDS_PER_CHUNK]
            end = self.end[parent] - 1 if first + RECORDS_PER_CHUNK >= len(rows) else self.end[chunk[-1]]
            text = self.content[begin:end].lstrip()
            if first:  # the comma after the last chunk; without one, what is parsed is no JSON either
                text = text[1:] if text.startswith(b",") else b"," + text
            records = self._parse(frame % text, end - len(text) - 1)
            if isinstance(records, dict) and sum(isinstance(r, dict | list) for r in records.values()) < len(chunk):
                self._name_twins(chunk, records)
            yield records
            begin = end

    def _name_twins(self, rows: np.ndarray, records: dict[str, Any]) -> None:
        """Stop, because the keys of some of these containers occur again, and only the last record would count."""
        counts = Counter(self.key(row) for row in rows)
        twins = sorted(k for k, count in counts.items() if count > 1 or not isinstance(records[k], dict | list))
        outer = self._place(int(self.start[rows[0]]) - 1)
        found = f"{self.path}: {outer}holds the same name more than once ({len(twins)}: {', '.join(twins[:5])})"
        raise UserError(f"{found}; {TWINS_REMEDY}, or {self.remedy}")

    def _place(self, offset: int) -> str:
        """Name the containers around a byte: the keys, or numbers within their list, on the way to it."""
        words = []
        for row in np.flatnonzero((self.start <= offset) & (offset < self.end))[1:]:
            place = np.searchsorted(self.members(self.parent[row]), row)
            words.append(self.key(row) if self.key_start[row] >= 0 else f"record {place}")
        return "".join(f"{word}: " for word in words)

    def _parse(self, text: bytes, offset: int) -> Any:
        """Parse ``text``, whose first byte stands at ``offset`` in the file."""
        try:
            with _no_garbage_collection():
                return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            place, message = len(error.doc[: error.pos].encode()), error.msg
            if not error.doc:
                place, message = _first_wrong_byte(text), "not UTF-8 text"
            raise UserError(f"{self.path}: is not valid JSON ({self._describe(offset + place, message)}") from error

    def _describe(self, offset: int, message: str) -> str:
        """Say what is wrong at a byte of the file, where that is and what to do."""
        found = NO_NUMBER.match(self.content[offset - 1 : offset + LONGEST_NO_NUMBER])
        offset += found.start(1) - 1 if found else 0
        line = np.count_nonzero(np.frombuffer(self.content, np.uint8, offset) == NEWLINE) + 1
        where = f"{self._place(offset)}byte {offset}, line {line}"
        if found:
            return f"{where}: {found[1].decode()}, which is not a number); {NO_NUMBER_REMEDY}"
        return f"{where}: {message}); it is damaged; {self.remedy}"


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
    mark = after_mark(path, content[:4])
    if not content[mark : mark + 64].lstrip().startswith((b"{", b"[")):
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
    if content[table[0, 2] :].strip():
        raise UserError(f"{path}: is not valid JSON (there is more after its end, at byte {table[0, 2]}); {remedy}")
    return JsonFile(path, remedy, content, *table[:count].T.copy())


def _first_wrong_byte(text: bytes) -> int:
    """Place of the first byte that is not UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


@compiled
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
