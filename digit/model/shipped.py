"""The weights that come with the package, checked before anything is read of them."""

import hashlib
from importlib.resources import as_file, files
from pathlib import Path

from digit.run.errors import UserError

NAME = "small.safetensors"
SUMS = "SHA256SUMS"
"""What ``sha256sum`` prints of the files beside it."""
FOLDER = files("digit") / "weights"


def shipped_weights(folder: Path | None = None) -> Path:
    """Path of the shipped weights.

    Args:
        folder: where they and their sums lie; None: in the package.

    Raises:
        UserError: when the package has none, or the file is not the one that was shipped.
    """
    if folder is None:
        with as_file(FOLDER) as inside:  # a folder of its own unless the package is in an archive
            folder = inside
    path, sums = folder / NAME, folder / SUMS
    if not path.is_file() or not sums.is_file():
        raise UserError(
            "this version of digit comes without trained weights; name some: --checkpoint FILE, or "
            "digit.load_model(FILE) in Python (docs/weights.md says how to train them)"
        )
    expected = {name: digest for digest, name in (line.split() for line in sums.read_text("ascii").splitlines())}
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.get(NAME):
        raise UserError(f"{path}: is not the file that was shipped (its SHA-256 differs); install digit again")
    return path
