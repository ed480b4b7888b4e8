"""When processes die or run concurrently: jobs end with their workflow, one writer per output, no stale locks.

A workflow that is killed (SIGKILL, out of memory, power) cannot tidy up. Three rules make the next run
safe without anybody's help: a job notices that its workflow is gone and stops; a job waits for another
one that still writes the same output; and a lock that Snakemake left behind is removed once the kernel
says that its owner is dead.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from digit.run.console import log

WORKFLOW_PID = "DIGIT_WORKFLOW_PID"
"""Environment variable in which :func:`begin_workflow` tells jobs who the workflow is."""


def begin_workflow(state: Path) -> IO[str] | None:
    """Give jobs an environment in which ``python -m digit`` is this package, run by this Python.

    Called when the Snakefile is read; jobs inherit what is set here. With ``--sdm conda`` the activated environment
    comes before this Python. Only the process that the user started looks after locks: on a cluster, jobs read the
    Snakefile again.

    Args:
        state: Snakemake's folder ``.snakemake``.

    Returns:
        What :func:`free_stale_lock` does; None in a job.
    """
    in_job = WORKFLOW_PID in os.environ
    os.environ[WORKFLOW_PID] = str(os.getpid())
    for variable, folder in (("PATH", Path(sys.executable).parent), ("PYTHONPATH", Path(__file__).parents[2])):
        others = [other for other in os.environ.get(variable, "").split(os.pathsep) if other not in ("", str(folder))]
        os.environ[variable] = os.pathsep.join([str(folder), *others])
    return None if in_job else free_stale_lock(state)


def end_with_workflow(seconds_between_looks: float = 0.5) -> None:
    """Stop this process and its children as soon as the workflow that started it is gone.

    The workflow is the process named in ``DIGIT_WORKFLOW_PID``; without it nothing happens, so that a
    stage started by hand runs on its own.
    """
    pid = os.environ.get(WORKFLOW_PID, "")
    if not pid.isdigit() or not is_first_process():
        return
    try:
        workflow = psutil.Process(int(pid))
    except psutil.NoSuchProcess:
        return

    def watch() -> None:
        while workflow.is_running() and workflow.status() != psutil.STATUS_ZOMBIE:
            time.sleep(seconds_between_looks)
        _kill_everything()

    threading.Thread(target=watch, name="end-with-workflow", daemon=True).start()


def _kill_everything() -> None:
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(1)


def is_first_process() -> bool:
    """Whether this is not one of the further processes that srun or torchrun starts for one training.

    The first one runs on the machine of the workflow's job; only it watches the workflow and writes.
    """
    return {os.environ.get("SLURM_PROCID", "0"), os.environ.get("RANK", "0")} == {"0"}


@contextlib.contextmanager
def only_writer(lock_path: Path) -> Iterator[None]:
    """Hold ``lock_path`` for the length of the block; wait while another process holds it.

    The kernel releases the lock when its holder dies, however it dies. The processes of one training share what its
    first one holds.
    """
    if not is_first_process():
        yield
        return
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("a") as handle:
        try:
            if not _try_lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
                log.info("another process is still writing this output (%s); waiting for it", lock_path)
                fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            log.debug("%s: this file system has no locks (%s)", lock_path, error)
        yield


def is_held(lock_path: Path) -> bool:
    """Whether a living process of this machine holds the kernel's lock on a file; False where there is no such file."""
    try:
        with lock_path.open("rb") as handle:
            return not _try_lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # no such file, or a file system without locks
        return False


def free_stale_lock(state: Path) -> IO[str] | None:
    """Remove Snakemake's lock under ``state`` (the folder ``.snakemake``) if whoever took it is dead.

    Every run holds a shared kernel lock on ``state/digit.lock`` for as long as it lives. Whoever gets it
    exclusively therefore knows that no other run of this folder is alive on this machine; a lock left by
    a run on another machine is never touched.

    Returns:
        The open lock file: keep it for as long as the run lives. None where the file system has no locks.
    """
    state.mkdir(parents=True, exist_ok=True)
    handle = (state / "digit.lock").open("a+")
    try:
        alone = _try_lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    if alone:
        host, locks = socket.gethostname(), state / "locks"
        handle.seek(0)
        if handle.read().strip() == host:
            shutil.rmtree(locks, ignore_errors=True)
        if not locks.exists() or not any(locks.iterdir()):
            handle.truncate(0)
            handle.write(host)
            handle.flush()
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def _try_lock(handle: IO[Any], operation: int) -> bool:
    try:
        fcntl.flock(handle, operation)
    except BlockingIOError:
        return False
    return True
