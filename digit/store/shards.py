"""Shards: many small files as one plain LMDB file, in which a file's name leads to its bytes, untouched.

Two keys are no names: ``__header__`` leads to a JSON object that says what the shard is, ``__checksums__`` to a
:data:`CHECKSUM` of each file, in ascending order, which is compared whenever the file is read. Equal input gives equal
bytes.
"""

import os
import threading
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from digit.run.errors import UserError
from digit.store.lmdb_file import LmdbFile, Pair, write_lmdb

FORMAT = "digit-store"
VERSION = 4
HEADER_KEY, CHECKSUMS_KEY = b"__header__", b"__checksums__"
CHECKSUM = np.dtype("<u8")
"""CRC-32 of the name times 2**32, plus CRC-32 of the content."""


def write_shard(
    path: Path,
    items: Iterable[tuple[str, bytes]],
    header: dict[str, Any] | Callable[[], dict[str, Any]],
    expected: int | None = None,
) -> int:
    """Write a shard, all or nothing, and verify it before it gets its name.

    Args:
        path: the file to write or replace.
        items: names and contents; fastest, and smallest, in the order of names.
        header: JSON object for the shard's header, or a function that gives it once ``items`` is exhausted.
            ``format``, ``version`` and ``count`` are added.
        expected: number of items that must arrive, if known.

    Returns:
        The number of items written.

    Raises:
        ValueError: when a name occurs twice or the number of items is not the expected one.
        UserError: when the shard cannot be written or does not read back.
    """
    checksums: list[int] = []

    def pairs() -> Iterator[Pair]:
        for name, content in items:
            key = name.encode()
            if key in (HEADER_KEY, CHECKSUMS_KEY):
                raise ValueError(f"the name {name!r} is reserved")
            checksums.append(_checksum(key, content))
            yield key, content
        if expected is not None and len(checksums) != expected:
            raise ValueError(f"{path}: {len(checksums)} items arrived, {expected} expected")
        yield CHECKSUMS_KEY, np.sort(np.array(checksums, CHECKSUM)).tobytes()
        document = header() if callable(header) else header
        fixed = {"format": FORMAT, "version": VERSION, "count": len(checksums)}
        yield HEADER_KEY, orjson.dumps(document | fixed, option=orjson.OPT_SORT_KEYS)

    write_lmdb(path, pairs())
    return len(checksums)


def _checksum(name: bytes, content: bytes) -> int:
    return zlib.crc32(name) << 32 | zlib.crc32(content)


class _Shard:
    """One open shard."""

    def __init__(self, path: Path) -> None:
        self.path, self.process = path, os.getpid()
        self._remedy = "delete this file and run the stage that makes it again (digit images or parts)"
        self._file = LmdbFile(path, self._remedy)
        try:
            header = orjson.loads(self._file.get(HEADER_KEY) or b"")
        except orjson.JSONDecodeError:
            header = None
        if not isinstance(header, dict):
            raise UserError(f"{path}: has no readable header, so it was not made by digit; {self._remedy}")
        self.header: dict[str, Any] = header
        if self.header.get("format") != FORMAT or self.header.get("version") != VERSION:
            raise UserError(f"{path}: is not a store of format {FORMAT} {VERSION}; {self._remedy}")

    @cached_property
    def _checksums(self) -> np.ndarray:
        """The checksums, read with the first file."""
        checksums = self._file.get(CHECKSUMS_KEY) or b""
        if len(checksums) != CHECKSUM.itemsize * self.header["count"]:
            raise UserError(f"{self.path}: lacks checksums of its files; {self._remedy}")
        return np.frombuffer(checksums, CHECKSUM)

    def close(self) -> None:
        """Let go of the file for good."""
        self._file.close()

    def get(self, name: bytes) -> bytes | None:
        """Return what was put in under ``name``, or None."""
        content = None if name in (HEADER_KEY, CHECKSUMS_KEY) else self._file.get(name)
        if content is not None:
            wanted = CHECKSUM.type(_checksum(name, content))
            place = self._checksums.searchsorted(wanted)
            if place == len(self._checksums) or self._checksums[place] != wanted:
                text = "is not what was stored; the disk may fail"
                raise UserError(f"{self.path}: {name.decode()!r} {text}; {self._remedy}")
        return content

    def names(self) -> Iterator[bytes]:
        """Every name, in order."""
        return (key for key, _ in self._file.keys_and_sizes() if key not in (HEADER_KEY, CHECKSUMS_KEY))


_open_shards: "weakref.WeakValueDictionary[tuple[int, int], _Shard]" = weakref.WeakValueDictionary()
_open_shards_lock = threading.Lock()


def _renew_lock() -> None:
    """Another thread of the parent may hold the lock at a fork; in the child nobody would let go of it."""
    global _open_shards_lock
    _open_shards_lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def _open_shard(path: Path) -> _Shard:
    """Return the process's one handle on a file: LMDB refuses to open a file twice in a process.

    A handle from before a fork belongs to the parent: LMDB forbids its use in the child, which opens its own.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise UserError(f"{path}: does not exist; run the stage that makes it (digit images or parts)") from error
    identity = (status.st_dev, status.st_ino)
    with _open_shards_lock:
        shard = _open_shards.get(identity)
        if shard is not None and shard.process != os.getpid():
            shard.close()
            shard = None
        if shard is None:
            shard = _open_shards[identity] = _Shard(path)
        return shard


class Store:
    """Read access to one or more shards as if they were one.

    Nothing is opened before the first access, and each process opens the files for itself, so a store may be handed to
    worker processes by fork or by pickle; several stores on one file share one handle, and threads may share a store.
    """

    def __init__(self, paths: Path | str | Sequence[Path | str]) -> None:
        """Name the files: one shard, or all shards of a split in order."""
        several = [paths] if isinstance(paths, str | Path) else paths
        self.paths: tuple[Path, ...] = tuple(Path(path) for path in several)
        self._handles: tuple[int, list[_Shard]] | None = None
        """The process that opened the files, and the files."""
        self._recent = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.paths,)

    def _opened(self) -> list[_Shard]:
        handles = self._handles
        if handles is None or handles[0] != os.getpid():
            handles = self._handles = os.getpid(), [_open_shard(path) for path in self.paths]
        return handles[1]

    def find(self, key: str) -> bytes | None:
        """Return the value of ``key``, or None when no shard has it."""
        shards, name, recent = self._opened(), key.encode(), self._recent
        for step in range(len(shards)):
            number = (recent + step) % len(shards)
            value = shards[number].get(name)
            if value is not None:
                self._recent = number
                return value
        return None

    def get(self, key: str, shard: int | None = None) -> bytes:
        """Return the value of ``key``; ``shard`` is its place in ``paths`` where the caller knows it.

        Raises:
            UserError: when the key is not there, naming it and the files.
        """
        value = self.find(key) if shard is None else self._opened()[shard].get(key.encode())
        if value is None:
            where = self.paths if shard is None else (self.paths[shard],)
            files = ", ".join(str(path) for path in where[:3]) + (", ..." if len(where) > 3 else "")
            raise UserError(f"{key!r} is not in {files}; if it should be, run the stage that makes the store again")
        return value

    def __contains__(self, key: str) -> bool:
        return self.find(key) is not None

    def __len__(self) -> int:
        return sum(shard.header["count"] for shard in self._opened())

    def keys(self) -> list[str]:
        """All keys, shard by shard, sorted within a shard; the header is not one of them."""
        return [name.decode() for shard in self._opened() for name in shard.names()]

    @property
    def header(self) -> dict[str, Any]:
        """Header of the first shard."""
        return self._opened()[0].header

    @property
    def headers(self) -> list[dict[str, Any]]:
        """Header of every shard."""
        return [shard.header for shard in self._opened()]

    def excluded(self) -> dict[str, str]:
        """Names that were left out on purpose, with the reason, over all shards."""
        return {name: reason for header in self.headers for name, reason in header.get("excluded", {}).items()}

    @property
    def is_open(self) -> bool:
        """Whether this process holds the files open through this store."""
        return self._handles is not None and self._handles[0] == os.getpid()

    def close(self) -> None:
        """Let go of the files; the next access opens them again."""
        self._handles = None
