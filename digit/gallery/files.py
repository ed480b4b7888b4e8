"""What a gallery leaves in the folder of results, and whether a file there is one of its own."""

import os
from pathlib import Path
from urllib.parse import quote

from digit import __version__
from digit.run.errors import UserError
from digit.run.files import replacing

PAGE, CSV, COCO, MANO, FOLDER = "index.html", "joints.csv", "keypoints.coco.json", "mano.npz", "digit_files"
SIGNS = {PAGE: b'content="digit ', CSV: b"image,frame,crop,hand,", COCO: b'"software":"digit ', MANO: b"software.npy"}
"""Text near the beginning of each file that this program wrote."""
HEAD_BYTES = 1024
ABOUT, ABOUT_SIGN = "about.txt", "Made by digit "
PICTURE_SUFFIX = ".jpg"


def prepare(output: Path) -> None:
    """Make the folder of the page's pictures, before there are any.

    Raises:
        UserError: when a file of somebody else's is in the way of the page or of its pictures, or nothing can be
            written.
    """
    for name, sign in SIGNS.items():
        path = output / name
        if os.path.lexists(path) and not (path.is_file() and sign in _head(path)):
            raise UserError(f"{path}: is there and was not written by digit; choose another --output, or move it away")
    folder = output / FOLDER
    about = folder / ABOUT
    if os.path.lexists(folder) and not (about.is_file() and _head(about).startswith(ABOUT_SIGN.encode())):
        raise UserError(f"{folder}: is there and was not made by digit; choose another --output, or move it away")
    with replacing(about) as temporary:
        temporary.write_text(f"{ABOUT_SIGN}{__version__}. The pictures of {PAGE} lie here; keep both together.\n")


def picture_path(output: Path, name: str) -> Path:
    """The picture called ``name``, as browsers show it."""
    return output / FOLDER / f"{name}{PICTURE_SUFFIX}"


def link(path: Path, page_folder: Path) -> str:
    """A relative link to a file, whatever bytes its name has."""
    return quote(os.fsencode(path.relative_to(page_folder)))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); choose another --output, or move it away"
        ) from error
