"""The release's MD5 sums, and which pieces were found to have theirs.

Reading 82 GB again takes minutes, so what was found is kept in ``digit-members/verified.json`` with the size and time
of each piece; a piece that changes is summed again.
"""

import hashlib
import re
import threading
from collections.abc import Callable
from pathlib import Path

import orjson

from digit.archive.pieces import Piece
from digit.run.errors import UserError
from digit.run.files import replacing

ENDING = ".CHECKSUM"
LINE = re.compile(r"(?P<md5>[0-9a-fA-F]{32})[ \t]+\*?(?P<name>\S.*)")
FILE_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
CHUNK = 4 << 20


def parse_checksums(text: str) -> dict[str, str]:
    """Read lines of ``<md5>  <file name>``: the sums by name.

    Raises:
        ValueError: when a line is something else, a name would leave the folder, or there is none.
    """
    sums = {}
    for line in text.splitlines():
        if line.strip():
            match = LINE.fullmatch(line.strip())
            if match is None or not FILE_NAME.fullmatch(match["name"].removeprefix("./")):
                raise ValueError(f"this is no line of MD5 and file name: {line[:80]!r}")
            sums[match["name"].removeprefix("./")] = match["md5"].lower()
    if not sums:
        raise ValueError("it is empty")
    return sums


def read_checksums(folder: Path) -> dict[str, str]:
    """Sums of the checksum file that lies beside the pieces; none when there is no such file.

    Raises:
        UserError: when there are several, or it cannot be read.
    """
    try:
        found = sorted(path for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))
        if not found:
            return {}
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise UserError(
                f"{folder}: holds {len(found)} checksum files ({names}); keep each archive in a folder of its own"
            )
        return parse_checksums(found[0].read_text(errors="replace"))
    except OSError as error:
        raise UserError(f"{folder}: its checksum file cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{found[0]}: is no checksum file ({error}); delete it and fetch it again") from error


def md5_of(path: Path, length: int | None = None, told: Callable[[int], None] = lambda _: None) -> "hashlib._Hash":
    """MD5 of a file, or of its first ``length`` bytes; ``told`` is called with the bytes of each read."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        left = path.stat().st_size if length is None else length
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
            told(len(chunk))
    return digest


class Verified:
    """Which pieces were found to have which sum, kept on disk; several threads may use it."""

    NAME = "verified.json"

    def __init__(self, path: Path) -> None:
        """Read what was kept; nothing of it counts when it cannot be read."""
        self._path, self._lock = path, threading.Lock()
        try:
            entries = orjson.loads(path.read_bytes())
            self._entries = {str(name): tuple(entry) for name, entry in entries.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._entries = {}

    def md5(self, piece: Piece) -> str | None:
        """Sum of a piece as it is now, if it is known."""
        entry = self._entries.get(piece.name)
        return str(entry[2]) if entry is not None and entry[:2] == (piece.size, piece.mtime_ns) else None

    def note(self, piece: Piece, md5: str) -> None:
        """Keep the sum of a piece."""
        with self._lock:
            self._entries[piece.name] = (piece.size, piece.mtime_ns, md5)
            with replacing(self._path) as temporary:
                temporary.write_bytes(orjson.dumps(self._entries, option=orjson.OPT_INDENT_2))
