"""What a page that is shown to strangers leaves out: folders outside the project, and credentials of addresses."""

import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

OUTSIDE = "<outside the project>"
_ABSOLUTE = re.compile(r"(?<![\w./<>~-])(?<!:(?=//))(?:~|/)(?:/?[^\s/,;:'\"`()\[\]{}<>|]+)+/?")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(\w+://[^\s?]+)\?\S+")


def without_credentials(text: str) -> str:
    """Take users, passwords and signed queries out of the addresses in a text."""
    return _QUERY.sub(r"\1?...", _CREDENTIALS.sub("...@", text))


def without_private_paths(text: str, project: Path, known: Iterable[str] = ()) -> str:
    """Replace every path of a text that leads out of a folder.

    Args:
        text: what is to be shown.
        project: the folder whose paths may be shown, relative to it.
        known: paths that the text may hold, which are recognised whatever characters are in them.

    Returns:
        The text with ``<outside the project>`` in place of such paths.
    """
    project = project.resolve()
    text = re.sub(rf"{re.escape(str(project))}(?![\w.-])/?", "./", text)
    places = {str(Path.home()), sys.prefix, sys.base_prefix, tempfile.gettempdir()}
    for path in sorted({*known, *places}, key=len, reverse=True):
        if len(path) > 1 and not _inside(path, project):
            text = re.sub(rf"{re.escape(path)}(?:/[^\s,;:'\"`()]*)?(?![\w-])", OUTSIDE, text)
    return _ABSOLUTE.sub(OUTSIDE, text)


def _inside(path: str, project: Path) -> bool:
    return (project / Path(path).expanduser()).resolve().is_relative_to(project)
