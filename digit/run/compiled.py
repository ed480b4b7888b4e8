"""Loops compiled by numba, and where the machine code is kept."""

import os
import stat
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

from digit.run.console import log


def compiled(function: Callable[..., Any]) -> Any:
    """Decorate a function to be compiled when it is first called, and its code kept for later processes.

    numba keeps code beside the source or in the user's cache folder, and fails where neither can be written, as in an
    installation that users share. Then it goes to a private folder for temporary files; without one, each process
    compiles again.
    """
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        folder = _private_folder()
        if folder is None:
            return numba.njit(function)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)  # for the processes that this one starts, too
    numba.config.reload_config()
    return numba.njit(cache=True)(function)


@cache
def _private_folder() -> Path | None:
    """A folder below the one for temporary files that only this user can read or write; None where there is none.

    What lies there is run: a folder that somebody else made, or can write, is left alone.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"digit-numba-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        found = None
    if found and stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        log.warning("compiled code cannot be kept beside the package or below HOME, so it is kept in %s", folder)
        return folder
    log.warning("compiled code cannot be kept anywhere, so every command compiles it again; set NUMBA_CACHE_DIR")
    return None
