"""LMDB shards: many small files as one, values untouched, readable by any LMDB library.

A shard is a single LMDB file (no sub-folder, no lock file). Its keys are UTF-8 names, its values the bytes that
were put in, and under ``__header__`` lies a JSON object that says what the shard is. Equal input gives equal bytes.
"""

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lmdb
import orjson

from digit.errors import UserError
from digit.files import replacing

FORMAT = "digit-store"
VERSION = 1
HEADER_KEY = b"__header__"
TRANSACTION_BYTES = 64 << 20
_FIRST_MAP_BYTES = 1 << 26
_OPTIONS: dict[str, Any] = {"subdir": False, "lock": False, "max_dbs": 0}


def write_shard(
    path: Path,
    items: Iterable[tuple[str, bytes]],
    header: dict[str, Any] | Callable[[], dict[str, Any]],
    expected: int | None = None,
) -> int:
    """Write a shard, all or nothing, and verify it before it gets its name.

    Args:
        path: the file to write or replace.
        items: names and values; fastest, and byte-identical from run to run, in the order of their UTF-8 names.
        header: JSON object for the shard's header, or a function that gives it once ``items`` is exhausted.
            ``format``, ``version`` and ``count`` are added.
        expected: number of items that must arrive, if known.

    Returns:
        The number of items written.

    Raises:
        ValueError: when a name occurs twice or the number of items is not the expected one.
        UserError: when the shard cannot be written or does not read back.
    """
    with replacing(path) as temporary:
        try:
            with _Writer(temporary) as writer:
                for name, value in items:
                    writer.put(name.encode(), value)
                writer.flush()
                sizes = writer.sizes
                if expected is not None and len(sizes) != expected:
                    raise ValueError(f"{path}: {len(sizes)} items arrived, {expected} expected")
                document = header() if callable(header) else header
                fixed = {"format": FORMAT, "version": VERSION, "count": len(sizes)}
                writer.put(HEADER_KEY, orjson.dumps(fixed | document, option=orjson.OPT_SORT_KEYS))
        except (lmdb.Error, OSError) as error:
            raise UserError(f"{path}: cannot be written ({error}); free some disk space or check the folder") from error
        _verify(temporary, sizes)
    return len(sizes) - 1


class _Writer:
    """Puts values in large transactions, growing the map before each one."""

    def __init__(self, path: Path) -> None:
        self.sizes: dict[bytes, int] = {}
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_bytes = 0
        self._last = b""
        self._map_bytes = _FIRST_MAP_BYTES
        self._env = lmdb.open(str(path), map_size=self._map_bytes, sync=False, **_OPTIONS)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
                self._env.sync(True)
        finally:
            self._env.close()

    def put(self, key: bytes, value: bytes) -> None:
        """Queue one value."""
        if key in self.sizes:
            raise ValueError(f"the name {key.decode()!r} occurs twice")
        self.sizes[key] = len(value)
        self._pending.append((key, value))
        self._pending_bytes += len(value)
        if self._pending_bytes >= TRANSACTION_BYTES:
            self.flush()

    def flush(self) -> None:
        """Commit what is queued."""
        self._reserve()
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


def _verify(path: Path, sizes: dict[bytes, int]) -> None:
    """Read the names and sizes back and compare."""
    shard = _Shard(path)
    found = dict(shard.names_and_sizes())
    if found != sizes:
        raise UserError(f"{path}: does not read back as written; check the disk, then run the stage again")


class _Shard:
    """One open, read-only LMDB file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        remedy = "delete this file and run the stage that makes it again"
        try:
            size = path.stat().st_size
            self._env = lmdb.open(str(path), readonly=True, readahead=False, max_readers=1, **_OPTIONS)
        except FileNotFoundError as error:
            raise UserError(f"{path}: does not exist; run the stage that makes it (digit images or parts)") from error
        except (lmdb.Error, OSError) as error:
            raise UserError(f"{path}: is not a readable store ({error}); {remedy}") from error
        if size < (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]:
            self._env.close()
            raise UserError(f"{path}: is cut off; {remedy}")
        raw = self.get(HEADER_KEY)
        try:
            self.header: dict[str, Any] = orjson.loads(raw or b"")
        except orjson.JSONDecodeError as error:
            raise UserError(f"{path}: has no readable header, so it was not made by digit; {remedy}") from error
        if self.header.get("format") != FORMAT or self.header.get("version") != VERSION:
            raise UserError(f"{path}: is not a store of format {FORMAT} {VERSION}; {remedy}")

    def __del__(self) -> None:
        env = getattr(self, "_env", None)
        if env is not None:
            env.close()

    def get(self, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        try:
            with self._env.begin() as transaction:
                return transaction.get(key)
        except lmdb.BadValsizeError:
            return None
        except lmdb.Error as error:
            raise UserError(f"{self.path}: is damaged ({error}); delete it and run its stage again") from error

    def names_and_sizes(self) -> Iterator[tuple[bytes, int]]:
        """Every key with the length of its value, in key order."""
        try:
            with self._env.begin(buffers=True) as transaction:
                for key, value in transaction.cursor():
                    yield bytes(key), len(value)
        except lmdb.Error as error:
            raise UserError(f"{self.path}: is damaged ({error}); delete it and run its stage again") from error


_open_shards: "weakref.WeakValueDictionary[tuple[int, int, int], _Shard]" = weakref.WeakValueDictionary()
_open_shards_lock = threading.Lock()


def _open_shard(path: Path) -> _Shard:
    """Return the process's one handle on a file: LMDB refuses to open a file twice in a process."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return _Shard(path)
    identity = (status.st_dev, status.st_ino, status.st_mtime_ns)
    with _open_shards_lock:
        shard = _open_shards.get(identity)
        if shard is None:
            shard = _open_shards[identity] = _Shard(path)
        return shard


class Store:
    """Read access to one or more shards as if they were one.

    Nothing is opened before the first access, so a store may be made before worker processes fork or be sent to
    them by pickle; several stores on one file share one handle.
    """

    def __init__(self, paths: Path | str | Sequence[Path | str]) -> None:
        """Name the files: one shard, or all shards of a split in order."""
        several = [paths] if isinstance(paths, str | Path) else paths
        self.paths: tuple[Path, ...] = tuple(Path(path) for path in several)
        self._shards: list[_Shard] | None = None
        self._recent = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.paths,)

    def _opened(self) -> list[_Shard]:
        if self._shards is None:
            self._shards = [_open_shard(path) for path in self.paths]
        return self._shards

    def find(self, key: str) -> bytes | None:
        """Return the value of ``key``, or None when no shard has it."""
        shards, name = self._opened(), key.encode()
        for step in range(len(shards)):
            number = (self._recent + step) % len(shards)
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
            raise UserError(f"{key!r} is not in {files}; delete the store and run the stage that makes it again")
        return value

    def __contains__(self, key: str) -> bool:
        return self.find(key) is not None

    def __len__(self) -> int:
        return sum(shard.header["count"] for shard in self._opened())

    def keys(self) -> list[str]:
        """All keys, shard by shard, sorted within a shard; the header is not one of them."""
        names = (name for shard in self._opened() for name, _ in shard.names_and_sizes())
        return [name.decode() for name in names if name != HEADER_KEY]

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
        self._shards = None
