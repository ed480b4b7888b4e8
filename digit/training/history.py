"""The history of a training: losses of the present epoch, one row for each past one, and log lines in between."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor

from digit.config import LOSSES, TrainingSettings
from digit.run.console import SECONDS_BETWEEN_LINES, log
from digit.run.files import replacing

MEASURED = ("mpjpe_all", "mpjpe_sh", "mpjpe_ih", "pa_mpjpe_all", "mrrpe", "handedness_accuracy", "part_iou")
COLUMNS = (
    "epoch", "step", "seconds", "lr", "train_loss",
    *(f"train_{name}" for name in LOSSES), *(f"val_{name}" for name in MEASURED),
)  # fmt: skip


class History:
    """What a saved state knows about the training so far.

    Args:
        beginning: how the training began.
    """

    def __init__(self, beginning: Mapping[str, str]) -> None:
        self.beginning = dict(beginning)
        self.rows: list[dict[str, Any]] = []
        """One for each past epoch, with the keys of :data:`COLUMNS`."""
        self.best_mm = float("inf")
        """Lowest validation error so far."""
        self._sums: dict[str, Tensor] = {}
        self._batches = 0
        self._lr = 0.0
        self._seconds_before = 0.0
        self._started = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Everything of it, for a saved state."""
        return {
            "beginning": self.beginning,
            "rows": self.rows,
            "best_mm": self.best_mm,
            "seconds": self.seconds(),
            "sums": {name: value.cpu() for name, value in self._sums.items()},
            "batches": self._batches,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the history of a saved state."""
        self.beginning, self.rows, self.best_mm = state["beginning"], state["rows"], state["best_mm"]
        self._seconds_before, self._sums, self._batches = state["seconds"], state["sums"], state["batches"]

    def start(self, device: torch.device) -> None:
        """Start the clock of this attempt."""
        self._started = time.monotonic()
        self._sums = {name: value.to(device) for name, value in self._sums.items()}

    def seconds(self) -> float:
        """Time spent in all attempts together."""
        return self._seconds_before + time.monotonic() - self._started

    def begin_epoch(self) -> None:
        """Forget the losses of the epoch before."""
        self._sums, self._batches = {}, 0

    def add(self, losses: Mapping[str, Tensor], lr: float) -> None:
        """Accumulate the losses of a batch, on their device, and note the learning rate that was used."""
        # Their sum is left out: Lightning has divided it by the number of accumulated batches.
        for name in LOSSES:
            value = losses[name]
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._batches += 1
        self._lr = lr

    def mean_loss(self) -> float:
        """Mean loss of this process in the present epoch; waits for the device."""
        return sum(float(value) for value in self._sums.values()) / self._batches

    def share(self, strategy: Strategy) -> None:
        """Replace each process's sums by their mean over processes, because one state is saved for all."""
        self._sums = {name: strategy.reduce(value).detach() for name, value in self._sums.items()}

    def row(self, epoch: int, step: int, strategy: Strategy) -> dict[str, Any]:
        """The row of the epoch that ends, not measured yet."""
        means = {name: float(strategy.reduce(value / self._batches)) for name, value in self._sums.items()}
        means = {"loss": sum(means.values()), **means}
        row = {"epoch": epoch, "step": step, "seconds": round(self.seconds(), 1), "lr": self._lr}
        return row | {f"train_{name}": value for name, value in means.items()}

    def is_best(self, error_mm: float | None) -> bool:
        """Take an error in, and say whether it is the lowest; while none can be measured the last weights are best."""
        if error_mm is None:
            return self.best_mm == float("inf")
        if error_mm >= self.best_mm:
            return False
        self.best_mm = error_mm
        return True


class HistoryCallback(lightning.Callback):
    """Keeps the history of the epoch and tells how the training goes, every few seconds, where there is no bar.

    Args:
        name: of the experiment, for log lines.
        training: its optimisation settings.
        history: to be kept.
        steps: optimiser steps of the whole training.
    """

    def __init__(self, name: str, training: TrainingSettings, history: History, steps: int) -> None:
        self.name, self.training, self.history, self.steps = name, training, history, steps

    def state_dict(self) -> dict[str, Any]:
        """The history, for the saved state."""
        return self.history.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the history of the saved state."""
        self.history.load_state_dict(state)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self.history.start(pl_module.device)
        self._started = self._told = time.monotonic()
        self._steps_at_start = trainer.global_step

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin an epoch's averages."""
        self.history.begin_epoch()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note the learning rate of the step: schedules move on before the step is reported as done."""
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the losses up; tell the rate every few seconds."""
        self.history.add(outputs, self._lr)
        now = time.monotonic()
        due = now - self._told >= SECONDS_BETWEEN_LINES and trainer.global_step > self._steps_at_start
        if not due or not trainer.is_global_zero or sys.stderr.isatty():
            return
        self._told = now
        done = trainer.global_step
        rate = (done - self._steps_at_start) / (now - self._started)
        log.info(
            "train %s: epoch %d of %d, step %d of %d, loss %.2f, %.0f samples/s, %.0f s left",
            self.name, trainer.current_epoch + 1, self.training.max_epoch, done, self.steps, self.history.mean_loss(),
            rate * self.training.batch_size, (self.steps - done) / rate,
        )  # fmt: skip


def history_of(state: dict[str, Any]) -> dict[str, Any] | None:
    """What :class:`History` left in a saved state, if this is one."""
    return state.get("callbacks", {}).get(HistoryCallback.__name__)


def is_measured(training: TrainingSettings, epoch: int) -> bool:
    """Whether an epoch, counted from 1, ends with an evaluation."""
    return epoch % training.eval_every_epoch == 0 or epoch == training.max_epoch


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one line per epoch; what was not measured stays empty."""
    with replacing(path) as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False, float_format="%.6g")
