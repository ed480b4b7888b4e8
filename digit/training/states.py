"""Saved states of an unfinished training, and when to save, stop or give up."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor

from digit.data.dataset import HandDataset
from digit.files import replacing

CHECK_EVERY_STEPS = 50
"""Steps after which losses are looked at: looking makes the host wait for the device."""
AGREE_EVERY_STEPS = 10
"""Steps after which processes on GPUs agree whether to save or stop; on a CPU they do after every step."""
MOST_NAMES = 8


@dataclass(frozen=True)
class StateFiles:
    """Files of an unfinished training."""

    folder: Path

    @property
    def resume(self) -> Path:
        """State to go on from."""
        return self.folder / "resume.ckpt"

    @property
    def best(self) -> Path:
        """Weights with the lowest validation error so far."""
        return self.folder / "best.ckpt"

    @property
    def history(self) -> Path:
        """One line an epoch."""
        return self.folder / "history.csv"

    @property
    def origin(self) -> Path:
        """Where the backbone's weights came from at the start."""
        return self.folder / "backbone.txt"

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


def save_state(trainer: lightning.Trainer, path: Path) -> None:
    """Save the training's state, all or nothing; every process takes part."""
    temporary = path.with_name(f".{path.name}.partial")
    trainer.save_checkpoint(temporary)
    if trainer.is_global_zero:
        os.replace(temporary, path)
    trainer.strategy.barrier()


class Guard(lightning.Callback):
    """Saves the state now and then and when asked to stop (SIGTERM); stops at a loss that is no number.

    Args:
        dataset: names of the training samples, for the message about a strange loss.
        files: where states go.
        save_every_minutes: between saved states.
    """

    def __init__(self, dataset: HandDataset, files: StateFiles, save_every_minutes: float) -> None:
        self.dataset, self.files, self.save_every = dataset, files, 60 * save_every_minutes
        self.before_saving: list[Callable[[lightning.Trainer], None]] = []
        """Called in every process before a state is saved in mid-epoch."""
        self._recent: deque[tuple[Tensor, Tensor]] = deque()
        self._asked_to_stop = False
        self._steps = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen for the scheduler's signal and start the clock."""
        signal.signal(signal.SIGTERM, self._stop_soon)
        self._saved = time.monotonic()

    def _stop_soon(self, *_: Any) -> None:
        self._asked_to_stop = True

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Remember the loss; between optimiser steps, look whether it is time to save or stop."""
        self._recent.append((outputs["loss"].detach(), batch["row"]))
        self._steps += 1
        if (batch_idx + 1) % trainer.accumulate_grad_batches or batch_idx + 1 == trainer.num_training_batches:
            return
        looking = self._steps % CHECK_EVERY_STEPS == 0
        if trainer.world_size > 1 and trainer.strategy.root_device.type == "cuda" and self._steps % AGREE_EVERY_STEPS:
            return
        stop = self._agreed(trainer, self._asked_to_stop)
        due = self._agreed(trainer, time.monotonic() - self._saved >= self.save_every)
        if not (looking or stop or due) or self.losses_are_strange(trainer):
            return
        if stop or due:
            for prepare in self.before_saving:
                prepare(trainer)
            save_state(trainer, self.files.resume)
            self._saved = time.monotonic()
        if stop:
            trainer.should_stop = True
            if trainer.is_global_zero:
                self.files.stopped.touch()

    def losses_are_strange(self, trainer: lightning.Trainer) -> bool:
        """Look at the losses since the last look; if one is no number, say whose, stop, and let nothing be saved."""
        recent, self._recent = self._recent, deque()
        values = torch.stack([loss for loss, _ in recent]).cpu() if recent else torch.zeros(1)
        strange = ~torch.isfinite(values)
        if strange.any():
            place = int(strange.int().argmax())
            names = self.dataset.index.keys(recent[place][1].cpu().numpy())
            shown = ", ".join(names[:MOST_NAMES]) + (
                f" and {len(names) - MOST_NAMES} more" if names[MOST_NAMES:] else ""
            )
            with replacing(self.files.failure) as temporary:
                temporary.write_text(
                    f"the loss became {values[place].item()} in epoch {trainer.current_epoch + 1} on {shown}; the last "
                    "sound state is kept: look at these images, lower training.lr, set training.clip_norm or take "
                    "precision bf16, and run again"
                )
        if self._agreed(trainer, bool(strange.any())):
            trainer.should_stop = True
            return True
        return False

    def _agreed(self, trainer: lightning.Trainer, wanted: bool) -> bool:
        return wanted if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(wanted, all=False)
