"""How far a download is: bytes, rate and time left, as a bar on a terminal and as log lines elsewhere."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from digit.run.console import SECONDS_BETWEEN_LINES, log

UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Meter:
    """Counts bytes that arrive on several threads."""

    def __init__(self, total: int, have: int) -> None:
        """Begin with ``have`` of ``total`` bytes."""
        self.total, self.arrived, self._have = total, 0, have
        self._lock, self._start = threading.Lock(), time.monotonic()

    @property
    def done(self) -> int:
        """Bytes that are here."""
        return self._have + self.arrived

    def add(self, count: int) -> None:
        """Count bytes; below zero they have to be fetched again."""
        with self._lock:
            self.arrived += count

    def __str__(self) -> str:
        rate = self.arrived / max(time.monotonic() - self._start, 1e-9)
        left_s = max(self.total - self.done, 0) / rate if rate > 0 else float("inf")
        left = f"{left_s / 60:.0f} min left" if left_s >= 90 else f"{left_s:.0f} s left"
        return (
            f"{in_words(self.done)} of {in_words(self.total)} ({in_words(rate)}/s, {left if rate > 0 else 'waiting'})"
        )


@contextlib.contextmanager
def showing(meter: Meter, description: str) -> Iterator[None]:
    """Show a meter for as long as the block runs."""
    ended = threading.Event()
    thread = threading.Thread(target=_bar if sys.stderr.isatty() else _lines, args=(meter, description, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def in_words(size: float) -> str:
    """Bytes in the unit that suits."""
    unit, name = next((unit for unit in UNITS if abs(size) >= unit[0]), (1.0, "bytes"))
    return f"{size / unit:.1f} {name}" if unit > 1 else f"{size:.0f} {name}"


def _lines(meter: Meter, description: str, ended: threading.Event) -> None:
    while not ended.wait(SECONDS_BETWEEN_LINES):
        log.info("%s: %s", description, meter)


def _bar(meter: Meter, description: str, ended: threading.Event) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(description, total=meter.total, completed=meter.done)
        while not ended.wait(0.25):
            progress.update(task, completed=meter.done)
        progress.update(task, completed=meter.done)
