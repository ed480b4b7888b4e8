"""Reading JPEG files, and what can be said about one with and without decoding it."""

import errno
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import simplejpeg

from digit.run.errors import UserError

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
APP1, SOS = 0xE1, 0xDA
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
"""A marker amid the bytes of a scan, in which 0xFF is followed by 0; restarts and filling are no markers."""
ORIENTATION_TAG = 0x0112
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Marker codes of segments that hold the image size."""

NO_FILE = {errno.ENOENT: "missing", errno.ENOTDIR: "missing", errno.EISDIR: "a folder, not a file"}
"""What is wrong with the data; whatever else the system may report (a disk, a limit, a right) is not their damage."""

Signature = tuple[int, int, int, int]
"""Size, times of the last change of content and of inode (ns), and inode of a file: equal while it is the same."""


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in px from the header, or None when it is not a whole JPEG header."""
    for marker, place in _segments(content):
        if marker in START_OF_FRAME and place + 9 <= len(content):
            height, width = content[place + 5 : place + 7], content[place + 7 : place + 9]
            return int.from_bytes(width), int.from_bytes(height)
    return None


def jpeg_orientation(content: bytes) -> int:
    """EXIF orientation, 1 to 8; 1, as stored, for a file that states none or an impossible one.

    Data stages never turn pixels: annotations refer to them as they are stored.
    """
    for marker, place in _segments(content):
        if marker == APP1 and content.startswith(b"Exif\0\0", place + 4):
            size = int.from_bytes(content[place + 2 : place + 4])
            return _exif_orientation(content[place + 10 : place + 2 + size])
    return 1


def _exif_orientation(tiff: bytes) -> int:
    """Orientation in the first folder of an EXIF block."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        (folder,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, folder)
        for entry in range(folder + 2, folder + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(f"{order}H6xH", tiff, entry)
            if tag == ORIENTATION_TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:  # cut off, or no TIFF at all
        pass
    return 1


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Code and place of the markers up to the first scan."""
    place = len(SOI) if content.startswith(SOI) else len(content)
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        yield marker, place
        if marker == SOS:
            return
        place += 2 + int.from_bytes(content[place + 2 : place + 4])


def _has_end(content: bytes) -> bool:
    """Walk through all scans to the end marker; what cameras and programs append after it does not matter.

    An end marker alone says nothing: thumbnails and appended pictures have their own.
    """
    place = next((place for marker, place in _segments(content) if marker == SOS), len(content))
    while found := MARKER.search(content, place + 2 + int.from_bytes(content[place + 2 : place + 4])):
        if found[0] == EOI:
            return True
        place = found.start()
    return False


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
    if not content.endswith(EOI) and not _has_end(content):
        return "cut off: no end marker"
    if size != (width, height):
        return f"{size[0]}x{size[1]} px, annotated as {width}x{height}"
    return None


def find_damage_inside(content: bytes | str, width: int, height: int) -> str | None:
    """As :func:`find_damage`, and decode what looks whole: damage that libjpeg would patch up counts, too.

    Grey pixels are enough: the colours are read, but not worked out.
    """
    found = find_damage(content, width, height)
    if found is None:
        try:
            simplejpeg.decode_jpeg(content, "gray", fastdct=True, fastupsample=True, strict=True)
        except ValueError as error:
            found = f"does not decode: {error}"
    return found


def read_file(path: str) -> tuple[bytes | str, Signature | None]:
    """Content of a file in one read, or why there is none, and its signature from before that.

    Raises:
        UserError: when it cannot be read for a reason that says nothing about the file, such as a failing disk.
    """
    status = None
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            status = os.fstat(handle)
            content = os.read(handle, status.st_size)
            while len(content) < status.st_size and (more := os.read(handle, status.st_size - len(content))):
                content += more
        finally:
            os.close(handle)
    except OSError as error:
        return _no_file(path, error), status and _signature(status)
    return content, _signature(status)


def file_signature(path: str) -> Signature | None:
    """Signature of a file as it is now; None when there is none.

    Raises:
        UserError: as :func:`read_file`.
    """
    try:
        return _signature(Path(path).stat())
    except OSError as error:
        _no_file(path, error)
        return None


def _signature(status: os.stat_result) -> Signature:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _no_file(path: str, error: OSError) -> str:
    """Say why there is no such file, or stop when that is not what the error says."""
    if error.errno not in NO_FILE:
        remedy = "this is no damage of the data; check the disk, its connection and your rights, then run again"
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    return NO_FILE[error.errno]
