"""What the page of a run of predict leaves in the folder of results, and whether a file there is one of its own."""

import os
from pathlib import Path
from urllib.parse import quote

from digit.run.errors import UserError

PAGE, CSV, COCO, MANO = "index.html", "joints.csv", "keypoints.coco.json", "mano.npz"
SIGNS = {PAGE: b'content="digit ', CSV: b"image,frame,crop,hand,", COCO: b'"software":"digit ', MANO: b"software.npy"}
"""Text near the beginning of each file that this program wrote."""
HEAD_BYTES = 1024
FOLDER, PICTURE_SUFFIX = "digit_files", ".jpg"
"""Where the pictures of the page lie."""
PICTURE_START = b"\xff\xd8\xff\xfe\x00\x07digit"
"""How they begin: as JPEG files with a comment."""


def require_free(path: Path) -> None:
    """Refuse to write a file where there is one of somebody else's.

    Raises:
        UserError: naming it.
    """
    if os.path.lexists(path) and not is_own(path):
        raise UserError(f"{path}: is there and was not written by digit; choose another --output, or move it away")


def is_own(path: Path) -> bool:
    """Whether a file is a page, a table or a picture of a page that this program wrote."""
    if not path.is_file():
        return False
    head = _head(path)
    return head.startswith(PICTURE_START) or (path.name in SIGNS and SIGNS[path.name] in head)


def picture_path(output: Path, name: str) -> Path:
    """The picture of the results called ``name``, as browsers show it."""
    return output / FOLDER / f"{name}{PICTURE_SUFFIX}"


def link(path: Path, page_folder: Path) -> str:
    """A relative link to a file, whatever bytes its name has."""
    return quote(os.fsencode(path.relative_to(page_folder)))


def _head(path: Path) -> bytes:
    """How a file begins; nothing when it cannot be read, so that it counts as somebody else's."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
