"""The one exception that is meant for the person at the keyboard, and what other failures tell that person."""

import errno
from pathlib import Path

_HEADING = f"\n{__name__}.UserError: "
_NEXT_ERROR = "\nTraceback (most recent call last):\n"
_OUT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class UserError(Exception):
    """Something the user can mend: what is wrong, in which file or key, and what to do.

    The command line prints the message without a traceback and exits with status 1.
    """


def words_for_people(error: BaseException) -> str | None:
    """What to tell the user: a :class:`UserError`'s own words, the file that the system refused, or a missing package.

    A UserError of a worker process is found within the traceback that torch makes its message of, be it a loader's
    worker (again a UserError) or a process that trains (``ProcessRaisedException``).

    Returns:
        The words, or None when the error is a defect, whose traceback is worth showing.
    """
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "digit":
        return (
            f"this needs the module {error.name}, which is not installed; `make demo` installs everything, "
            "`pip install 'digit[pipeline]'` what the workflow needs besides predicting"
        )
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _OUT_OF_ROOM):
        return refusal(error)
    if not isinstance(error, UserError) and type(error).__name__ != "ProcessRaisedException":
        return None
    _, found, words = str(error).rpartition(_HEADING)
    if found and _NEXT_ERROR not in words:
        return words.rstrip("\n")
    return str(error) if isinstance(error, UserError) else None


def way_out(error: OSError) -> str:
    """What to do about a file that the system refuses to write."""
    return "free some disk space" if error.errno in _OUT_OF_ROOM else "choose another place"


def refusal(error: OSError) -> str:
    """Say which file the system refused and why."""
    if error.filename is None:
        return error.strerror or str(error)
    path = Path(error.filename)
    if isinstance(error, FileExistsError | NotADirectoryError):
        blocking = next((folder for folder in (path, *path.parents) if folder.is_file()), None)
        if blocking is not None:
            return f"{blocking} is a file, not a folder"
    return f"{path}: {error.strerror}"
