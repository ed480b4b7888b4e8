"""What an earlier run of the same job stored, so that a job redoes only what changed.

A finished shard is kept under a second name, ``.previous/<name>``: a hard link, which takes no space. Snakemake removes
a job's outputs before it runs the job again; the link stays until the new shard replaces it.
"""

import os
from pathlib import Path

from digit.data.store import Store
from digit.errors import UserError
from digit.files import replacing


def kept_path(path: Path) -> Path:
    """Second name of a finished shard."""
    return path.parent / ".previous" / path.name


def keep(path: Path) -> None:
    """Give a finished shard its second name, where the file system can."""
    try:
        with replacing(kept_path(path)) as temporary:
            os.link(path, temporary)
    except OSError:
        kept_path(path).unlink(missing_ok=True)


class Earlier:
    """The earlier shard of a job, if there is a sound one."""

    def __init__(self, path: Path) -> None:
        """Look for what was kept of the shard ``path``."""
        kept = kept_path(path)
        self._store: Store | None = Store(kept)
        self._written_ns = 0
        self.used = 0
        """Files that were taken from here."""
        try:
            self.header = self._store.header
            self._written_ns = kept.stat().st_mtime_ns
        except (UserError, OSError):
            self.header, self._store = {}, None

    def find(self, name: str) -> bytes | None:
        """Return what was stored under a name, or None."""
        try:
            return None if self._store is None else self._store.find(name)
        except UserError:
            return None

    def unchanged(self, name: str, source: str) -> bytes | None:
        """Return what was stored under a name, unless its source file is another one by size or time, or gone."""
        if self._store is None:
            return None
        try:
            status = Path(source).stat()
        except OSError:
            return None
        if max(status.st_mtime_ns, status.st_ctime_ns) >= self._written_ns:
            return None
        content = self.find(name)
        if content is None or len(content) != status.st_size:
            return None
        self.used += 1
        return content
