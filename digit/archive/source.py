"""The images of a split where they lie in the release's archive, or in the unpacked folder."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from digit.archive.members import Members, open_members
from digit.archive.pieces import archive_folder
from digit.config import Config
from digit.release.interhand import Release
from digit.run.layout import Layout
from digit.store.image_source import ImageFolder, ImageSource
from digit.store.jpeg import Signature
from digit.store.prefetch import map_ahead

Result = TypeVar("Result")
WINDOW_BYTES = 512 << 20
"""Image bytes that are held at most to read them in the order of the archive."""


def open_images(config: Config, split: str) -> ImageSource:
    """Open the images of a split where the configuration says they are.

    Raises:
        UserError: when there is no such folder, or the archive cannot be read.
    """
    folder, release = archive_folder(config), Release.of(config)
    if folder is None:
        return ImageFolder(release.images(split), release.root, release.remedy("images"))
    return ImageArchive(open_members(folder, Layout.of(config).members()), split)


class ImageArchive:
    """The images of one split in the pieces of a tar."""

    def __init__(self, members: Members, split: str) -> None:
        """Take those images of an archive whose names begin with the split."""
        self.members, self.split = members, split
        self._visited: dict[str, int | None] = {}
        folder = members.pieces.folder
        self.place, self.key = f"{folder}/{members.pieces.stem}:images/{split}", f"data.image_archive ({folder})"
        self.remedy = (
            "run `digit download`, which fetches what is missing or damaged, or replace the pieces that check names"
        )

    def rows(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n,) of the table of members, 0 if absent, and whether they are there."""
        return self.members.rows([f"{self.split}/{name}".encode() for name in names])

    def _row(self, name: str) -> int | None:
        if name not in self._visited:
            (row,), (found,) = self.rows([name])
            return int(row) if found else None
        return self._visited[name]

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of ``names`` that the archive lacks, or of which it lacks a part."""
        return [names[place] for place in np.flatnonzero(~self.rows(names)[1]).tolist()]

    def signature(self, name: str) -> Signature | None:
        """Size, times and place of an image: equal while its pieces are the same files."""
        row = self._row(name)
        return None if row is None else self._signature(row)

    def read(self, name: str) -> tuple[bytes | str, Signature | None]:
        """Content of an image, or why there is none, and its signature.

        Raises:
            UserError: when the system refuses to read.
        """
        row = self._row(name)
        return ("missing", None) if row is None else (self.members.read(row), self._signature(row))

    def visit(self, function: Callable[[str], Result], names: Sequence[str], threads: int = 4) -> Iterator[Result]:
        """Results of ``function`` in the order of ``names``, called in the order of the archive."""
        rows, found = self.rows(names)
        known = zip(names, rows.tolist(), found.tolist(), strict=True)
        self._visited = {name: row if there else None for name, row, there in known}
        size, piece, offset = np.zeros((3, len(names)), np.int64)
        for column, values in ((size, self.members.size), (piece, self.members.piece), (offset, self.members.offset)):
            column[found] = values[rows[found]]
        window = np.cumsum(size) // WINDOW_BYTES
        for some in np.split(np.arange(len(names)), np.flatnonzero(np.diff(window)) + 1):
            order = some[np.lexsort((offset[some], piece[some]))].tolist()
            done = dict(zip(order, map_ahead(function, [names[k] for k in order], threads), strict=True))
            yield from (done.pop(place) for place in some.tolist())

    def _signature(self, row: int) -> Signature:
        first, offset = int(self.members.piece[row]), int(self.members.offset[row])
        size, pieces = int(self.members.size[row]), self.members.pieces
        last, _ = pieces.locate(first, offset + max(size - 1, 0))
        read = pieces.pieces[first : last + 1]
        place = (first << 48) + offset
        return size, max(piece.mtime_ns for piece in read), max(piece.ctime_ns for piece in read), place
