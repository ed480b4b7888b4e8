"""Evaluation and history of a training: what is measured at the end of epochs and told meanwhile."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Subset

from digit import metrics, scoring
from digit.config import TrainingSettings
from digit.model import inference
from digit.model.module import DigitModule
from digit.run.console import SECONDS_BETWEEN_LINES, configure_logging, log
from digit.run.files import replacing
from digit.samples.dataset import Batch, HandDataset
from digit.training.averaging import WeightAverage
from digit.training.batches import batch_loader
from digit.training.states import Guard, StateFiles, is_measured
from digit.training.watch import overlays, quiet_lightning

LOSSES = ("joint", "rel_root_depth", "hand_type", "segm", "bone", "heatmap")
MEASURED = ("mpjpe_all", "mpjpe_sh", "mpjpe_ih", "pa_mpjpe_all", "mrrpe", "handedness_accuracy", "part_iou")
COLUMNS = (
    "epoch", "step", "seconds", "lr", "train_loss",
    *(f"train_{name}" for name in LOSSES), *(f"val_{name}" for name in MEASURED),
)  # fmt: skip
EVALUATION_BATCH = 32


class Journal(lightning.Callback):
    """Evaluates, writes the history and saves the state at the end of epochs; tells how it goes meanwhile.

    Args:
        name: of the experiment, for log lines.
        training: its optimisation settings.
        calibration: training samples for batch-norm statistics.
        validation: the data set to measure on.
        files: where states go.
        guard: of the same training.
        beginning: what the saved state has to tell of how the training began.
    """

    def __init__(
        self,
        name: str,
        training: TrainingSettings,
        calibration: HandDataset,
        validation: HandDataset,
        files: StateFiles,
        guard: Guard,
        beginning: Mapping[str, str],
    ) -> None:
        self.name, self.training, self.files, self.guard = name, training, files, guard
        guard.before_saving.append(self._share)
        self.calibration, self.validation = calibration, validation
        self.beginning = dict(beginning)
        self.rows: list[dict[str, Any]] = []
        self.best_mm = float("inf")
        self.seconds_before = 0.0
        self._sums: dict[str, Tensor] = {}
        self._steps = 0
        self._average: WeightAverage | None = None
        self._average_state: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """History so far, for the saved state."""
        return {
            "beginning": self.beginning,
            "rows": self.rows,
            "best_mm": self.best_mm,
            "seconds": self._seconds(),
            "sums": {name: value.cpu() for name, value in self._sums.items()},
            "steps": self._steps,
            "average": None if self._average is None else self._average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the history of a saved state."""
        self.beginning, self.rows = state["beginning"], state["rows"]
        self.best_mm, self.seconds_before = state["best_mm"], state["seconds"]
        self._sums, self._steps, self._average_state = state["sums"], state["steps"], state["average"]

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Set up this process: log lines, quiet libraries, and on a CPU its share of the cores."""
        configure_logging()
        quiet_lightning()
        if trainer.world_size > 1 and not torch.cuda.is_available():
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // trainer.world_size))

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock, and the average of the weights if one is wanted."""
        self._started = self._told = time.monotonic()
        self._steps_at_start = trainer.global_step
        self._sums = {name: value.to(pl_module.device) for name, value in self._sums.items()}
        if self.training.ema_decay is not None:
            self._average = WeightAverage(cast(DigitModule, pl_module).network, self.training.ema_decay)
            if self._average_state is not None:
                self._average.load_state_dict(self._average_state)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin an epoch's averages."""
        self._sums, self._steps = {}, 0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note the learning rate of the step: schedules move on before the step is told to have ended."""
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the losses up on their device; tell the rate every few seconds."""
        for name in LOSSES:  # the sum is left out: Lightning has divided it by the number of accumulated batches
            value = outputs[name]
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._steps += 1
        if self._average is not None and (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self._average.update()
        now = time.monotonic()
        due = now - self._told >= SECONDS_BETWEEN_LINES and trainer.global_step > self._steps_at_start
        if due and trainer.is_global_zero and not sys.stderr.isatty():
            self._told = now
            self._tell(trainer, now)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure if it is time, write the history, save the state."""
        if trainer.should_stop or self.guard.losses_are_strange(trainer):
            return
        epoch = trainer.current_epoch + 1
        row = self._row(trainer, epoch)
        measuring = is_measured(self.training, epoch)
        with self._average.applied() if measuring and self._average is not None else nullcontext():
            if measuring:
                found = self._evaluate(trainer, cast(DigitModule, pl_module), row)
                if found is None:
                    self.guard.stop(trainer)
                    return
                row |= found
            self.rows = [*self.rows, row]
            if measuring and self._is_best(row["val_mpjpe_all"]) and not self.guard.save(trainer, self.files.best):
                return
        if not self.guard.save(trainer, self.files.resume):
            return
        if trainer.is_global_zero:
            write_history(self.files.history, self.rows)
        for logger in trainer.loggers:
            logger.log_metrics({name: value for name, value in row.items() if value is not None}, trainer.global_step)
        if epoch < self.training.max_epoch and self.guard.agreed(trainer, self.guard.request.made):
            self.guard.stop(trainer)

    def _row(self, trainer: lightning.Trainer, epoch: int) -> dict[str, Any]:
        """History of an epoch, not measured yet."""
        means = {name: float(trainer.strategy.reduce(value / self._steps)) for name, value in self._sums.items()}
        means = {"loss": sum(means.values()), **means}
        row = {"epoch": epoch, "step": trainer.global_step, "seconds": round(self._seconds(), 1), "lr": self._lr}
        return row | {f"train_{name}": value for name, value in means.items()}

    def _is_best(self, error_mm: float | None) -> bool:
        """Whether these weights are the best so far; while no error can be measured the last ones are."""
        if error_mm is None:
            return self.best_mm == float("inf")
        if error_mm >= self.best_mm:
            return False
        self.best_mm = error_mm
        return True

    def _share(self, trainer: lightning.Trainer) -> None:
        """Replace each process's sums by their mean over processes, because one state is saved for all."""
        self._sums = {name: trainer.strategy.reduce(value).detach() for name, value in self._sums.items()}

    def _evaluate(
        self, trainer: lightning.Trainer, module: DigitModule, row: dict[str, Any]
    ) -> dict[str, float | None] | None:
        """Measure the network, tell it, and draw what it sees in a few samples; None when told to stop meanwhile."""
        exact = module.device.type != "cuda"
        with nullcontext() if exact else trainer.precision_plugin.forward_context():
            self._recalibrate(trainer, module)
            outputs = self._predict(trainer, module)
        if self.guard.agreed(trainer, self.guard.request.made):
            return None
        if trainer.world_size > 1:
            gathered: list[inference.Outputs | None] = [outputs] * trainer.world_size
            torch.distributed.all_gather_object(gathered, outputs)
            outputs = inference.Outputs.concatenate([some for some in gathered if some is not None])
        assert outputs is not None, "an empty data set cannot be opened"
        space = metrics.Space.of(module.experiment.model)
        tallied = scoring.tally_outputs(outputs, self.validation.index, self.validation.root_depth, space)
        scores = metrics.scalars(tallied.sums.sum(axis=0))
        found = {f"val_{name}": None if scores[name] != scores[name] else float(scores[name]) for name in MEASURED}
        if trainer.is_global_zero:
            log.info("%s, epoch %d: %s", self.name, row["epoch"], _readable(row | found))
            overlays(module.network, self.validation, self.files.overlay(row["epoch"]), trainer)
        return found

    def _recalibrate(self, trainer: lightning.Trainer, module: DigitModule) -> None:
        """Re-estimate batch-norm statistics if that is wanted; every process takes at least one image."""
        rank, processes = trainer.global_rank, trainer.world_size
        if self.training.recalibrate_images:
            # Mixed batches: the data set itself is sorted by hand type and capture.
            mixed = np.random.default_rng(self.training.seed).permutation(len(self.calibration))
            mixed = mixed[: max(self.training.recalibrate_images, processes)]
            inference.recalibrate_batch_norm(
                module.network, self._batches(self.calibration, mixed[rank::processes].tolist()), module.device
            )

    def _predict(self, trainer: lightning.Trainer, module: DigitModule) -> inference.Outputs | None:
        """Predict this process's share of the validation samples, if it has any, or less when told to stop."""
        rows = range(trainer.global_rank, len(self.validation), trainer.world_size)
        if not rows:
            return None
        return inference.run(module.network, self._until_told(self._batches(self.validation, rows)), module.device)

    def _batches(self, dataset: HandDataset, places: Sequence[int]) -> Iterable[Batch]:
        return batch_loader(Subset(dataset, places), EVALUATION_BATCH, self.training.num_workers)

    def _until_told(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch
            if self.guard.request.made:
                return

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self._started

    def _tell(self, trainer: lightning.Trainer, now: float) -> None:
        steps, total = trainer.global_step, cast(DigitModule, trainer.lightning_module).steps
        rate = (steps - self._steps_at_start) / (now - self._started)
        loss = sum(float(value) for value in self._sums.values()) / self._steps
        log.info(
            "train %s: epoch %d of %d, step %d of %d, loss %.2f, %.0f samples/s, %.0f s left",
            self.name, trainer.current_epoch + 1, self.training.max_epoch, steps, total, loss,
            rate * self.training.batch_size, (total - steps) / rate,
        )  # fmt: skip


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one line an epoch; what was not measured stays empty."""
    with replacing(path) as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False, float_format="%.6g")


def _readable(row: dict[str, Any]) -> str:
    shown = {"loss": row["train_loss"], **{name: row[f"val_{name}"] for name in MEASURED}}
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.items() if value is not None)
