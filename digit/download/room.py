"""Room on the disk, looked for before it is needed."""

import shutil
from pathlib import Path

from digit.download.progress import in_words
from digit.run.errors import UserError

SPARE = 1.01
"""Room that is asked for, as a multiple of the bytes that will arrive."""


def require_room(folder: Path, size: int, what: str) -> None:
    """Make sure that the disk has room.

    Raises:
        UserError: when it has not, saying how much is needed.
    """
    free = shutil.disk_usage(folder).free
    if size * SPARE > free:
        raise UserError(
            f"{folder}: {what} need {in_words(size * SPARE)}, but the disk has {in_words(free)} free; free some space, "
            "or set data.image_archive (or data.root) to a folder on another disk"
        )
