"""What is wrong with an archive: pieces that are missing, short, swapped or damaged, and members that do not belong.

What keeps no image of the split from being read is a warning, everything else an error.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from digit.archive.checksums import Verified, md5_of, read_checksums
from digit.archive.members import writable_place
from digit.archive.pieces import Piece
from digit.archive.source import ImageArchive
from digit.release.problems import Problems
from digit.run.console import log, track
from digit.run.processes import only_writer

FETCH = "run `digit download` with data.image_archive set to this folder, or fetch these pieces again"
CAPTURES_SHOWN = 8
CAPTURE = re.compile(r"(?:(?:train|val|test)/)?Capture\d+")


def audit_archive(source: ImageArchive, names: Sequence[str], problems: Problems) -> None:
    """Compare an archive with its checksum file and with the annotated ``names`` of a split.

    Raises:
        UserError: when the system refuses to read.
    """
    rows, found = source.rows(names)
    wrong_sums = _wrong_sums(source)
    holds_split = set(np.unique(source.members.piece[rows[found]]).tolist())

    def note(what: str, numbers: Iterable[int], examples: Sequence[str], remedy: str = FETCH) -> None:
        if examples:
            concerned = not found.all() or not holds_split.isdisjoint(numbers)
            add = problems.error if concerned else problems.warn
            add(source.members.pieces.folder, what, remedy, examples)

    _audit_pieces(source, wrong_sums, note)
    lacking = [name for name, there in zip(names, found.tolist(), strict=True) if not there]
    if lacking and len(lacking) < len(names):
        log.info("check %s: images that the archive lacks are of %s", source.split, captures_of(lacking))
    _audit_members(source, rows[found], problems)


def _audit_pieces(source: ImageArchive, wrong_sums: dict[int, str], note: Callable[..., None]) -> None:
    """Name pieces that are missing, or not what they should be, each with what it holds."""
    facts, pieces = source.members.facts, source.members.pieces.pieces
    missing = [number for number, piece in enumerate(pieces) if piece.size is None]
    note("pieces are missing", missing, [f"{pieces[k].name}, {_between(source, k)}" for k in missing])
    told = [f"{pieces[k].name} {why}, {_held(source, k)}" for k, why in wrong_sums.items()]
    note("pieces are not what the checksum file says", wrong_sums, told)
    usual = _usual_size(pieces)
    odd = [k for k, piece in enumerate(pieces[:-1]) if piece.size not in (None, usual) and k not in wrong_sums]
    sizes = [f"{pieces[k].name} of {pieces[k].size:,} bytes instead of {usual:,}, {_held(source, k)}" for k in odd]
    note("pieces are shorter or longer than the others", odd, sizes)
    blamed = {*wrong_sums, *odd}
    broken = [k for k in facts["broken"] if not blamed & {k - 1, k}]
    joints = [f"{pieces[k - 1].name} and {pieces[k].name}, {_held(source, k)}" for k in broken]
    remedy = "one of both is cut off, damaged, under a wrong name or of another archive: fetch both again"
    note("pieces do not continue each other", broken, joints, remedy)
    damaged = {int(k): places for k, places in facts["damaged"].items() if int(k) not in blamed}
    places = [f"{pieces[k].name} at byte {found[0]:,}, {_held(source, k)}" for k, found in damaged.items()]
    note("pieces are damaged: there is no header where one should be", damaged, places)
    if not facts["ended"] and len(pieces) - 1 not in {*missing, *blamed}:
        what = "the tar does not end with its last piece: that one is cut off, or later ones are missing"
        note(what, (), [pieces[-1].name])


def _audit_members(source: ImageArchive, wanted: np.ndarray, problems: Problems) -> None:
    """Name members that no annotation asks for, and those that must not be followed."""
    members = source.members
    hostile = [f"{name}: {kind}" for name, kind in members.facts["hostile"]]
    if hostile:
        what = "the tar has members that could write outside their folder, or are no files; none is followed"
        problems.warn(members.pieces.folder, what, "images are not affected; do not unpack this tar by hand", hostile)
    first, last = np.searchsorted(members.name, [f"{source.split}/".encode(), f"{source.split}0".encode()])
    unused = np.ones(last - first, bool)
    unused[wanted - first] = False
    if unused.any():
        extra = [name.decode(errors="backslashreplace") for name in members.name[first:last][unused].tolist()]
        remedy = "they are not used; is the archive of the same release and frame rate as the annotations?"
        problems.warn(source.place, "images that no annotation names", remedy, extra)


def _wrong_sums(source: ImageArchive) -> dict[int, str]:
    """What is wrong with the pieces whose MD5 is not the one that the checksum file lists, by their number."""
    pieces = source.members.pieces
    listed = read_checksums(pieces.folder)
    if not listed:
        log.warning("%s: has no checksum file, so damage inside the pieces goes unnoticed", pieces.folder)
        return {}
    owners = {md5: name for name, md5 in listed.items()}
    wrong: dict[int, str] = {}
    sums = _sums(source)
    for number, piece in enumerate(pieces.pieces):
        md5 = sums.get(piece.name)
        if md5 is not None and md5 != listed.get(piece.name, md5):
            owner = owners.get(md5)
            wrong[number] = f"holds {owner}" if owner else f"is damaged (MD5 {md5}, should be {listed[piece.name]})"
    return wrong


def _sums(source: ImageArchive) -> dict[str, str]:
    """MD5 of every piece that is there; those that have not been summed as they are now are summed."""
    pieces, places = source.members.pieces, source.members.places
    sums = {
        piece.name: md5
        for place in places
        for piece in pieces.pieces
        if (md5 := Verified(place / Verified.NAME).md5(piece)) is not None
    }
    unknown = [piece for piece in pieces.pieces if piece.size is not None and piece.name not in sums]
    if unknown:
        place = writable_place(*places)
        with only_writer(place / ".verifying"):
            verified = Verified(place / Verified.NAME)
            for piece in track(unknown, f"verifying {pieces.folder}", len(unknown)):
                if verified.md5(piece) is None:
                    verified.note(piece, md5_of(pieces.folder / piece.name).hexdigest())
                sums[piece.name] = str(verified.md5(piece))
    return sums


def _held(source: ImageArchive, number: int) -> str:
    """Say which captures the images of a piece are of."""
    names = source.members.name[source.members.piece == number].tolist()
    return f"which holds {captures_of([name.decode(errors='replace') for name in names])}"


def _between(source: ImageArchive, number: int) -> str:
    """Say between which images a missing piece lies."""
    members, words = source.members, []
    present = np.unique(members.piece)
    if (present < number).any():
        before = np.flatnonzero(members.piece == present[present < number].max())
        words.append(f"after {members.name[before[np.argmax(members.offset[before])]].decode(errors='replace')}")
    if (present > number).any():
        after = np.flatnonzero(members.piece == present[present > number].min())
        words.append(f"before {members.name[after[np.argmin(members.offset[after])]].decode(errors='replace')}")
    return "images " + " and ".join(words)


def captures_of(names: Sequence[str]) -> str:
    """Say which captures images are of: the folders of their names, at most :data:`CAPTURES_SHOWN`."""
    found = sorted({match[0] if (match := CAPTURE.match(name)) else "other folders" for name in names})
    more = f" and {len(found) - CAPTURES_SHOWN} more" if len(found) > CAPTURES_SHOWN else ""
    return ", ".join(found[:CAPTURES_SHOWN]) + more if found else "no image"


def _usual_size(pieces: Sequence[Piece]) -> int:
    sizes = [piece.size for piece in pieces[:-1] if piece.size is not None]
    return max(set(sizes), key=sizes.count, default=0)
