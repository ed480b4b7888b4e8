"""Being asked to stop: SIGTERM, which schedulers send."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

import psutil


class StopRequest:
    """Remembers SIGTERM."""

    def __init__(self) -> None:
        self.made = False

    def _hear(self, *_: Any) -> None:
        self.made = True

    def _hear_and_pass_on(self, *_: Any) -> None:
        self.made = True
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()

    def listen(self) -> None:
        """Listen from now on."""
        signal.signal(signal.SIGTERM, self._hear)

    @contextlib.contextmanager
    def listening(self, pass_on: bool = False) -> Iterator[None]:
        """Listen for the time of the block; ``pass_on`` also tells the processes that this one started."""
        before = signal.signal(signal.SIGTERM, self._hear_and_pass_on if pass_on else self._hear)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
