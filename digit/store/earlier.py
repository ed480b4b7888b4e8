"""What an earlier run of the same job stored, so that a job redoes only what changed.

A finished shard is kept under a second name, ``.previous/<name>``: a hard link, which takes no space. Snakemake removes
a job's outputs before it runs the job again; the link stays until the new shard replaces it. Beside it,
``.previous/<name>.sources`` says what the files that went into it were when they were read.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from digit.run.errors import UserError
from digit.run.files import remove, replacing
from digit.store.jpeg import Signature
from digit.store.shards import Store


@dataclass
class Sources:
    """The files that a shard was made from."""

    root: str = ""
    """The folder they lie in."""
    files: dict[str, Signature | None] = field(default_factory=dict)
    """Signature of each by name, taken before it was read; None where there was no file."""

    @classmethod
    def read(cls, path: Path) -> "Sources":
        """Read what :func:`keep` wrote; of no file, or a damaged one, there are no sources."""
        try:
            document = orjson.loads(path.read_bytes())
            files = {name: None if of_file is None else tuple(of_file) for name, of_file in document["files"].items()}
            return cls(document["root"], files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()


def kept_path(path: Path) -> Path:
    """Second name of a finished shard."""
    return path.parent / ".previous" / path.name


def keep(path: Path, sources: Sources | None = None) -> None:
    """Give a finished shard its second name, where the file system can, and put its sources beside it."""
    kept = kept_path(path)
    _sources_path(kept).unlink(missing_ok=True)
    try:
        with replacing(kept) as temporary:
            os.link(path, temporary)
        if sources is not None:
            with replacing(_sources_path(kept)) as temporary:
                temporary.write_bytes(orjson.dumps({"root": sources.root, "files": sources.files}))
    except UserError:
        kept.unlink(missing_ok=True)
    remove(_opened_path(kept))


def forget_surplus(folder: Path, shards: int) -> None:
    """Remove what an earlier run with more than ``shards`` shards left in a folder of shards, kept ones included."""
    for place in (folder, folder / ".previous"):
        for path in place.glob("*") if place.is_dir() else ():
            number = re.match(r"\.?(\d+)\.", path.name)
            if number and int(number[1]) >= shards:
                path.unlink(missing_ok=True)


class Earlier:
    """The earlier shard of a job, if there is a sound one.

    It loses its second name when it is opened, and gets it back when the job is finished: a shard so damaged that
    reading it kills the job is not there when the job is tried again.
    """

    def __init__(self, path: Path) -> None:
        """Look for what was kept of the shard ``path``."""
        kept = kept_path(path)
        self._opened = _opened_path(kept)
        remove(self._opened)
        self.header: dict[str, Any] = {}
        self.sources = Sources()
        self._store: Store | None = None
        try:
            os.replace(kept, self._opened)
            store = Store(self._opened)
            self.header, self.sources, self._store = store.header, Sources.read(_sources_path(kept)), store
        except (UserError, OSError):
            return

    def find(self, name: str) -> bytes | None:
        """Return what was stored under a name, or None."""
        try:
            return None if self._store is None else self._store.find(name)
        except UserError:
            return None

    def restore(self, path: Path) -> bool:
        """Make this the shard ``path`` again, as if written now, unless it or the file system is damaged."""
        try:
            if self._store is None:
                return False
            for name in self._store.keys():  # noqa: SIM118
                self._store.get(name)
            with replacing(path) as temporary:
                os.utime(self._opened)
                os.link(self._opened, temporary)
        except (UserError, OSError):
            return False
        return True


def _opened_path(kept: Path) -> Path:
    return kept.with_name(f".{kept.name}.opened")


def _sources_path(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}.sources")
