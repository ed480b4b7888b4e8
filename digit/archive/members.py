"""What the pieces hold: tables of all images, made by one header pass and kept beside the pieces.

``digit-members/<piece>.npz`` is what the headers of one piece say, so that a pass that was stopped resumes, and of a
piece that is replaced the pass is made again, of no other. ``digit-members/table/`` joins them, sorted by name.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from digit.archive.checksums import read_checksums
from digit.archive.pieces import Pieces
from digit.archive.scan import Scan, scan
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.files import replacing, require_writable, sync, write_json
from digit.run.processes import only_writer

KEPT = "digit-members"
VERSION = 1
COLUMNS = ("names", "offsets", "sizes")
TABLE, HEADER_NAME = "table", "table.json"


@dataclass(frozen=True)
class Members:
    """The images of an archive, sorted by name, and what else the header pass found."""

    pieces: Pieces
    name: np.ndarray
    """(M,) bytes, ``<split>/<path below the split>``."""
    piece: np.ndarray
    """(M,) number of the piece in which the content begins."""
    offset: np.ndarray
    """(M,) where in it, bytes."""
    size: np.ndarray
    """(M,) bytes."""
    facts: dict[str, Any]
    """See :func:`_write`."""
    places: tuple[Path, Path]
    """Where what is found out about the archive may be kept: beside it, or else in the run."""

    def rows(self, names: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Find names (n,): their rows, 0 if absent, and whether they are there."""
        wanted = np.array(names, "S") if len(names) else np.empty(0, self.name.dtype)
        if not len(self.name):
            return np.zeros(len(names), np.int64), np.zeros(len(names), bool)
        # Names longer than any here are cut to one that is still longer, so that the table is not copied.
        longer = np.char.str_len(wanted) > self.name.dtype.itemsize
        wanted = wanted.astype(self.name.dtype)
        row = np.minimum(np.searchsorted(self.name, wanted), len(self.name) - 1)
        return row, (self.name[row] == wanted) & ~longer

    def read(self, row: int) -> bytes:
        """Content of an image; shorter than its size when a piece has been cut off since the header pass.

        Raises:
            UserError: when the system refuses.
        """
        return self.pieces.read(*self.pieces.locate(int(self.piece[row]), int(self.offset[row])), int(self.size[row]))


def open_members(folder: Path, elsewhere: Path) -> Members:
    """Open the tables of an archive; when there are none, or the pieces have changed, make them.

    Args:
        folder: with the pieces.
        elsewhere: where the tables are kept when nothing can be written beside the pieces.

    Raises:
        UserError: as :meth:`Pieces.of`, or when the system refuses to read or write.
    """
    pieces = Pieces.of(folder, tuple(read_checksums(folder)))
    places = (folder / KEPT, elsewhere)
    for place in places:
        members = _load(place, pieces, places)
        if members is not None:
            return members
    place = writable_place(*places)
    with only_writer(place / ".lock"):
        members = _load(place, pieces, places)
        if members is None:
            _write(place, pieces, _scan_all(place, pieces))
            members = _load(place, pieces, places)
    if members is None:
        raise UserError(f"{place}: does not read back what was written; check the disk, delete it and run again")
    return members


def writable_place(beside: Path, elsewhere: Path) -> Path:
    """Return the first of two folders, unless nothing can be written there."""
    try:
        require_writable(beside / HEADER_NAME)
    except UserError as error:
        log.info("%s, so what is found out about the archive is kept in %s", str(error).partition(";")[0], elsewhere)
        return elsewhere
    return beside


def _scan_all(place: Path, pieces: Pieces) -> dict[int, Scan]:
    """Pass over the headers of every piece that is there; what was kept of a piece as it is now is not read again."""
    scans: dict[int, Scan] = {}
    present = [number for number, piece in enumerate(pieces.pieces) if piece.size is not None]
    start: int | None = 0
    for number in track(present, f"reading the headers of {pieces.folder}", len(present)):
        if number and number - 1 not in scans:
            start = None
        path = place / f"{pieces.pieces[number].name}.npz"
        # A header may lie across the border, so what was kept counts only for the same neighbour.
        key = orjson.dumps([VERSION, start, [piece.identity for piece in pieces.pieces[number : number + 2]]])
        found = _read_scan(path, key)
        if found is None:
            found = scan(pieces, number, start)
            _write_scan(path, key, found)
        scans[number], start = found, max(found.end, start or 0) - (pieces.pieces[number].size or 0)
    return scans


def _read_scan(path: Path, key: bytes) -> Scan | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            if file["key"].tobytes() != key:
                return None
            columns = {name: file[name] for name in COLUMNS}
            return Scan(**orjson.loads(file["facts"].tobytes()), **columns)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _write_scan(path: Path, key: bytes, found: Scan) -> None:
    facts = orjson.dumps({name: value for name, value in vars(found).items() if name not in COLUMNS})
    columns = {name: getattr(found, name) for name in COLUMNS}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, key=np.frombuffer(key, np.uint8), facts=np.frombuffer(facts, np.uint8), **columns)


def _write(place: Path, pieces: Pieces, scans: dict[int, Scan]) -> None:
    """Join what the pieces hold to one table, sorted by name; of equal names the last one counts, as for ``tar``."""
    reach = _reach(pieces, scans)
    numbers = sorted(scans)
    piece = np.repeat(np.array(numbers, np.int16), [len(scans[k].names) for k in numbers])
    name, offset, size = (np.concatenate([getattr(scans[k], column) for k in numbers]) for column in COLUMNS)
    whole = offset + size <= reach[piece]
    order = np.argsort(name, kind="stable")
    last = np.append(name[order][1:] != name[order][:-1], True)
    order = order[last & whole[order]]
    columns = {"name": name[order], "piece": piece[order], "offset": offset[order], "size": size[order]}
    with replacing(place / TABLE) as temporary:
        temporary.mkdir()
        for column, array in columns.items():
            np.save(temporary / f"{column}.npy", array)
        facts = {
            "version": VERSION,
            "pieces": [piece.identity for piece in pieces.pieces],
            "broken": [k for k in numbers if scans[k].broken],
            "damaged": {str(k): scans[k].damaged for k in numbers if scans[k].damaged},
            "hostile": [entry for k in numbers for entry in scans[k].hostile],
            "others": sum(scans[k].others for k in numbers),
            "incomplete": int((~whole).sum()),
            "ended": scans[numbers[-1]].ended,
        }
        write_json(temporary / HEADER_NAME, facts)
        sync(temporary)


def _reach(pieces: Pieces, scans: dict[int, Scan]) -> np.ndarray:
    """Bytes (P,) from the beginning of each piece to where the next one is missing or does not continue."""
    reach = np.zeros(len(pieces), np.int64)
    for number in reversed(range(len(pieces))):
        continued = number + 1 in scans and not scans[number + 1].broken
        reach[number] = (pieces.pieces[number].size or 0) + (reach[number + 1] if continued else 0)
    return reach


def _load(place: Path, pieces: Pieces, places: tuple[Path, Path]) -> Members | None:
    """Open the tables if they are those of the pieces as they are now."""
    try:
        facts = orjson.loads((place / TABLE / HEADER_NAME).read_bytes())
        if facts["version"] != VERSION or facts["pieces"] != [list(piece.identity) for piece in pieces.pieces]:
            return None
        columns = {
            name: np.load(place / TABLE / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("name", "piece", "offset", "size")
        }
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
    return Members(pieces, facts=facts, places=places, **columns)
