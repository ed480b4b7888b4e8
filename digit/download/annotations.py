"""The zip of annotations: which files are wanted, and unpacking them to their places without trusting a name."""

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from digit.config import SPLITS
from digit.download.room import require_room
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import replacing, sync
from digit.run.layout import ANNOTATION_KINDS, ROOTNET_FILES, annotation_path

ARCHIVE = "InterHand2.6M.annotations.5.fps.zip"
TABLES = ("skeleton.txt", "subject.txt")
OLDER_LAYOUTS = frozenset({"all", "human_annot", "machine_annot"})
"""Folders in the annotations of release v0.0."""


def targets(root: Path) -> dict[str, Path]:
    """Where each file of the annotations goes, by its own name."""
    files = [annotation_path(root, split, kind) for split in SPLITS for kind in ANNOTATION_KINDS]
    files += [root / "annotations" / name for name in TABLES]
    return {path.name: path for path in files}


def lacking_annotations(root: Path) -> list[Path]:
    """Annotation files that are not in the data folder."""
    return [path for path in targets(root).values() if not path.is_file()]


def zip_fault(path: Path, _md5: str = "") -> str | None:
    """Say what is wrong with a file that should be a zip whose members all have their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        return f"is no sound zip file ({error})"
    return None if damaged is None else f"is damaged in {damaged}"


def unpack(path: Path, root: Path) -> None:
    """Unpack the files that the data folder lacks; what is there stays as it is.

    Only the last part of a member's name is looked at, and only known names are written, so no member can reach
    another place. RootNet's results come along, if they are in the zip.

    Raises:
        UserError: when the zip is of another layout, or the disk has no room.
    """
    wanted = targets(root) | {n: root / "rootnet_output" / n for names in ROOTNET_FILES.values() for n in names}
    if fault := zip_fault(path):
        raise UserError(f"{path}: {fault}; delete it and run again")
    with zipfile.ZipFile(path) as archive:
        chosen: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            reason = _suspicion(info)
            name = re.split(r"[/\\]", info.filename)[-1]
            if reason:
                log.warning("%s: the member %r is %s and is not unpacked", path, info.filename, reason)
            elif name in wanted:
                _require_one(path, chosen.setdefault(name, info), info)
        if not chosen:
            raise UserError(
                f"{path}: holds no annotation file of InterHand2.6M, such as {next(iter(wanted))}; delete it"
            )
        missing = {name: info for name, info in chosen.items() if not wanted[name].is_file()}
        root.mkdir(parents=True, exist_ok=True)
        require_room(root, sum(info.file_size for info in missing.values()), "the annotations, unpacked,")
        for name, info in missing.items():
            with replacing(wanted[name]) as temporary:
                with archive.open(info) as source, temporary.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                sync(temporary)
    log.info("download: %d annotation files are unpacked to %s", len(missing), root)
    for absent in lacking_annotations(root):
        log.warning("download: %s is not in %s", absent, path)


def _require_one(path: Path, first: zipfile.ZipInfo, second: zipfile.ZipInfo) -> None:
    """Stop when a zip has two files for one place, as release v0.0 has."""
    older = sorted(OLDER_LAYOUTS & {*first.filename.split("/"), *second.filename.split("/")})
    if older:
        raise UserError(
            f"{path}: is laid out as in release v0.0 (folders {', '.join(older)}); digit reads v1.0, whose annotations "
            "are InterHand2.6M.annotations.5.fps.zip"
        )
    if first is not second:
        raise UserError(
            f"{path}: holds {first.filename} and {second.filename} for one place; unpack the right one by hand"
        )


def _suspicion(info: zipfile.ZipInfo) -> str | None:
    """Say why a member must not be unpacked, or None."""
    name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return "a path that leaves its folder"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or device"
    return None
