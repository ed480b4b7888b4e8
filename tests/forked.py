"""Commands in processes that have imported everything already: forks of one process that has done nothing else.

Importing what a training needs takes seconds, and tests that stop, kill and continue one start it a dozen times.
Apart from the imports it is the command that a user types: its ``main`` in a session of its own, with arguments,
environment and exit status of a process. That the commands also start from nothing is for others to test.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["digit.stages.train", "snakemake.cli"])


class Forked:
    """A running command, as ``python -m module``; what it prints goes to the file ``output``."""

    def __init__(
        self, module: str, *arguments: object, output: Path, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.output = output
        output.write_text("")
        words = [module, *map(str, arguments)]
        self._process = CONTEXT.Process(target=_command, args=(words, dict(environment), output))
        self._process.start()

    @property
    def children(self) -> list[psutil.Process]:
        """The processes that it has started and that live."""
        return psutil.Process(self._process.pid).children()

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    @property
    def printed(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    def wait(self, seconds: float = 120) -> int:
        """The exit status, once it has ended."""
        self._process.join(seconds)
        if self.status is None:
            self.kill()
            raise AssertionError(f"did not end in {seconds} seconds:\n{self.printed}")
        return self.status

    def wait_until(self, condition: Callable[[], object], seconds: float = 180) -> None:
        """Wait for something that happens while it runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.status is None and time.monotonic() < end, self.printed
            time.sleep(0.005)

    def signal(self, number: signal.Signals, everybody: bool = False) -> None:
        """Send a signal to it, or to every process of its session."""
        (os.killpg if everybody else os.kill)(self._process.pid, number)

    def kill(self) -> None:
        """Kill every process of its session, unless it has ended, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL, everybody=True)
        self._process.join()


def _command(words: list[str], environment: dict[str, str], output: Path) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    printed = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    sys.argv = words
    importlib.import_module(words[0]).main()
