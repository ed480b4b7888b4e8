"""Outputs that are either whole or absent, and JSON that explains itself when it is broken."""

import codecs
import contextlib
import errno
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from digit.run.errors import UserError, refusal, way_out


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    Works for a file or a folder, whichever the block creates. After an error, or when the process is
    killed, ``path`` is as it was; a left-over temporary is removed by the next attempt.

    Raises:
        UserError: when the system refuses a file, in the block too: the disk is full, it may not be written, ...
    """
    temporary = path.with_name(f".{path.name}.partial")
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(temporary)
        try:
            yield temporary
            if path.is_dir() and temporary.is_dir():
                remove(path)
            os.replace(temporary, path)
        finally:
            remove(temporary)


def sync(path: Path) -> None:
    """Wait until a file, or a folder and the files in it, are on the disk."""
    for each in (*(sorted(path.iterdir()) if path.is_dir() else ()), path):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL or not each.is_dir():  # not every file system can sync a folder
                raise
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the system refuses in the block into a :class:`UserError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({refusal(error)}); {way_out(error)}") from error


def require_writable(path: Path) -> None:
    """Make the folder of an output that will take long to make, and try to write there.

    Raises:
        UserError: when nothing can be written there.
    """
    probe = path.with_name(f".{path.name}.partial")
    with _naming(path):
        probe.parent.mkdir(parents=True, exist_ok=True)
        remove(probe)
        probe.touch()
        remove(probe)


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_json(path: Path, remedy: str) -> Any:
    """Parse a JSON file.

    Raises:
        UserError: naming the file, what is wrong with it and the remedy.
    """
    try:
        content = path.read_bytes()
        return orjson.loads(content[after_mark(path, content[:4]) :])
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path}: is not valid JSON ({error}); the file is cut off or damaged; {remedy}") from error


def finite(value: Any) -> float | None:
    """A finite number as JSON can hold it; None for anything else, such as NaN or text."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def after_mark(path: Path, head: bytes) -> int:
    """Length of the UTF-8 byte order mark, which some editors write, at the beginning of a text.

    Args:
        path: of the text.
        head: its first four bytes.

    Raises:
        UserError: when the text is UTF-16 or UTF-32.
    """
    kind = next((kind for start, kind in WIDE_STARTS if re.match(start, head, re.DOTALL)), None)
    if kind is not None:
        raise UserError(
            f"{path}: is {kind} text, and what is read here is UTF-8; convert it: iconv -f {kind} -t UTF-8 FILE > NEW"
        )
    return len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0


WIDE_STARTS = (
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16"),
    (rb"[^\0]\0\0\0", "UTF-32LE"),
    (rb"\0\0\0[^\0]", "UTF-32BE"),
    (rb"[^\0]\0", "UTF-16LE"),
    (rb"\0[^\0]", "UTF-16BE"),
)
"""How texts of other widths begin, with a byte order mark or with a plain character, and what iconv calls them."""


def write_json(path: Path, value: Any) -> None:
    """Write JSON with indentation, all or nothing. NaN is refused."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")
