"""What the settings of a training ask of the machine and of each other."""

import os

import torch

from digit.config import TrainingSettings
from digit.run.console import counted
from digit.run.errors import UserError
from digit.training.batches import samples_per_step


def require_workable(training: TrainingSettings) -> None:
    """Make sure that this machine can train with these settings.

    Raises:
        UserError: saying which setting is in the way.
    """
    _require_processes(training)
    if training.precision == "16" and not torch.cuda.is_available():
        raise UserError("training.precision 16 needs a GPU; use '32' or 'bf16' on a CPU")
    gpus = torch.cuda.device_count()
    if training.gpu_ids is not None:
        if len(training.gpu_ids) != training.devices:
            raise UserError(
                f"training.gpu_ids names {len(training.gpu_ids)} GPUs, training.devices is {training.devices}"
            )
        if not all(0 <= number < gpus for number in training.gpu_ids):
            raise UserError(
                f"training.gpu_ids {list(training.gpu_ids)}: this machine has {counted(gpus, 'GPU')}, numbered from 0"
            )
    if gpus and training.devices > gpus:
        raise UserError(f"training.devices {training.devices}: this machine has {counted(gpus, 'GPU')}")


def _require_processes(training: TrainingSettings) -> None:
    count, started = training.devices * training.nodes, started_processes()
    if started > 1 and started != count:
        raise UserError(
            f"{started} processes were started (by srun or torchrun), but training.devices {training.devices} x "
            f"training.nodes {training.nodes} is {count}; set training.devices to the number of processes on each "
            "machine and training.nodes to that of machines, or start a single process"
        )
    if training.nodes > 1 and started == 1:
        raise UserError(
            f"training.nodes {training.nodes}: start the processes with srun or torchrun, {training.devices} on each "
            "machine (docs/training.md)"
        )
    if training.batch_size < count:
        raise UserError(
            f"training.batch_size {training.batch_size} cannot be shared by {count} processes (training.devices x "
            "training.nodes); take fewer, or larger batches"
        )
    if training.batch_size % (samples_per_step(training) * count):
        raise UserError(
            f"training.batch_size {training.batch_size} cannot be shared by {count} processes in steps of "
            f"{training.iter_batch} (iter_batch); make it a multiple"
        )


def started_processes() -> int:
    """How many processes srun or torchrun started for this training; 1 without them."""
    return int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_STEP_NUM_TASKS") or 1)
