"""Processor, memory, GPUs, OpenGL, where compiled code is kept, and room on the disks."""

import importlib.util
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from digit.doctor.fact import Fact
from digit.run.console import counted
from digit.run.errors import UserError
from digit.run.provenance import GIGABYTE, hardware

TOLD_VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYOPENGL_PLATFORM", "NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT",
    "PYTHONPATH", "SNAKEMAKE_PROFILE", "SLURM_JOB_ID", "WORLD_SIZE",
)  # fmt: skip
"""Variables of the environment that change what digit does."""
LITTLE_DISK_GB = 10.0
LITTLE_SHARED_MEMORY_GB = 0.5


def machine_facts() -> list[Fact]:
    """Processor, memory, limits and devices."""
    found = hardware()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = [f"{name}={os.environ[name]}" for name in TOLD_VARIABLES if os.environ.get(name)]
    return [
        Fact("processor", f"{found['cpu']}, {counted(found['cores'], 'core')} for this process"),
        Fact("memory", f"{found['memory_gb']} GB"),
        _shared_memory(),
        Fact("open files", f"at most {files}"),
        *_gpus(),
        _opengl(),
        _compiled_code(),
        Fact("environment", ", ".join(told) or "none of the variables that matter here is set"),
    ]


def disk_facts(results: Path) -> list[Fact]:
    """Room where results and temporary files go.

    Args:
        results: folder of the runs; it need not exist yet.
    """
    facts = []
    for name, folder in (("disk of the results", results), ("disk of temporary files", Path(tempfile.gettempdir()))):
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free / GIGABYTE
        writable = os.access(existing, os.W_OK)
        remedy = "" if free >= LITTLE_DISK_GB or "temporary" in name else "the demo alone needs 10 GB; make room"
        facts.append(
            Fact(
                name,
                f"{free:.1f} GB free" + ("" if writable else ", not writable"),
                remedy if writable else "choose a folder that you may write to: run.folder, or TMPDIR",
            )
        )
    return facts


def _shared_memory() -> Fact:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Fact("shared memory", "no /dev/shm")
    free = shutil.disk_usage(folder).free / GIGABYTE
    remedy = "loader processes pass batches through it: `docker run --shm-size 2g`, or set num_workers to 0"
    return Fact("shared memory", f"{free:.1f} GB free", remedy if free < LITTLE_SHARED_MEMORY_GB else "")


def _gpus() -> list[Fact]:
    import torch

    build = torch.version.cuda or torch.version.hip
    facts = [Fact("torch", f"{torch.__version__}, built {f'for CUDA {build}' if build else 'for the CPU'}")]
    drivers = _nvidia_drivers()
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            of = torch.cuda.get_device_properties(number)
            driver = f", driver {drivers[0]}" if drivers else ""
            facts.append(Fact(f"GPU {number}", f"{of.name}, {of.total_memory / GIGABYTE:.0f} GB{driver}"))
    elif drivers:
        remedy = "the driver may be older than torch's CUDA, or CUDA_VISIBLE_DEVICES may hide the GPU"
        facts.append(Fact("GPU", f"{len(drivers)} there (driver {drivers[0]}), which torch cannot use", remedy))
    else:
        facts.append(Fact("GPU", "none"))
    return facts


def _nvidia_drivers() -> list[str]:
    """Version of the driver, once for each GPU that it shows; none without a driver."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    return told.stdout.split()


def _opengl() -> Fact:
    if not importlib.util.find_spec("pyrender"):
        return Fact("OpenGL", "pyrender is not installed; only parts.backend: pyrender needs it")
    from digit.render.gl import gl_platform

    try:
        return Fact("OpenGL", f"works ({gl_platform()})")
    except UserError:
        return Fact("OpenGL", "does not work here; only parts.backend: pyrender needs it")


def _compiled_code() -> Fact:
    if not importlib.util.find_spec("numba"):
        return Fact("compiled code", "numba is not installed; predicting does not need it")
    from digit.metrics import kernel

    folder = kernel.add_errors.stats.cache_path
    if folder is None:
        return Fact("compiled code", "kept nowhere, so every command compiles again", "set NUMBA_CACHE_DIR")
    kept = len(list(Path(folder).glob("*.nbi"))) if Path(folder).is_dir() else 0
    return Fact("compiled code", f"kept in {folder} ({counted(kept, 'function')})")
