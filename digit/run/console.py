"""Log lines and progress, the same for a terminal, a log file and a cluster job."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")
log = logging.getLogger("digit")
SECONDS_BETWEEN_LINES = 10.0


def configure_logging(level: int = logging.INFO) -> None:
    """Send log lines to standard error, once, with time and level."""
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    for noisy in ("matplotlib", "numba", "OpenGL", "PIL", "trimesh"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def counted(count: int, noun: str) -> str:
    """A number of things: ``1 picture``, ``2,000 pictures``, ``2 boxes``."""
    ending = "" if count == 1 else "es" if noun.endswith(("x", "s")) else "s"
    return f"{count:,} {noun}{ending}"


def shortened(names: Sequence[str], most: int = 5) -> str:
    """The first few of many names."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Yield ``items`` with a progress bar on a terminal, or a log line every few seconds elsewhere.

    Args:
        items: that take their time.
        description: of what is done.
        total: how many there will be; 0 if nobody knows.
    """
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            yield from progress.track(items, total=total or None, description=description)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done == total or now - last >= SECONDS_BETWEEN_LINES:
            rate = done / max(now - start, 1e-9)
            if total:
                log.info("%s: %d of %d (%.1f/s, %.0f s left)", description, done, total, rate, (total - done) / rate)
            else:
                log.info("%s: %d (%.1f/s)", description, done, rate)
            last = now
