"""The header pass over one piece: from header to header, reading 512 bytes of each member."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from digit.archive import headers
from digit.archive.headers import BLOCK, Header
from digit.archive.pieces import Pieces

LONGEST_EXTENSION = 1 << 20
"""Bytes of a member that says something about the next one; a path is never that long."""
STRIDE = 16 << 20
"""Bytes that are looked through at once for the next header after damage."""
AHEAD = 8 << 20
"""Bytes that the system is asked to read ahead. A disk reads everything sooner than a page of every member."""
CHUNK = 1 << 20
IMAGE = re.compile(rb"(?:[^/\\\x00-\x1f]+/)*?images/((?:train|val|test)/[^\\\x00-\x1f]*[^/\\\x00-\x1f])")
"""A path that leads to an image, and its part from the split on."""


@dataclass
class Scan:
    """What the headers that begin in one piece say.

    Offsets are bytes from the beginning of the piece; what lies behind its end lies in the next one.
    """

    start: int | None
    """Where the piece before says that the first header is; None when that piece is missing."""
    end: int = 0
    """Where the header after the last one should be."""
    broken: bool = False
    """Whether there was something else than a header: this piece does not continue the one before."""
    names: Any = field(default_factory=list)
    """(M,) bytes of images, as ``<split>/<path below the split>``; lists while the pass is made, then arrays."""
    offsets: Any = field(default_factory=list)
    """(M,) where their content begins."""
    sizes: Any = field(default_factory=list)
    """(M,) their bytes."""
    hostile: list[tuple[str, str]] = field(default_factory=list)
    """Other members that an unpacking program might follow, and what they are."""
    others: int = 0
    """Files that are no images of a split."""
    damaged: list[int] = field(default_factory=list)
    """Where there should have been a header."""
    ended: bool = False
    """Whether zero blocks, which end a tar, came last."""


def scan(pieces: Pieces, number: int, start: int | None) -> Scan:
    """Follow the headers of a piece from ``start`` on, or where none is there, from the first one that is found.

    Raises:
        UserError: when the system refuses to read.
    """
    size, result = pieces.pieces[number].size or 0, Scan(start)
    result.broken = start is not None and start < size and not _is_header(pieces.read(number, start, BLOCK))
    place = _next_header(pieces, number, 0, size) if start is None or result.broken else start
    ahead = 0
    while place < size:
        if place + AHEAD > ahead:
            ahead = place + 2 * AHEAD
            pieces.prefetch(number, place + AHEAD, AHEAD)
        block = pieces.read(number, place, BLOCK)
        header = headers.parse(block) if len(block) == BLOCK else None
        if header is not None:
            place, result.ended = _follow(pieces, number, place, header, result), False
        elif not block.strip(b"\0"):
            place, result.ended = _skip_zeros(pieces, number, place, size), True
        else:
            if len(block) == BLOCK:
                result.damaged.append(place)
            place = _next_header(pieces, number, place + 1, size)
    result.end = place
    result.names = np.array(result.names, "S")
    result.offsets, result.sizes = np.array(result.offsets, np.int64), np.array(result.sizes, np.int64)
    return result


def _is_header(block: bytes) -> bool:
    return not block.strip(b"\0") or len(block) < BLOCK or headers.parse(block) is not None


def _follow(pieces: Pieces, number: int, place: int, header: Header, result: Scan) -> int:
    """Note the member whose first header is at ``place``, with what extended headers say of it; return its end."""
    name, size = b"", -1
    while header.kind in headers.EXTENSIONS:
        if header.size > LONGEST_EXTENSION:
            result.damaged.append(place)
            return place + BLOCK
        content = pieces.read(number, place + BLOCK, header.size)
        if header.kind == headers.LONG_NAME:
            name = content.partition(b"\0")[0]
        elif header.kind == headers.PAX:
            try:
                records = headers.pax_records(content)
                name, size = records.get(b"path", name), int(records.get(b"size", size))
            except ValueError:
                result.damaged.append(place)
        place += BLOCK + headers.padded(header.size)
        block = pieces.read(number, place, BLOCK)
        following = headers.parse(block) if len(block) == BLOCK else None
        if following is None:
            return place
        header = following
    size = header.size if size < 0 else size
    return place + BLOCK + _note(result, name or header.name, header.kind, place + BLOCK, size)


def _note(result: Scan, name: bytes, kind: int, offset: int, size: int) -> int:
    """Sort a member in; return how many bytes its content takes up."""
    found = IMAGE.fullmatch(name)
    if found is not None and kind in headers.FILE_KINDS and (b".." not in name or _suspicion(name) is None):
        result.names.append(found[1])
        result.offsets.append(offset)
        result.sizes.append(size)
        return headers.padded(size)
    reason = headers.OTHER_KINDS.get(kind) or _suspicion(name)
    if reason:
        result.hostile.append((name.decode(errors="backslashreplace"), reason))
    elif kind in headers.FILE_KINDS and not name.endswith(b"/"):
        result.others += 1
    return 0 if kind in headers.WITHOUT_CONTENT else headers.padded(size)


def _suspicion(name: bytes) -> str | None:
    """Say why a program that unpacks must not follow a path, or None."""
    if name.startswith(b"/"):
        return "an absolute path"
    if b".." in name.split(b"/"):
        return "a path that leaves its folder"
    if min(name, default=32) < 32 or b"\\" in name:
        return "a path with control characters or backslashes"
    return None


def _next_header(pieces: Pieces, number: int, place: int, size: int) -> int:
    """Look for a header that begins in the piece from ``place`` on; where it is, or else the piece's end."""
    while place < size:
        content = pieces.read(number, place, STRIDE + BLOCK)
        found = headers.find_header(content)
        if found is not None:
            return min(place + found, size)
        place += STRIDE
    return size


def _skip_zeros(pieces: Pieces, number: int, place: int, size: int) -> int:
    """Where, from ``place`` on, the first block lies that is not all zeros; or the piece's end."""
    while place < size:
        content = pieces.read(number, place, CHUNK)
        rest = content.lstrip(b"\0")
        if rest:
            return place + (len(content) - len(rest)) // BLOCK * BLOCK
        if not content:
            return size
        place += len(content)
    return place
