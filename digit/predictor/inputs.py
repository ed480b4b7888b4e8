"""Which pictures and videos to predict on: files, those of folders, standard input; and what is left out and why."""

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from digit.mesh.export import is_own_mesh
from digit.pages.files import FOLDER, is_own
from digit.predictor.overlay_video import is_own_video
from digit.predictor.pictures import KINDS, SUFFIXES, UNREADABLE, open_picture
from digit.predictor.results import is_own_lines, is_own_overlay, is_own_pose
from digit.predictor.videos import SUFFIXES as VIDEO_SUFFIXES
from digit.run.errors import UserError

STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "stdin"
Source = Path | bytes
"""A file, or the content of one."""


@dataclass(frozen=True)
class Found:
    """What there is to predict on; names are paths below the folder, with slashes."""

    pictures: dict[str, Source] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Why, by name."""
    own_results: int = 0
    """Files that earlier predictions left."""
    failed: list[str] = field(default_factory=list)
    """A sentence for each input that holds no picture."""

    @property
    def names(self) -> list[str]:
        """Of pictures and videos."""
        return [*self.pictures, *self.videos]


def find_inputs(inputs: Sequence[str | Path], recursive: bool = False) -> Found:
    """All pictures and videos of several files and folders; ``-`` is a picture that comes through standard input.

    Names are paths below the folder that all inputs share. An input without pictures does not stop the others.

    Raises:
        UserError: when there is no picture at all.
    """
    paths = [Path(each) for each in inputs if str(each) != STANDARD_INPUT]
    given = {STANDARD_INPUT_NAME: sys.stdin.buffer.read()} if len(paths) < len(inputs) else {}
    if len(paths) == 1 and not given:
        return find_pictures(paths[0], recursive)
    folders = [path.absolute() if path.is_dir() else path.absolute().parent for path in paths]
    shared = Path(os.path.commonpath(folders)) if folders else Path()
    pictures: dict[str, Source] = {**given}
    videos: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    failed, own_results = [], 0
    for path in paths:
        below = path.absolute().relative_to(shared) if path.is_dir() else path.absolute().parent.relative_to(shared)
        if path.is_file() and _is_own(path):  # from `photos/*`
            own_results += 1
            continue
        try:
            found = find_pictures(path, recursive)
        except UserError as error:
            failed.append(str(error))
            continue
        pictures |= {(below / name).as_posix(): source for name, source in found.pictures.items()}
        videos |= {(below / name).as_posix(): source for name, source in found.videos.items()}
        skipped |= {(below / name).as_posix(): why for name, why in found.skipped.items()}
        own_results += found.own_results
    if not pictures and not videos:
        raise UserError("\n".join(failed) or "there is no picture, only results of earlier predictions")
    return Found(pictures, videos, dict(sorted(skipped.items())), own_results, failed)


def find_pictures(images: Path, recursive: bool = False) -> Found:
    """The picture itself, or every picture of a folder in the order of their names.

    A file is a picture if its suffix or its content says so; whether it can be decoded shows later. Overlays and
    poses of earlier predictions are none.

    Raises:
        UserError: when there is none, or the folder cannot be listed.
    """
    if images.is_file():
        if is_own_overlay(images) or is_own_video(images):
            raise UserError(f"{images}: is an overlay that digit drew itself; give the picture that it shows")
        if _is_video(images):
            return Found(videos={images.name: images})
        return Found({images.name: images})
    if images.exists() and not images.is_dir():
        raise UserError(f"{images}: is neither a file nor a folder; give a picture, a video or a folder of them")
    if not images.is_dir():
        raise UserError(f"{images}: does not exist; give a picture, a video or a folder of them")
    names, skipped = _list(images, recursive)
    pictures: dict[str, Source] = {}
    videos: dict[str, Path] = {}
    own_results = 0
    for name in names:
        path = images / name
        if _is_own(path):
            own_results += 1
        elif _is_video(path):
            videos[name] = path
        elif path.suffix.lower() in SUFFIXES or _opens(path):
            pictures[name] = path
        else:
            skipped[name] = "no picture"
    found = Found(pictures, videos, dict(sorted(skipped.items())), own_results)
    if not pictures and not videos:
        reasons = "".join(f"\n  - {line}" for line in skipped_lines(found))
        raise UserError(f"{images}: holds no picture ({KINDS}) and no video{reasons}")
    return found


def skipped_lines(found: Found, most: int = 20) -> list[str]:
    """What was left out, for the log; of many the first ones."""
    lines = [f"{name}: {why}" for name, why in found.skipped.items()]
    more = [f"... and {len(lines) - most} more"] if len(lines) > most else []
    own = [f"{found.own_results} results of earlier predictions"] if found.own_results else []
    return lines[:most] + more + own


def _list(folder: Path, recursive: bool) -> tuple[list[str], dict[str, str]]:
    """Names of all files below a folder, sorted, and those of what is no file, with what it is."""
    names: list[str] = []
    skipped: dict[str, str] = {}

    def refuse(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise UserError(f"{folder}: cannot be read ({error.strerror})") from error
        skipped[os.path.relpath(error.filename, folder)] = f"a folder that cannot be read ({error.strerror})"

    for parent, folders, files in os.walk(folder, onerror=refuse):
        below = Path(parent).relative_to(folder)
        for name in files:
            path = below / name
            if (folder / path).is_file() or not (folder / path).exists():  # a broken link is named when it is read
                names.append(path.as_posix())
            else:
                skipped[path.as_posix()] = "no file"
        for name in folders:
            path = below / name
            if not recursive and name != FOLDER:
                skipped[path.as_posix()] = "a folder; --recursive looks into it"
            elif recursive and (folder / path).is_symlink():
                skipped[path.as_posix()] = "a link to a folder; give that folder"
        if not recursive:
            break
        folders.sort()
    return sorted(names), skipped


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _is_own(path: Path) -> bool:
    """Whether this program wrote it."""
    looks = (is_own_overlay, is_own_pose, is_own_lines, is_own_video, is_own_mesh, is_own)
    return any(look(path) for look in looks)


def _opens(path: Path) -> bool:
    """Whether the content is that of a picture, whatever the file is called."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            open_picture(path).close()
    except (UserError, Image.DecompressionBombError):
        return True  # a picture, of which decoding will say what is wrong
    except UNREADABLE:
        return False
    return True
