"""Running a training in one process or several, and interpreting how it ended."""

import os
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from digit.model.module import DigitModule
from digit.run.console import log
from digit.run.errors import UserError
from digit.samples.dataset import HandDataset
from digit.training.batches import Batches, accumulated, samples_per_step
from digit.training.checkpoints import CheckpointCallback, StateFiles
from digit.training.evaluation import EvaluationCallback
from digit.training.history import History, HistoryCallback
from digit.training.internals import QuietDDP, leave_signals_alone, quiet_lightning
from digit.training.loggers import ProgressBar, loggers
from digit.training.requirements import started_processes
from digit.training.signals import StopRequest

PRECISIONS: dict[str, Literal["32-true", "16-mixed", "bf16-mixed"]] = {
    "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"
}  # fmt: skip

TRY_AGAIN = 75
"""Exit status of a training that was told to stop: a temporary failure (sysexits.h), to be run again."""


def run_training(
    name: str,
    module: DigitModule,
    dataset: HandDataset,
    validation: HandDataset,
    history: History,
    files: StateFiles,
    request: StopRequest,
    step: int,
) -> None:
    """Run a training to its end, from its saved state, in which ``step`` steps are done, or from the beginning.

    Args:
        name: of the experiment.
        module: network, losses and settings.
        dataset: to train on.
        validation: to measure on.
        history: of the training so far; a saved state brings its own.
        files: of the unfinished training.
        request: to stop.
        step: optimiser steps behind it.

    Raises:
        UserError: when a loss or the weights became infinite or NaN, or a process was killed.
        SystemExit: with ``TRY_AGAIN`` when the training was asked to stop; its state is saved.
    """
    training = module.experiment.training
    checkpoints = CheckpointCallback(training, files, history, request, dataset.index.keys)
    callbacks = [
        HistoryCallback(name, training, history, module.steps),
        # Before the state is saved, it takes the step's weights into their average.
        EvaluationCallback(name, training, dataset, validation, history, checkpoints),
        checkpoints,
    ]
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
        logger=loggers(name, training, files, step),
        enable_checkpointing=False,
        enable_progress_bar=watched,
        enable_model_summary=False,
        **_processes(processes),
    )
    leave_signals_alone(trainer)
    if request.made and started_processes() == 1:
        _stop_here(name)
    try:
        with request.listening(pass_on=processes > 1 and started_processes() == 1):
            trainer.fit(module, Batches(dataset, training), ckpt_path=files.resume if step else None, weights_only=True)
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not request.made:
            raise _explained(name, error) from error
        _stop_here(name)
    if files.failure.is_file():
        raise UserError(f"{name}: {files.failure.read_text()}")
    if files.stopped.is_file():
        _stop_here(name)


def _stop_here(name: str) -> None:
    log.warning("%s: asked to stop; run the same command again to continue from the saved state", name)
    raise SystemExit(TRY_AGAIN)


def _explained(name: str, error: ProcessExitedException | ProcessRaisedException) -> Exception:
    if not isinstance(error, ProcessExitedException):
        return error
    how = f"killed ({error.signal_name})" if error.signal_name else f"ended (status {error.exit_code})"
    return UserError(
        f"{name}: process {error.error_index} of the training was {how}, perhaps out of memory; "
        "run the same command again to continue from the last saved state"
    )


def _processes(count: int) -> dict[str, Any]:
    """How the trainer comes by its processes: srun and torchrun have started them, or it starts them itself."""
    if count == 1:
        return {"strategy": "auto", "plugins": [LightningEnvironment()]}
    if started_processes() > 1:
        return {"strategy": DDPStrategy(process_group_backend=_backend())}
    strategy = QuietDDP(start_method="spawn", process_group_backend=_backend())
    return {"strategy": strategy, "plugins": [LightningEnvironment()]}


def _backend() -> str:
    return "nccl" if torch.cuda.is_available() else "gloo"
