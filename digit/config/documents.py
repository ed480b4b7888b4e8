"""Reading a configuration file, and what to tell a person whose editor wrote something else than was meant."""

import json
from pathlib import Path
from typing import Any

import yaml

from digit.run.errors import UserError

_AS_UTF8 = "save it as UTF-8, without other changes"
_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class _Loader(yaml.SafeLoader):
    """Refuses a key that comes twice, of which YAML would keep the last in silence."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            known = (key.tag, str(key.value))
            if known in lines:
                problem = f"the key {key.value!r} comes twice, first in line {lines[known]}; keep one of them"
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            lines[known] = key.start_mark.line + 1
        return node


def read_document(path: Path) -> dict[str, Any]:
    """Read a YAML file of sections; an empty one has none.

    Raises:
        UserError: when it cannot be read, is no UTF-8 text, is no YAML, holds a key twice or is no mapping; names the
            line.
    """
    text = _read_text(path)
    try:
        document = yaml.load(text, _Loader)
        json.dumps(document, default=str, skipkeys=True)  # refuses what contains itself
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{path}: line {line} holds the character {error.character:#04x}; {_AS_UTF8}") from error
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{path}: is not valid YAML{_place(error)}: {_problem(error, text)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid YAML: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UserError(f"{path}: must hold sections such as 'run:' and 'data:', not a {type(document).__name__}")
    return document


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); pass an existing file") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, found = content.count(b"\n", 0, error.start) + 1, content[error.start]
        known = _OTHER_ENCODINGS.get(content[:2], "perhaps Latin-1 or Windows-1252")
        raise UserError(f"{path}: is not UTF-8 (byte {found:#04x} in line {line}; {known}); {_AS_UTF8}") from error


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    """What is wrong in one line; a tab is not called a token."""
    mark = error.problem_mark
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab before the key; indent with spaces"
    return ", ".join(part for part in (error.context, error.problem) if part)
