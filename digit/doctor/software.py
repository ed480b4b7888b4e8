"""Versions of everything that a result may depend on, and what differs from the lock file."""

import importlib.metadata
import platform
import re
import sys
from pathlib import Path

from digit import __version__
from digit.doctor.fact import Fact
from digit.run.provenance import software

TOLD = (
    "torch", "torchvision", "lightning", "timm", "numpy", "opencv-python-headless", "pillow", "numba", "lmdb",
    "pyarrow", "snakemake",
)  # fmt: skip
"""Packages whose versions are always told; a missing one is told as missing."""
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)(?: ; ([^\\\n]+))?", re.MULTILINE)


def software_facts(project: Path) -> list[Fact]:
    """Versions of digit, Python and its packages.

    Args:
        project: folder with ``requirements.lock``, if there is one.
    """
    source = software()
    commit = source["git_commit"]
    state = f"commit {commit[:12]}{', changed since' if source['git_dirty'] else ''}" if commit else "no git checkout"
    lock = project / "requirements.lock"
    facts = [
        Fact("digit", f"{__version__}, {state}"),
        Fact("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        Fact("system", f"{platform.platform()}, {_distribution()}"),
        Fact("packages", ", ".join(f"{name} {installed(name) or 'missing'}" for name in TOLD)),
    ]
    return [*facts, _compared(lock.read_text())] if lock.is_file() else facts


def installed(name: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def pins(lock: str) -> dict[str, str]:
    """Packages and versions that a lock file asks for on this system and Python."""
    from packaging.markers import Marker

    return {name: version for name, version, marker in _PIN.findall(lock) if not marker or Marker(marker).evaluate()}


def _compared(lock: str) -> Fact:
    wanted = pins(lock)
    differing = {name: installed(name) for name, version in wanted.items() if _public(installed(name)) != version}
    same = f"{len(wanted) - len(differing)} of {len(wanted)} packages are those of requirements.lock"
    if not differing:
        return Fact("lock file", same)
    listed = ", ".join(f"{name} {found or 'missing'}" for name, found in differing.items())
    remedy = "`make demo` or `make test` installs what the lock file names, if they are run in this folder"
    return Fact("lock file", f"{same}; others: {listed}", remedy if sys.prefix != sys.base_prefix else "")


def _public(version: str | None) -> str | None:
    """A version without the name of its build, as in 2.11.0+cpu."""
    return version and version.partition("+")[0]


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "no os-release"
