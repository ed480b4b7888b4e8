"""Running a training in one process or several, and what its end means."""

import os
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from digit.config import Experiment, TrainingSettings
from digit.model.module import DigitModule
from digit.run.console import log
from digit.run.errors import UserError
from digit.training.batches import Batches, accumulated, samples_per_step
from digit.training.states import StateFiles, StopRequest
from digit.training.watch import ProgressBar, loggers, quiet_lightning

PRECISIONS: dict[str, Literal["32-true", "16-mixed", "bf16-mixed"]] = {
    "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"
}  # fmt: skip

TRY_AGAIN = 75
"""Exit status of a training that was told to stop: a temporary failure (sysexits.h), to be run again."""


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
                f"training.gpu_ids {list(training.gpu_ids)}: this machine has {gpus} GPU(s), numbered from 0"
            )
    if gpus and training.devices > gpus:
        raise UserError(f"training.devices {training.devices}: this machine has {gpus} GPU(s)")


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


def run_training(
    experiment: str,
    settings: Experiment,
    module: DigitModule,
    batches: Batches,
    callbacks: list[lightning.Callback],
    files: StateFiles,
    request: StopRequest,
    step: int,
) -> None:
    """Run a training to its end, from its saved state, in which ``step`` steps are done, or from the beginning.

    Raises:
        UserError: when a loss or the weights became no number, or a process was killed.
        SystemExit: with ``TRY_AGAIN`` when the training was told to stop; its state is saved.
    """
    training = settings.training
    quiet_lightning()
    processes = training.devices * training.nodes
    on_gpu, watched = torch.cuda.is_available(), os.isatty(2)
    trainer = lightning.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=list(training.gpu_ids) if training.gpu_ids is not None else training.devices,
        num_nodes=training.nodes,
        precision=PRECISIONS[training.precision],
        max_epochs=training.max_epoch,
        accumulate_grad_batches=accumulated(training),
        gradient_clip_val=training.clip_norm,
        callbacks=[*callbacks, *([ProgressBar(samples_per_step(training) * processes)] if watched else [])],
        use_distributed_sampler=False,
        logger=loggers(experiment, training, files, step),
        enable_checkpointing=False,
        enable_progress_bar=watched,
        enable_model_summary=False,
        **_processes(processes),
    )
    trainer._signal_connector = _NoSignals(trainer)
    if request.made and started_processes() == 1:
        _stop_here(experiment)
    try:
        with request.listening(pass_on=processes > 1 and started_processes() == 1):
            trainer.fit(module, batches, ckpt_path=files.resume if step else None, weights_only=True)
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not request.made:
            raise _explained(experiment, error) from error
        _stop_here(experiment)
    if files.failure.is_file():
        raise UserError(f"{experiment}: {files.failure.read_text()}")
    if files.stopped.is_file():
        _stop_here(experiment)


def _stop_here(experiment: str) -> None:
    log.warning("%s: told to stop; run the same command again to go on from the saved state", experiment)
    raise SystemExit(TRY_AGAIN)


def _explained(experiment: str, error: ProcessExitedException | ProcessRaisedException) -> Exception:
    if not isinstance(error, ProcessExitedException):
        return error
    how = f"killed ({error.signal_name})" if error.signal_name else f"ended (status {error.exit_code})"
    return UserError(
        f"{experiment}: process {error.error_index} of the training was {how}, perhaps for want of memory; "
        "run the same command again to go on from the last saved state"
    )


def _processes(count: int) -> dict[str, Any]:
    """How the trainer comes by its processes: srun and torchrun have started them, or it starts them itself."""
    if count == 1:
        return {"strategy": "auto", "plugins": [LightningEnvironment()]}
    if started_processes() > 1:
        return {"strategy": DDPStrategy(process_group_backend=_backend())}
    strategy = _QuietDDP(start_method="spawn", process_group_backend=_backend())
    return {"strategy": strategy, "plugins": [LightningEnvironment()]}


def _backend() -> str:
    return "nccl" if torch.cuda.is_available() else "gloo"


class _NoSignals(_SignalConnector):
    """Leaves signals alone: Lightning would give up without saving where :class:`StopRequest` listens."""

    def register_signal_handlers(self) -> None:
        """Register nothing."""


class _QuietDDP(DDPStrategy):
    """Data-parallel training whose processes, made of a pickled copy, leave the log to the journal."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        quiet_lightning()
        self.__dict__.update(state)
