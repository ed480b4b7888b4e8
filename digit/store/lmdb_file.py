"""One LMDB file: written in large transactions, verified before it gets its name; read without surprises.

A file is a single LMDB environment (no sub-folder, no lock file).
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import lmdb

from digit.run.errors import UserError
from digit.run.files import replacing

TRANSACTION_BYTES = 64 << 20
FIRST_MAP_BYTES = 1 << 26
LONGEST_KEY = 511
"""Bytes; LMDB's own limit."""
ALREADY_OPEN = "already open in this process"
"""What py-lmdb says when a file has a handle already."""
SECONDS_TO_CLOSE = 1.0
_OPTIONS: dict[str, Any] = {"lock": False, "max_dbs": 0}
Pair = tuple[bytes, bytes]


def write_lmdb(path: Path, pairs: Iterable[Pair]) -> None:
    """Write keys and values as one file, all or nothing, and compare keys and lengths before it gets its name.

    Fastest, and smallest, in the order of keys.

    Raises:
        ValueError: when a key occurs twice.
        UserError: when the file cannot be written or does not read back.
    """
    with replacing(path) as temporary:
        try:
            with _Writer(temporary) as writer:
                for key, value in pairs:
                    writer.put(key, value)
        except (lmdb.Error, OSError) as error:
            raise UserError(f"{path}: cannot be written ({error}); free some disk space or check the folder") from error
        if dict(LmdbFile(temporary).keys_and_sizes()) != writer.sizes:
            raise UserError(f"{path}: does not read back as written; check the disk, then run the stage again")


class _Writer:
    """Puts values in large transactions, growing the map before each one."""

    def __init__(self, path: Path) -> None:
        self.sizes: dict[bytes, int] = {}
        self._pending: list[Pair] = []
        self._pending_bytes = 0
        self._last = b""
        self._map_bytes = FIRST_MAP_BYTES
        self._env = lmdb.open(str(path), map_size=self._map_bytes, subdir=False, sync=False, **_OPTIONS)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._env.sync(True)
        finally:
            self._env.close()

    def put(self, key: bytes, value: bytes) -> None:
        """Queue one value."""
        if key in self.sizes:
            raise ValueError(f"the key {key!r} occurs twice")
        if not 0 < len(key) <= LONGEST_KEY:
            text = f"a name in a store has 1 to {LONGEST_KEY} bytes, not {len(key)}"
            raise UserError(f"{key.decode()!r}: {text}; rename it")
        self.sizes[key] = len(value)
        self._pending.append((key, value))
        self._pending_bytes += len(value)
        if self._pending_bytes >= TRANSACTION_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Commit what is queued, in the order of keys: pages that are filled in order are full."""
        self._reserve()
        self._pending.sort()
        with self._env.begin(write=True) as transaction:
            for key, value in self._pending:
                transaction.put(key, value, append=key > self._last)
                self._last = max(key, self._last)
        self._pending, self._pending_bytes = [], 0

    def _reserve(self) -> None:
        """Grow the map to what is used plus a generous bound for what is queued."""
        page = self._env.stat()["psize"]
        used = (self._env.info()["last_pgno"] + 1) * page
        needed = used + 2 * self._pending_bytes + (4 * len(self._pending) + 64) * page
        while self._map_bytes < needed:
            self._map_bytes *= 2
        self._env.set_mapsize(self._map_bytes)


def _open_for_reading(path: Path) -> lmdb.Environment:
    """Open a file; a handle that another thread has just let go of may still be closing, and LMDB allows only one."""
    options = _OPTIONS | {"readonly": True, "readahead": False, "max_readers": 1}
    patience = time.monotonic() + SECONDS_TO_CLOSE
    while True:
        try:
            return lmdb.open(str(path), subdir=False, **options)
        except lmdb.Error as error:
            if ALREADY_OPEN not in str(error) or time.monotonic() > patience:
                raise
        time.sleep(0.001)


class LmdbFile:
    """One open, read-only LMDB file, or folder with a ``data.mdb``.

    Raises:
        UserError: when it is missing, cut off or no LMDB file.
    """

    def __init__(self, path: Path, remedy: str = "delete this file and run the stage that makes it again") -> None:
        self.path, self.remedy = path, remedy
        content = path / "data.mdb" if path.is_dir() else path
        try:
            size = content.stat().st_size
            self._env = _open_for_reading(content)
        except FileNotFoundError as error:
            raise UserError(f"{content}: does not exist; {remedy}") from error
        except OSError as error:
            raise UserError(f"{content}: cannot be read ({error.strerror}); {remedy}") from error
        except lmdb.Error as error:
            if ALREADY_OPEN in str(error):
                raise UserError(f"{content}: is read by something else in this process; close that first") from error
            reason = str(error).removeprefix(f"{content}: ")
            raise UserError(f"{content}: is not a readable store ({reason}); {remedy}") from error
        if size < (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]:
            self._env.close()
            raise UserError(f"{content}: is cut off; {remedy}")

    def close(self) -> None:
        """Let go of the file for good."""
        env = getattr(self, "_env", None)
        if env is not None:
            env.close()

    __del__ = close

    def get(self, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        return self.get_part(key, 0, None)

    def get_part(self, key: bytes, start: int, past: int | None) -> bytes | None:
        """Return bytes ``start`` to ``past`` of the value of ``key``, or None; the rest of it is not touched."""
        try:
            with self._env.begin(buffers=True) as transaction:
                value = transaction.get(key)
                return None if value is None else bytes(value[start:past])
        except lmdb.BadValsizeError:
            return None
        except lmdb.Error as error:
            raise UserError(f"{self.path}: is damaged ({error}); {self.remedy}") from error

    def keys_and_sizes(self) -> Iterator[tuple[bytes, int]]:
        """Every key with the length of its value, in key order."""
        for key, value in self._items():
            yield key, len(value)

    def items(self, first: bytes = b"") -> Iterator[Pair]:
        """Every key from ``first`` on with its value, in key order."""
        for key, value in self._items(first):
            yield key, bytes(value)

    def _items(self, first: bytes = b"") -> Iterator[tuple[bytes, memoryview]]:
        try:
            with self._env.begin(buffers=True) as transaction:
                cursor = transaction.cursor()
                if cursor.set_range(first):
                    for key, value in cursor:
                        yield bytes(key), value
        except lmdb.Error as error:
            raise UserError(f"{self.path}: is damaged ({error}); {self.remedy}") from error
