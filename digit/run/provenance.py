"""Where a result comes from: configuration key, commit, versions, machine."""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from digit import __version__
from digit.config import Experiment, to_dict

PACKAGES = ("torch", "torchvision", "lightning", "timm", "numpy", "opencv-python-headless", "lmdb", "smplx")
KEY_LENGTH = 9
WITHOUT_CONSEQUENCE = ("num_workers", "gpu_ids", "save_every_minutes", "logger")
"""Training settings that change how fast a training runs and what it reports, never its result.
How often and on what it is measured is not among them: that decides which epoch becomes ``best.ckpt``."""
GIGABYTE = 1e9


def experiment_key(experiment: Experiment, trained_on: Any) -> str:
    """Nine hex digits that name a training: the hash of its settings and of what is learnt from, a JSON value."""
    settings = to_dict(experiment)
    settings["training"] = {k: v for k, v in settings["training"].items() if k not in WITHOUT_CONSEQUENCE}
    return json_digest([settings, trained_on])[:KEY_LENGTH]


def json_digest(value: Any) -> str:
    """Sixteen hex digits of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def array_digest(values: np.ndarray) -> str:
    """Sixteen hex digits of an array's type, shape and content."""
    values = np.ascontiguousarray(values)
    digest = hashlib.sha256(f"{values.dtype.str} {values.shape}".encode())
    digest.update(values.data)
    return digest.hexdigest()[:16]


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def backbone_warning(experiment: Experiment, origin: str) -> str | None:
    """What a reader of this experiment's numbers must know about the start of its backbone, if anything.

    Preset tiny starts from random weights on purpose. Preset paper does not, and weights that were asked for
    (``model.pretrained``) and could not be loaded must always be reported.

    Args:
        experiment: Its settings.
        origin: Where the weights came from, as the network describes it.
    """
    asked = experiment.model.pretrained
    if not origin.startswith("random") or (asked is None and experiment.preset != "paper"):
        return None
    resnet = experiment.model.architecture == "internet"
    file, library = ("of torchvision's weights", "torchvision") if resnet else ("hrnet_w32-36af842e.pth", "timm")
    reason = "model.pretrained is null" if asked is None else f"model.pretrained: {asked} was asked for and not had"
    return (
        f"The backbone started from RANDOM weights ({reason}), not from ImageNet's as in the paper. This is another "
        "recipe than the paper's: do not compare its numbers with published ones. Set model.pretrained to the file "
        f"{file}, or to {library} on a machine with internet access, and train again."
    )


def software() -> dict[str, Any]:
    """Git commit (None outside a clone), whether the tree differs from it, and versions."""
    commit = _git("rev-parse", "HEAD")
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "git_commit": commit,
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None,
        "versions": {"digit": __version__, "python": platform.python_version(), **versions},
    }


def hardware() -> dict[str, Any]:
    """Processor, cores this process may use, memory, and the GPU if there is one."""
    import torch

    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / GIGABYTE, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
