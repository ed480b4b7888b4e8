"""Where image files come from: one interface for the unpacked folder and (``digit.archive``) for the release's tar."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from digit.run.errors import UserError
from digit.store.jpeg import Signature, file_signature, read_file
from digit.store.prefetch import map_ahead

Result = TypeVar("Result")
READERS = 8
"""Threads that list folders; they leave Python's lock to the others."""


class ImageSource(Protocol):
    """The image files of one split, by their names below ``images/<split>/``."""

    @property
    def place(self) -> str:
        """What the names lie below, for messages."""

    @property
    def key(self) -> str:
        """The configuration key that leads there, and its value, for messages."""

    @property
    def remedy(self) -> str:
        """What to do about missing or damaged files."""

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of ``names`` that are not there."""

    def signature(self, name: str) -> Signature | None:
        """Equal while a file is the same; None when there is none."""

    def read(self, name: str) -> tuple[bytes | str, Signature | None]:
        """Content of a file, or why there is none, and its signature from before it was read."""

    def visit(self, function: Callable[[str], Result], names: Sequence[str], threads: int = 4) -> Iterator[Result]:
        """Results of ``function`` for ``names`` in their order, called a little ahead and in the order that suits."""


class ImageFolder:
    """Image files in a folder."""

    def __init__(self, folder: Path, root: Path, remedy: str) -> None:
        """Use the files below ``folder``, which lies in the data folder ``root``.

        Raises:
            UserError: when the folder does not exist.
        """
        if not folder.is_dir():
            raise UserError(f"{folder}: this folder does not exist; is data.root right, and mounted? Else {remedy}")
        self._folder = folder
        self.place, self.key, self.remedy = str(folder), f"data.root ({root})", remedy

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of ``names`` that are not there, found by listing each sub-folder once.

        Raises:
            UserError: when a sub-folder is there but cannot be listed.
        """
        expected: dict[str, set[str]] = defaultdict(set)
        for name in names:
            parent, _, base = name.rpartition("/")
            expected[parent].add(base)

        def absent(parent: str) -> list[str]:
            try:
                with os.scandir(self._folder / parent) as entries:
                    present = {entry.name for entry in entries}
            except (FileNotFoundError, NotADirectoryError):
                present = set()
            except OSError as error:
                raise UserError(
                    f"{self._folder / parent}: cannot be read ({error.strerror}); check the disk and your rights"
                ) from error
            return [f"{parent}/{base}" if parent else base for base in sorted(expected[parent] - present)]

        with ThreadPoolExecutor(READERS) as pool:
            return [name for found in pool.map(absent, sorted(expected)) for name in found]

    def signature(self, name: str) -> Signature | None:
        """Signature of a file as it is now; see :func:`digit.store.jpeg.file_signature`."""
        return file_signature(f"{self._folder}/{name}")

    def read(self, name: str) -> tuple[bytes | str, Signature | None]:
        """Content and signature of a file; see :func:`digit.store.jpeg.read_file`."""
        return read_file(f"{self._folder}/{name}")

    def visit(self, function: Callable[[str], Result], names: Sequence[str], threads: int = 4) -> Iterator[Result]:
        """Results of ``function`` in the order of ``names``, which is that of the files."""
        return map_ahead(function, names, threads)
