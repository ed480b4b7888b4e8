"""A data folder as the release is downloaded: a tar of the images in pieces, their MD5 sums, a zip of annotations."""

import hashlib
import io
import itertools
import random
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_lowercase

STEM = "InterHand2.6M.images.5.fps.v1.0.tar"
ANNOTATIONS = "InterHand2.6M.annotations.5.fps.zip"
BATCH = "InterHand2.6M_5fps_batch1"


def write_release(root: Path, folder: Path, piece_bytes: int) -> list[Path]:
    """Write pieces, checksum file and annotations of the data folder ``root`` to ``folder``; returns the pieces."""
    pieces = write_pieces(folder, piece_bytes, image_members(root))
    write_checksums(folder, pieces)
    with zipfile.ZipFile(folder / ANNOTATIONS, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((root / "annotations").rglob("*.*")):
            archive.write(path, f"annotations/{path.relative_to(root / 'annotations')}")
    return pieces


def image_members(root: Path, seed: int = 0) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Folders and images in the order of a walk through folders that are not sorted, as ``tar`` makes it."""
    shuffle = random.Random(seed).shuffle

    def walk(folder: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
        below = sorted(folder.iterdir())
        shuffle(below)
        for path in below:
            if path.is_dir():
                yield member(f"{BATCH}/{path.relative_to(root)}", kind=tarfile.DIRTYPE), b""
                yield from walk(path)
            else:
                yield member(f"{BATCH}/{path.relative_to(root)}", path.stat().st_size), path.read_bytes()

    return walk(root / "images")


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """Header of a member as ``tar`` writes it."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode, info.mtime = size, kind, 0o755, 1_600_000_000
    return info


def write_pieces(
    folder: Path,
    piece_bytes: int,
    members: Iterable[tuple[tarfile.TarInfo, bytes]],
    tar_format: int = tarfile.GNU_FORMAT,
    stem: str = STEM,
) -> list[Path]:
    """Write a tar in pieces ``<stem>.partaa``, ``.partab``, ... of at most ``piece_bytes``."""
    folder.mkdir(parents=True, exist_ok=True)
    target = _Pieces(folder / f"{stem}.part", piece_bytes)
    with io.BufferedWriter(target) as stream, tarfile.open(fileobj=stream, mode="w|", format=tar_format) as tar:  # type: ignore[call-overload]
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return target.paths


def write_checksums(folder: Path, pieces: Iterable[Path]) -> Path:
    """Write the checksum file of pieces."""
    path = folder / f"{STEM}.CHECKSUM"
    path.write_text("".join(f"{hashlib.md5(piece.read_bytes()).hexdigest()}  {piece.name}\n" for piece in pieces))
    return path


class _Pieces(io.RawIOBase):
    """What is written goes to files of equal size."""

    def __init__(self, beginning: Path, piece_bytes: int) -> None:
        self._suffixes = map("".join, itertools.product(ascii_lowercase, repeat=2))
        self._beginning, self._piece_bytes, self._left = beginning, piece_bytes, 0
        self._file: io.BufferedWriter | None = None
        self.paths: list[Path] = []

    def writable(self) -> bool:
        return True

    def write(self, content) -> int:  # noqa: ANN001 a buffer
        view = memoryview(content)
        while len(view):
            if not self._left:
                self.close_piece()
                self.paths.append(self._beginning.with_name(self._beginning.name + next(self._suffixes)))
                self._file, self._left = self.paths[-1].open("wb"), self._piece_bytes
            assert self._file is not None
            count = self._file.write(view[: self._left])
            self._left, view = self._left - count, view[count:]
        return len(content)

    def close_piece(self) -> None:
        """End the current file."""
        if self._file is not None:
            self._file.close()

    def close(self) -> None:
        self.close_piece()
        super().close()
