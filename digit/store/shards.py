"""Shards: many small files as one LMDB file, bytes untouched.

LMDB gives every value above 2 KB pages of its own, half a page too many on average. So a shard packs its files into
*blocks* of about a megabyte: a zero byte and the block's number (4 bytes, big-endian) lead to a block; a name
(UTF-8) leads to an *entry*, which says where the file lies (:data:`ENTRY`); ``__header__`` leads to a JSON object that
says what the shard is. Equal input gives equal bytes. Each file has a checksum, which is compared whenever it is read.
"""

import os
import struct
import threading
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from digit.run.errors import UserError
from digit.store.lmdb_file import LmdbFile, Pair, write_lmdb

FORMAT = "digit-store"
VERSION = 3
HEADER_KEY = b"__header__"
BLOCK_BYTES = 1 << 20
ENTRY = struct.Struct("<IIII")
"""Block number, first byte in the block, length, CRC-32; little-endian."""


def write_shard(
    path: Path,
    items: Iterable[tuple[str, bytes]],
    header: dict[str, Any] | Callable[[], dict[str, Any]],
    expected: int | None = None,
) -> int:
    """Write a shard, all or nothing, and verify it before it gets its name.

    Args:
        path: the file to write or replace.
        items: names and contents; what is read together should come together.
        header: JSON object for the shard's header, or a function that gives it once ``items`` is exhausted.
            ``format``, ``version`` and ``count`` are added.
        expected: number of items that must arrive, if known.

    Returns:
        The number of items written.

    Raises:
        ValueError: when a name occurs twice or the number of items is not the expected one.
        UserError: when the shard cannot be written or does not read back.
    """
    count = 0

    def pairs() -> Iterator[Pair]:
        nonlocal count
        entries: dict[bytes, bytes] = {}
        yield from _blocks(items, entries)
        count = len(entries)
        if expected is not None and count != expected:
            raise ValueError(f"{path}: {count} items arrived, {expected} expected")
        document = header() if callable(header) else header
        fixed = {"format": FORMAT, "version": VERSION, "count": count}
        entries[HEADER_KEY] = orjson.dumps(fixed | document, option=orjson.OPT_SORT_KEYS)
        yield from sorted(entries.items())

    write_lmdb(path, pairs())
    return count


def _blocks(items: Iterable[tuple[str, bytes]], entries: dict[bytes, bytes]) -> Iterator[Pair]:
    """Yield the blocks, and fill in where each item lies."""
    block, number = bytearray(), 0
    for name, content in items:
        key = name.encode()
        if key in entries or key == HEADER_KEY:
            raise ValueError(f"the name {name!r} occurs twice")
        if block and len(block) + len(content) > BLOCK_BYTES:
            yield _block_key(number), bytes(block)
            block, number = bytearray(), number + 1
        entries[key] = ENTRY.pack(number, len(block), len(content), zlib.crc32(content))
        block += content
    if block:
        yield _block_key(number), bytes(block)


def _block_key(number: int) -> bytes:
    return b"\0" + number.to_bytes(4)


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

    def close(self) -> None:
        """Let go of the file for good."""
        self._file.close()

    def get(self, name: bytes) -> bytes | None:
        """Return what was put in under ``name``, or None."""
        entry = self._file.get(name)
        if entry is None or name == HEADER_KEY or name.startswith(b"\0"):
            return None
        number, start, length, checksum = ENTRY.unpack(entry)
        content = self._file.get_part(_block_key(number), start, start + length) if length else b""
        if content is None or len(content) != length or zlib.crc32(content) != checksum:
            raise UserError(f"{self.path}: {name.decode()!r} is not what was stored; the disk may fail; {self._remedy}")
        return content

    def names(self) -> Iterator[bytes]:
        """Every name, in order."""
        return (key for key, _ in self._file.items(first=b"\1") if key != HEADER_KEY)


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

    def close(self) -> None:
        """Let go of the files; the next access opens them again."""
        self._handles = None
