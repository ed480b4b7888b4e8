"""The headers of a tar: blocks of 512 bytes in the POSIX (ustar, pax) and GNU formats."""

import zlib
from typing import NamedTuple

BLOCK = 512
FILE_KINDS = frozenset(b"0\x007")
LONG_NAME, LONG_LINK = ord("L"), ord("K")
PAX, PAX_GLOBAL = ord("x"), ord("g")
EXTENSIONS = frozenset((LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL))
"""Members that say something about the next one (or all that follow) and are no files."""

OTHER_KINDS = {
    ord("1"): "a hard link",
    ord("2"): "a symbolic link",
    ord("3"): "a device",
    ord("4"): "a device",
    ord("6"): "a pipe",
    ord("S"): "a sparse file",
}
WITHOUT_CONTENT = frozenset(b"123456")
"""Kinds whose size says nothing about what follows."""
LARGEST_MEMBER = 1 << 32
"""Bytes; what claims more is no member of an archive of images."""
MAGIC, MAGIC_AT = b"ustar", 257
_CHECKSUM = slice(148, 156)
_ADLER = 65521


class Header(NamedTuple):
    """What one block says."""

    kind: int
    """The type flag, as a byte."""
    size: int
    """Bytes of content that follow."""
    name: bytes


def parse(block: bytes) -> Header | None:
    """Read a block of :data:`BLOCK` bytes; None when it is no header, or its checksum differs."""
    try:
        stated = int(block[_CHECKSUM].strip(b" \0"), 8)
        size = _number(block[124:136])
    except ValueError:
        return None
    if size > LARGEST_MEMBER:
        return None
    # The checksum is the sum of all bytes with spaces in place of itself. Adler-32 gives the sum, modulo a prime, a
    # hundred times as fast as Python could add.
    total = (zlib.adler32(block) & 0xFFFF) - 1
    if (total - sum(block[_CHECKSUM]) + 8 * 32 - stated) % _ADLER:
        return None
    name = block[: block.find(b"\0", 0, 100)] if block[99] == 0 else block[:100].rstrip(b"\0")
    if block[345] and block[257:263] == b"ustar\0":
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    return Header(block[156], size, name)


def padded(size: int) -> int:
    """Bytes that content of a size takes up in a tar."""
    return -(-size // BLOCK) * BLOCK


def find_header(content: bytes) -> int | None:
    """Offset of the first thing in ``content`` that is a header, at any byte; None when there is none."""
    found = content.find(MAGIC, MAGIC_AT)
    while found >= 0:
        start = found - MAGIC_AT
        if start + BLOCK > len(content):
            return None
        if parse(content[start : start + BLOCK]) is not None:
            return start
        found = content.find(MAGIC, found + 1)
    return None


def pax_records(content: bytes) -> dict[bytes, bytes]:
    """Read the ``length key=value`` lines of a pax member.

    Raises:
        ValueError: when they are none.
    """
    records = {}
    while content.strip(b"\0"):
        length = int(content[: content.index(b" ")])
        key, equals, value = content[:length].partition(b" ")[2].partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise ValueError("not a pax record")
        records[key] = value[:-1]
        content = content[length:]
    return records


def _number(field: bytes) -> int:
    """Read a number: octal digits, or with the highest bit set a binary one (GNU)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, signed=True) + (1 << (8 * len(field) - 1))
        if field[0] & 0x40:
            raise ValueError("a negative number")
        return value
    return int(field.strip(b" \0") or b"0", 8)
