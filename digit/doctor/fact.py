"""One line of the page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """Something that was found out."""

    name: str
    value: str
    remedy: str = ""
    """What to do about it; empty where nothing is wrong."""
