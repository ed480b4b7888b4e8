"""Weights that come with the package."""

from pathlib import Path

from digit.model.halves import SUFFIX
from digit.run import provenance
from digit.run.errors import UserError

FOLDER = Path(__file__).parents[1] / "weights"
SHIPPED: dict[str, str] = {}
"""SHA-256 of each file in ``digit/weights``, by the name that :func:`digit.load_model` takes."""


def shipped_file(name: str) -> Path:
    """The file of weights that come with the package.

    Raises:
        UserError: when it is missing or another one than was shipped.
    """
    path = FOLDER / f"{name}{SUFFIX}"
    remedy = "install digit again"
    if not path.is_file():
        raise UserError(f"{path}: the weights that come with digit are missing; {remedy}")
    if provenance.sha256(path) != SHIPPED[name]:
        raise UserError(f"{path}: is not the file that came with digit; {remedy}")
    return path
