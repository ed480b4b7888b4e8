"""One file of the release from several mirrors: resumed where it stands, retried with growing pauses, then verified."""

import contextlib
import errno
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import requests

from digit.archive.checksums import md5_of
from digit.download.answers import AnswerError, read_from
from digit.run.console import log
from digit.run.errors import UserError, refusal
from digit.run.files import sync

FULL = (errno.ENOSPC, errno.EDQUOT)


class Stopped(Exception):  # noqa: N818
    """Another file's failure, or the user, ends all downloads."""


@dataclass(frozen=True)
class Patience:
    """How long to try."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    longest_asked_s: float = 600.0
    """Of the pauses that servers ask for."""
    tries: int = 8
    """Attempts in a row that bring no byte, at the last mirror that is left."""
    tries_of_several: int = 3
    """The same, while there is another mirror."""
    timeout_s: float = 60.0


@dataclass
class Fetcher:
    """Fetches files below the addresses of mirrors; several threads may use it."""

    mirrors: Sequence[str]
    told: Callable[[int], None] = lambda _: None
    """Hears how many bytes arrived; a number below zero when they have to be fetched again."""
    patience: Patience = Patience()
    stop: threading.Event = field(default_factory=threading.Event)
    _troubles: Counter[str] = field(default_factory=Counter)
    """Files that each mirror could not give."""

    def fetch(self, name: str, folder: Path, find_fault: Callable[[Path, str], str | None]) -> None:
        """Fetch ``folder/name``; what an interrupted attempt left of it is kept.

        Args:
            name: of the file, below the mirrors and in the folder.
            folder: where it goes; until it is complete and sound its name is that of :func:`partial_path`.
            find_fault: says what is wrong with a file, given its path and MD5, or None. A wrong file is fetched again,
                once, from another mirror if there is one.

        Raises:
            UserError: in words, what all mirrors did instead, or what the system refused.
            Stopped: when ``stop`` is set.
        """
        path, mirrors = folder / name, sorted(self.mirrors, key=self._troubles.__getitem__)
        partial = partial_path(path)
        with _naming(path):
            used, fault = self._fetch_once(name, partial, mirrors, find_fault)
            if fault is not None:
                mirrors = [mirror for mirror in mirrors if mirror != used] + [used]
                log.warning("%s: what came from %s %s; fetching it again from %s", name, used, fault, mirrors[0])
                used, fault = self._fetch_once(name, partial, mirrors, find_fault)
            if fault is not None:
                raise UserError(
                    f"{name}: what came from {used} {fault}, also at the second attempt; either the copies there are "
                    "damaged, or something on the way changes them: try another network, or other data.mirrors"
                )
            sync(partial)
            partial.replace(path)

    def _fetch_once(
        self, name: str, partial: Path, mirrors: list[str], find_fault: Callable[[Path, str], str | None]
    ) -> tuple[str, str | None]:
        """Complete a file; the mirror that sent its end, and what is wrong with it. A wrong file is removed."""
        used, md5 = self._complete(name, partial, mirrors)
        fault = find_fault(partial, md5)
        if fault is not None:
            self.told(-partial.stat().st_size)
            partial.unlink()
        return used, fault

    def _complete(self, name: str, partial: Path, mirrors: list[str]) -> tuple[str, str]:
        """Fetch what ``partial`` lacks; the mirror that sent its end, and the MD5 of all."""
        partial.parent.mkdir(parents=True, exist_ok=True)
        digest = md5_of(partial) if partial.exists() else hashlib.md5(usedforsecurity=False)
        words = []
        with partial.open("ab") as file, requests.Session() as session:
            for left, mirror in zip(reversed(range(len(mirrors))), mirrors, strict=True):
                tries = self.patience.tries_of_several if left else self.patience.tries
                try:
                    self._read_rest(session, f"{mirror.rstrip('/')}/{name}", file, digest, tries)
                    return mirror, digest.hexdigest()
                except AnswerError as error:
                    self._troubles[mirror] += 1
                    words.append(f"\n    {mirror} {error.words}")
        raise UserError(f"{name}: cannot be fetched; what has arrived is kept, run again to resume:{''.join(words)}")

    def _read_rest(
        self, session: requests.Session, url: str, file: BinaryIO, digest: "hashlib._Hash", tries: int
    ) -> None:
        """Append the rest of a file from one address, in as many attempts as bring something."""
        fruitless = 0
        while True:
            before = file.tell()
            try:
                for chunk in read_from(session, url, before, self.patience.timeout_s):
                    file.write(chunk)
                    digest.update(chunk)
                    self.told(len(chunk))
                    if self.stop.is_set():
                        raise Stopped
                file.flush()
                return
            except AnswerError as error:
                fruitless = 0 if file.tell() > before else fruitless + 1
                if error.lasting or fruitless >= tries:
                    raise
                pause_s = min(self.patience.first_pause_s * 2 ** max(fruitless - 1, 0), self.patience.longest_pause_s)
                pause_s = max(pause_s, min(error.pause_s or 0.0, self.patience.longest_asked_s))
                log.info("%s %s; trying again in %.0f s", url, error.words, pause_s)
                if self.stop.wait(pause_s):
                    raise Stopped from None


def partial_path(path: Path) -> Path:
    """Name of a file that has not arrived completely."""
    return path.with_name(f".{path.name}.partial")


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the system refuses in the block into a :class:`UserError` that says what becomes of ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise UserError(
                f"{path}: the disk is full; free some space and run again, what has arrived is kept"
            ) from error
        raise UserError(
            f"{path}: cannot be written ({refusal(error)}); choose another folder, or mend its rights"
        ) from error
