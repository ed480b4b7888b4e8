"""What an earlier run of the same job left, so that a job redoes only what changed."""

import contextlib
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
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


class Earlier:
    """The outputs of a job as an earlier run left them: its shard, what that was made from, and files beside it.

    A finished output is kept under a second name, ``.previous/<name>``: a hard link, which takes no space. Snakemake
    removes a job's outputs before it runs the job again; the link stays until :meth:`keep` replaces it. Beside a shard,
    ``.previous/<name>.sources`` says what the files that went into it were when they were read.

    The shard loses its second name when it is first looked into, and gets it back when the job is finished: one so
    damaged that reading it kills the job is not there when the job is tried again.
    """

    def __init__(self, shard: Path, *beside: Path) -> None:
        """Name the job's outputs; nothing is looked at yet.

        Args:
            shard: the store.
            beside: files in the same folder that belong to it.
        """
        self._shard, self._beside = shard, beside
        self._opened = self.kept(shard).with_name(f".{shard.name}.opened")

    @staticmethod
    def kept(output: Path) -> Path:
        """Second name of an output."""
        return output.parent / ".previous" / output.name

    @cached_property
    def _store(self) -> Store | None:
        """The shard, if there is a sound one."""
        remove(self._opened)
        with contextlib.suppress(UserError, OSError):
            os.replace(self.kept(self._shard), self._opened)
            store = Store(self._opened)
            len(store)  # opens it
            return store
        return None

    @property
    def header(self) -> dict[str, Any]:
        """Header of the shard; empty where there is none."""
        return self._store.header if self._store else {}

    @cached_property
    def sources(self) -> Sources:
        """What the shard was made from; nothing where nobody knows."""
        if self._store is None:
            return Sources()
        try:
            document = orjson.loads(self._sources_path.read_bytes())
            files = {name: None if of_file is None else tuple(of_file) for name, of_file in document["files"].items()}
            return Sources(document["root"], files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Sources()

    def find(self, name: str) -> bytes | None:
        """Return what was stored under a name, or None."""
        with contextlib.suppress(UserError):
            return self._store.find(name) if self._store else None
        return None

    def restore(self) -> bool:
        """Put the shard in its place again as if written now, unless it or the file system is damaged."""
        try:
            if self._store is None:
                return False
            for name in self._store.keys():  # noqa: SIM118
                self._store.get(name)
            with replacing(self._shard) as temporary:
                os.utime(self._opened)
                os.link(self._opened, temporary)
        except (UserError, OSError):
            return False
        return True

    def keep(self, sources: Sources | None = None) -> None:
        """Give the finished outputs their second names, where the file system can, and note what they were made from.

        From here on this object knows nothing of what was there before.
        """
        self._sources_path.unlink(missing_ok=True)
        for output in (self._shard, *self._beside):
            try:
                with replacing(self.kept(output)) as temporary:
                    os.link(output, temporary)
            except UserError:
                self.kept(output).unlink(missing_ok=True)
        if sources is not None and self.kept(self._shard).exists():
            with contextlib.suppress(UserError), replacing(self._sources_path) as temporary:
                temporary.write_bytes(orjson.dumps({"root": sources.root, "files": sources.files}))
        remove(self._opened)

    def forget_surplus(self, shards: int) -> None:
        """Remove what an earlier run with more than ``shards`` shards left in the folder, kept outputs included."""
        for folder in (self._shard.parent, self.kept(self._shard).parent):
            for path in folder.glob("*") if folder.is_dir() else ():
                number = re.match(r"\.?(\d+)\.", path.name)
                if number and int(number[1]) >= shards:
                    path.unlink(missing_ok=True)

    @property
    def _sources_path(self) -> Path:
        kept = self.kept(self._shard)
        return kept.with_name(f"{kept.name}.sources")
