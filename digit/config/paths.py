"""Paths in a configuration that mean something to a shell, or to Snakemake, but not as they are written."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATH_KEYS = {
    ("run", "folder"),
    *(("data", key) for key in ("root", "hand_model", "sealed_faces", "joint_regressor")),
    *(("data", key) for key in ("image_archive", "image_lmdb", "mask_lmdb", "fit_cache")),
    ("experiments", "*", "load_ckpt"),
    ("experiments", "*", "model", "pretrained"),
    *(("experiments", "*", "training", key) for key in ("load_from", "resume_ckpt")),
}
"""Keys whose values are paths; ``*`` is the name of an experiment."""
FOR_SHELLS = re.compile(r"^~|\$\w|\$\{\w")


def path_problems(raw: dict[str, Any]) -> list[str]:
    """Name the paths of a configuration with ``~`` or ``$NAME``, which nothing replaces, or with braces."""
    problems = []
    for key, path in configured_paths(raw):
        if FOR_SHELLS.search(path) and not Path(path).exists():
            meant = os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111 (Path raises for unknown users)
            instead = "write the path in full" if FOR_SHELLS.search(meant) else f"write {meant}"
            problems.append(f"{key}: {path!r}: ~ and $NAME are not replaced in a configuration; {instead}")
        elif "{" in path or "}" in path:
            problems.append(f"{key}: {path!r}: braces are Snakemake's wildcards; rename the folder, or link to it")
    return problems


def configured_paths(section: Any, outer: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Name and value of each key below a section of a configuration whose value is a path."""
    for name, value in section.items() if isinstance(section, dict) else ():
        key = (*outer, str(name))
        known = (key[0], "*", *key[2:]) if key[0] == "experiments" else key
        if isinstance(value, str) and known in PATH_KEYS:
            yield ".".join(key), value
        yield from configured_paths(value, key)
