"""Saved states of an unfinished training, and when to save, stop or give up."""

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from digit.config import TrainingSettings
from digit.training.history import History, is_measured
from digit.training.signals import StopRequest

CHECK_EVERY_STEPS = 50
"""Steps after which losses are looked at: looking makes the host wait for the device."""
AGREE_EVERY_STEPS = 10
"""Steps after which processes on GPUs agree whether to save or stop; on a CPU they do after every step."""
MOST_NAMES = 8


@dataclass(frozen=True)
class StateFiles:
    """Files of an unfinished training; its folder has the name of its experiment key."""

    folder: Path

    @property
    def ready(self) -> Path:
        """There once the first process has prepared the folder for the others."""
        return self.folder / "ready"

    @property
    def resume(self) -> Path:
        """State to resume."""
        return self.folder / "resume.ckpt"

    @property
    def best(self) -> Path:
        """Weights with the lowest validation error so far."""
        return self.folder / "best.ckpt"

    @property
    def history(self) -> Path:
        """One line per epoch."""
        return self.folder / "history.csv"

    def overlay(self, epoch: int) -> Path:
        """What the network saw in a few validation samples after an epoch."""
        return self.folder / "overlays" / f"epoch-{epoch:03d}.png"

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's files."""
        return self.folder / "tensorboard"

    @property
    def stopped(self) -> Path:
        """There while a training has saved its state and stopped because it was told to."""
        return self.folder / "stopped"

    @property
    def failure(self) -> Path:
        """There while a training has stopped because of what this file says."""
        return self.folder / "failure.txt"


def is_sound(module: nn.Module) -> bool:
    """Whether the square of every weight and statistic is finite; a network beyond that cannot recover."""
    values = [value for value in module.state_dict().values() if value.is_floating_point()]
    return bool(torch.stack([value.detach().float().square().sum() for value in values]).isfinite().all())


class CheckpointCallback(lightning.Callback):
    """Saves the state now and then and when asked to stop; stops when losses or weights are not finite.

    Args:
        training: optimisation settings.
        files: where states go.
        history: of the training; a state saved in mid-epoch holds the mean over processes.
        request: to stop.
        keys: names the samples of index rows (n,), for the message about a loss that is not finite.
    """

    def __init__(
        self,
        training: TrainingSettings,
        files: StateFiles,
        history: History,
        request: StopRequest,
        keys: Callable[[np.ndarray], list[str]],
    ) -> None:
        self.training, self.files, self.history, self.request, self.keys = training, files, history, request, keys
        self._recent: deque[tuple[Tensor, Tensor]] = deque()
        self._steps = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock, and listen in processes that were spawned: until here SIGTERM has nothing to save."""
        self.request.listen()
        self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Remember the loss; between optimiser steps, look whether it is time to save or stop.

        An evaluation may take long, so the state is saved before the last step of an epoch that ends with one.
        """
        self._recent.append((outputs["loss"].detach(), batch["row"]))
        self._steps += 1
        left = trainer.num_training_batches - batch_idx - 1
        if left % trainer.accumulate_grad_batches or not left:
            return
        measured = is_measured(self.training, trainer.current_epoch + 1)
        last = measured and left == trainer.accumulate_grad_batches
        many_gpus = trainer.world_size > 1 and trainer.strategy.root_device.type == "cuda"
        if many_gpus and self._steps % AGREE_EVERY_STEPS and not last:
            return
        stop = self.agreed(trainer, self.request.made)
        due = last or self.agreed(trainer, time.monotonic() - self._saved >= 60 * self.training.save_every_minutes)
        looking = self._steps % CHECK_EVERY_STEPS == 0
        if not (looking or stop or due) or self.losses_diverged(trainer):
            return
        if stop or due:
            self.history.share(trainer.strategy)
            if self.save(trainer, self.files.resume) and stop:
                self._stop(trainer)

    def save(self, trainer: lightning.Trainer, path: Path) -> bool:
        """Save the training's state, all or nothing, if its weights are :func:`sound <is_sound>`; else stop.

        Every process takes part.

        Returns:
            Whether it was saved.
        """
        if self.agreed(trainer, not is_sound(trainer.lightning_module)):
            self._fail(trainer, "the weights became infinite", trainer.is_global_zero)
            return False
        temporary = path.with_name(f".{path.name}.partial")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            os.replace(temporary, path)
        trainer.strategy.barrier()
        self._saved = time.monotonic()
        return True

    def stop_if_asked(self, trainer: lightning.Trainer) -> bool:
        """End the training before it is finished if any process was asked to; its saved state can be resumed."""
        asked = self.agreed(trainer, self.request.made)
        if asked:
            self._stop(trainer)
        return asked

    def _stop(self, trainer: lightning.Trainer) -> None:
        trainer.should_stop = True
        if trainer.is_global_zero:
            self.files.stopped.touch()

    def losses_diverged(self, trainer: lightning.Trainer) -> bool:
        """Look at the losses since the last look; if one is not finite, say whose, stop, and let nothing be saved."""
        recent, self._recent = self._recent, deque()
        values = torch.stack([loss for loss, _ in recent]).cpu() if recent else torch.zeros(1)
        diverged = ~torch.isfinite(values)
        found = bool(diverged.any())
        if not self.agreed(trainer, found):
            return False
        place = int(diverged.int().argmax())
        names = self.keys(recent[place][1].cpu().numpy()) if found else []
        shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if names[MOST_NAMES:] else "")
        self._fail(trainer, f"the loss became {values[place].item()} on {shown}", found)
        return True

    def _fail(self, trainer: lightning.Trainer, what: str, tells: bool) -> None:
        trainer.should_stop = True
        if tells:
            self.files.failure.write_text(
                f"{what} in epoch {trainer.current_epoch + 1}; the last sound state is kept for these settings, but is "
                "likely to end there again: look at the images, or lower training.lr, set training.clip_norm or take "
                "precision bf16, which starts from scratch"
            )

    def agreed(self, trainer: lightning.Trainer, wanted: bool) -> bool:
        """Whether any process of this training wants something; every process takes part."""
        return wanted if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(wanted, all=False)
