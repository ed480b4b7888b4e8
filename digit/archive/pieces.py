"""The pieces of a tar as one range of bytes: their order, their gaps, and reading across their borders."""

import itertools
import os
import re
import string
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from digit.config import Config
from digit.run.errors import UserError
from digit.run.layout import Layout

EXAMPLE = "InterHand2.6M.images.5.fps.v1.0.tar.partaa"
PIECE = re.compile(r"(?P<stem>[^/]+\.tar)(?:\.part(?P<suffix>[a-z]+))?")


def archive_folder(config: Config) -> Path | None:
    """Folder with the pieces that a run reads its images from; None when they are unpacked, or in another store."""
    if config.data.image_archive:
        return Path(config.data.image_archive)
    return Layout.of(config).dataset / "archive" if config.data.download else None


@dataclass(frozen=True)
class Piece:
    """One file of the archive as it is now."""

    name: str
    size: int | None = None
    """Bytes, or None where the piece is missing."""
    mtime_ns: int = 0
    ctime_ns: int = 0

    @property
    def identity(self) -> tuple[str, int | None, int]:
        """Equal while this is the same file, or a copy with its time."""
        return self.name, self.size, self.mtime_ns


@dataclass
class Pieces:
    """The pieces of one tar in order; of missing ones the names, so far as the others imply them."""

    folder: Path
    stem: str
    """Name of the whole tar."""
    pieces: tuple[Piece, ...]
    _files: dict[int, FileIO] = field(default_factory=dict, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, folder: Path, listed: Sequence[str] = ()) -> "Pieces":
        """Look into a folder; ``listed`` are names that must be there besides, say by the checksum file.

        Raises:
            UserError: when the folder is missing, holds no piece, or those of several tars.
        """
        present = _present(folder)
        stem = _only_stem(folder, present)
        if stem in present:
            return cls(folder, stem, (present[stem],))
        names = {name for name in listed if name.startswith(f"{stem}.part") and PIECE.fullmatch(name)} | set(present)
        complete = _without_gaps(f"{stem}.part", {name.removeprefix(f"{stem}.part") for name in names})
        return cls(folder, stem, tuple(present.get(name, Piece(name)) for name in complete))

    def __len__(self) -> int:
        return len(self.pieces)

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Read ``length`` bytes from ``offset`` of a piece on, across borders.

        Returns:
            The bytes; fewer where a piece is missing or the tar ends.

        Raises:
            UserError: when the system refuses.
        """
        size = self.pieces[number].size
        if size is not None and offset + length <= size:
            return self._read(number, offset, length)
        parts: list[bytes] = []
        while length > 0:
            number, offset = self.locate(number, offset)
            chunk = self._read(number, offset, length)
            if not chunk:
                break
            parts.append(chunk)
            offset, length = offset + len(chunk), length - len(chunk)
        return b"".join(parts)

    def locate(self, number: int, offset: int) -> tuple[int, int]:
        """Bring an offset behind the end of a piece to the piece that it lies in, as far as they are there."""
        while (size := self.pieces[number].size) is not None and offset >= size and number + 1 < len(self.pieces):
            number, offset = number + 1, offset - size
        return number, offset

    def prefetch(self, number: int, offset: int, length: int) -> None:
        """Ask the system to read a stretch of a piece ahead of its use."""
        os.posix_fadvise(self._descriptor(number), offset, length, os.POSIX_FADV_WILLNEED)

    def _read(self, number: int, offset: int, length: int) -> bytes:
        if self.pieces[number].size is None:
            return b""
        try:
            return os.pread(self._descriptor(number), length, offset)
        except OSError as error:
            raise self._refused(number, error) from error

    def _descriptor(self, number: int) -> int:
        file = self._files.get(number)
        if file is None:
            with self._opening:
                try:
                    file = self._files.setdefault(number, FileIO(self.folder / self.pieces[number].name))
                except OSError as error:
                    raise self._refused(number, error) from error
        return file.fileno()

    def _refused(self, number: int, error: OSError) -> UserError:
        return UserError(
            f"{self.folder / self.pieces[number].name}: cannot be read ({error.strerror}); this is no damage of the "
            "data; check the disk, its connection and your rights, then run again"
        )


def piece_files(folder: Path) -> list[Path]:
    """Pieces that are in a folder now; none when it is not there."""
    return [folder / name for name in sorted(_present(folder))] if folder.is_dir() else []


def piece_of(path: Path) -> Piece:
    """Describe a file as it is now."""
    status = path.stat()
    return Piece(path.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _present(folder: Path) -> dict[str, Piece]:
    """Every file of a folder whose name is that of a piece, or of a whole tar."""
    pieces = {}
    try:
        for path in folder.iterdir():
            if PIECE.fullmatch(path.name) and path.is_file():
                pieces[path.name] = piece_of(path)
    except OSError as error:
        remedy = "set data.image_archive to the folder that holds the pieces of the images' tar"
        raise UserError(f"{folder}: cannot be read ({error.strerror}); {remedy}") from error
    return pieces


def _only_stem(folder: Path, present: dict[str, Piece]) -> str:
    """Name of the one tar that a folder holds, whole or in pieces."""
    whole = {name for name in present if name.endswith(".tar")}
    stems = {str(match["stem"]) for name in present if (match := PIECE.fullmatch(name))}
    if not stems:
        advice = "set data.image_archive to the folder that holds them, or get them with `digit download`"
        if (folder / "images").is_dir() or (folder / "train").is_dir():
            advice = (
                "if these images are unpacked, set data.root to the folder above images/, data.image_archive to null"
            )
        raise UserError(f"{folder}: holds no piece of the images' tar, such as {EXAMPLE}; {advice}")
    if len(stems) > 1:
        found = ", ".join(sorted(stems))
        raise UserError(f"{folder}: holds {len(stems)} archives ({found}); keep each in a folder of its own")
    if whole and len(present) > 1:
        parts = sorted(set(present) - whole)
        raise UserError(
            f"{folder}: holds the tar whole ({whole.pop()}) and in pieces ({parts[0]}, ...); keep one of both"
        )
    return stems.pop()


def _without_gaps(beginning: str, suffixes: set[str]) -> list[str]:
    """Names of all pieces from ``aa`` to the last one, as ``split`` counts."""
    last = max(suffixes)
    ours = {suffix for suffix in suffixes if len(suffix) == len(last)}
    if ours != suffixes:
        return [beginning + suffix for suffix in sorted(suffixes)]
    return [beginning + suffix for suffix in itertools.takewhile(lambda s: s <= last, _counted(len(last)))]


def _counted(letters: int) -> Iterator[str]:
    return ("".join(word) for word in itertools.product(string.ascii_lowercase, repeat=letters))
