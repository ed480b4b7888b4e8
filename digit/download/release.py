"""The files of the release: which there are, which are here, and whether the disk has room for the rest."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import requests

from digit.archive.checksums import Verified, md5_of, parse_checksums, read_checksums
from digit.archive.pieces import PIECE, piece_of
from digit.download.annotations import zip_fault
from digit.download.answers import size_of
from digit.download.files import Fetcher, Stopped, partial_path
from digit.download.progress import Meter, in_words, showing
from digit.download.room import require_room
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.files import require_writable

STEM = "InterHand2.6M.images.5.fps.v1.0.tar"
CHECKSUMS = f"{STEM}.CHECKSUM"
CONNECTIONS = 4
SIZE_TIMEOUT_S = 20.0
USUAL_PIECE_BYTES = 1_900_000_000
"""Of a piece whose size no mirror tells."""


def piece_sums(folder: Path, fetcher: Fetcher) -> dict[str, str]:
    """Sums of all files that the release's checksum file lists; it is fetched unless it is in the folder.

    Raises:
        UserError: as :meth:`Fetcher.fetch`, or when the file in the folder is another.
    """
    sums = read_checksums(folder)
    if not sums:
        fetcher.fetch(CHECKSUMS, folder, _checksum_fault)
        sums = read_checksums(folder)
    return {name: md5 for name, md5 in sums.items() if PIECE.fullmatch(name)}


def lacking(folder: Path, sums: dict[str, str], verified: Verified) -> list[str]:
    """Names of pieces that are not here with the right MD5; those that are here unverified are summed.

    Raises:
        OSError: when the system refuses to read one.
    """
    present = [name for name in sums if (folder / name).is_file()]
    unknown = [name for name in present if verified.md5(piece_of(folder / name)) is None]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        found = pool.map(lambda name: md5_of(folder / name).hexdigest(), unknown)
        for name, md5 in zip(unknown, track(found, f"verifying {folder}", len(unknown)), strict=True):
            verified.note(piece_of(folder / name), md5)
    right = {name for name in present if verified.md5(piece_of(folder / name)) == sums[name]}
    return [name for name in sums if name not in right]


def fetch_all(names: Sequence[str], sums: dict[str, str], folder: Path, fetcher: Fetcher, verified: Verified) -> None:
    """Fetch pieces, which have sums, and the zip of annotations, several at once.

    Raises:
        UserError: when the disk has no room, or naming every file that could not be fetched.
    """
    require_writable(folder / names[0])
    stated = _sizes(names, fetcher.mirrors)
    owners = {md5: name for name, md5 in sums.items()}
    for name in names:
        if (folder / name).is_file():
            md5 = str(verified.md5(piece_of(folder / name)))
            _set_aside(folder / name, stated[name], owners.get(md5))
    here = {name: _size(partial_path(folder / name)) for name in names}
    total = sum(max(stated[name] or USUAL_PIECE_BYTES, here[name]) for name in names)
    require_room(folder, total - sum(here.values()), f"{len(names)} files of the release")
    meter = Meter(total, sum(here.values()))
    fetcher.told = meter.add

    def fetch(name: str) -> None:
        fetcher.fetch(name, folder, partial(_sum_fault, sums[name]) if name in sums else zip_fault)
        if name in sums:
            verified.note(piece_of(folder / name), sums[name])

    with showing(meter, f"downloading {len(names)} files"):
        failures = _run_all(fetch, names, fetcher)
    if failures:
        lines = "".join(f"\n  - {words}" for words in failures)
        raise UserError(f"{len(failures)} of {len(names)} files could not be downloaded:{lines}")
    log.info("download: %s in %d files arrived", in_words(meter.done), len(names))


def _set_aside(path: Path, stated: int | None, owner: str | None) -> None:
    """Take a piece with a wrong sum out of the way: half done, say by ``wget``, it is continued, else renamed."""
    if stated is not None and path.stat().st_size < stated and not partial_path(path).exists():
        log.info("%s: is incomplete; resuming where it ends", path)
        path.replace(partial_path(path))
        return
    names = (path.with_name(f"{path.name}.wrong{number or ''}") for number in itertools.count())
    aside = next(other for other in names if not other.exists())
    what = f"holds {owner}" if owner else "has another MD5 than the checksum file says"
    log.warning("%s: %s; it is now %s, which you may delete, and is fetched again", path, what, aside.name)
    path.replace(aside)


def _run_all(function: Callable[[str], None], names: Sequence[str], fetcher: Fetcher) -> list[str]:
    """Call a function for all names on a few threads; what those said that failed."""
    failures = []
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            waiting: set[Future[None]] = {pool.submit(function, name) for name in names}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for task in done:
                    try:
                        task.result()
                    except UserError as error:
                        failures.append(str(error))
                        if isinstance(error.__cause__, OSError):  # of this disk, so of all other files too
                            fetcher.stop.set()
                    except Stopped:
                        continue
        except BaseException:
            fetcher.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failures


def _sum_fault(expected: str, path: Path, md5: str) -> str | None:
    """Say what is wrong with a file whose MD5 should be another."""
    return None if md5 == expected else f"has the MD5 {md5} instead of {expected} ({path.stat().st_size:,} bytes)"


def _checksum_fault(path: Path, _md5: str) -> str | None:
    try:
        sums = parse_checksums(path.read_text(errors="replace"))
    except ValueError as error:
        return f"is no checksum file ({error})"
    return None if any(PIECE.fullmatch(name) for name in sums) else "lists no piece of a tar"


def _sizes(names: Sequence[str], mirrors: Sequence[str]) -> dict[str, int | None]:
    """Size of each file as the first mirror states it that does."""

    def size(name: str) -> int | None:
        with requests.Session() as session:
            stated = (size_of(session, f"{mirror.rstrip('/')}/{name}", SIZE_TIMEOUT_S) for mirror in mirrors)
            return next((bytes_ for bytes_ in stated if bytes_ is not None), None)

    with ThreadPoolExecutor(2 * CONNECTIONS) as pool:
        return dict(zip(names, pool.map(size, names), strict=True))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
