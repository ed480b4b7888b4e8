"""Reading JPEG files, and what can be said about one without decoding it."""

import os

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Marker codes of segments that hold the image size."""


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in px from the header, or None when it is not a whole JPEG header."""
    place = len(SOI)
    if not content.startswith(SOI):
        return None
    while place + 9 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in START_OF_FRAME:
            height, width = content[place + 5 : place + 7], content[place + 7 : place + 9]
            return int.from_bytes(width), int.from_bytes(height)
        else:
            place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return None


def find_damage(content: bytes | str, width: int, height: int) -> str | None:
    """Say what is wrong with a file that should be a JPEG of this size, or None; looks at both ends only.

    ``content`` is what :func:`read_file` gave: bytes, or the reason why there are none.
    """
    if isinstance(content, str):
        return content
    if not content:
        return "empty"
    size = jpeg_size(content)
    if size is None:
        return "not a JPEG, or cut off in its header"
    if not content.endswith(EOI) and not content.rstrip(b"\0").endswith(EOI):
        return "cut off: no end marker"
    if size != (width, height):
        return f"{size[0]}x{size[1]} px, annotated as {width}x{height}"
    return None


def read_file(path: str) -> bytes | str:
    """Content of a file in one read, or why it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        return "missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
    try:
        size = os.fstat(handle).st_size
        content = os.read(handle, size)
        while len(content) < size and (more := os.read(handle, size - len(content))):
            content += more
        return content
    except OSError as error:
        return str(error.strerror)
    finally:
        os.close(handle)
