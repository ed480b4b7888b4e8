"""What a job prints, in its log file as well as on the terminal, whichever part of it prints."""

import atexit
import os
import select
import sys
import threading
from pathlib import Path

from digit.run.processes import is_first_process

BLOCK_BYTES = 1 << 16


def copy_output(path: Path) -> None:
    """Copy all that this process and its children print from now on into ``path``, until the process ends.

    Standard output joins standard error, so that lines keep their order. Works on the file descriptors, so output of C
    libraries and worker processes and tracebacks are caught too. The first process of a training starts the file
    afresh; its other processes append to it.

    Raises:
        OSError: when the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if is_first_process() else 0), 0o666)
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(2)
    readable, writable = os.pipe()
    for stream in (1, 2):
        os.dup2(writable, stream)
    os.close(writable)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    ended = threading.Event()
    copier = threading.Thread(target=_copy, args=(readable, (before, file), ended), name="copy-output", daemon=True)
    copier.start()
    atexit.register(_end, before, ended, copier, os.getpid())


def _copy(readable: int, targets: tuple[int, ...], ended: threading.Event) -> None:
    """Copy until the process ends and nothing is left; children may hold the pipe open beyond that."""
    while True:
        last = ended.is_set()
        if select.select([readable], [], [], 0 if last else 0.1)[0]:
            block = os.read(readable, BLOCK_BYTES)
            if not block:
                return
            for target in targets:
                _write(target, block)
        elif last:
            return


def _write(target: int, block: bytes) -> None:
    """Write all of a block; a terminal that is gone or a full disk must not end the job."""
    try:
        while block:
            block = block[os.write(target, block) :]
    except OSError:
        return


def _end(before: int, ended: threading.Event, copier: threading.Thread, process: int) -> None:
    if os.getpid() != process:  # a forked child
        return
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(before, stream)
    ended.set()
    copier.join()
