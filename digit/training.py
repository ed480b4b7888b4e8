"""What happens around the training steps: batches for each process, evaluation, history, saved states.

Stands between floor 2 (data, model, metrics) and the train stage.
"""

import logging
import os
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from digit import metrics, scoring
from digit.config import TrainingSettings
from digit.console import SECONDS_BETWEEN_LINES, configure_logging, log
from digit.data.dataset import EpochSampler, HandDataset, whole_batch
from digit.files import replacing
from digit.model import inference
from digit.model.module import DigitModule

LOSSES = ("joint", "rel_root_depth", "hand_type", "segm", "bone")
MEASURED = ("mpjpe_all", "mpjpe_sh", "mpjpe_ih", "mrrpe", "handedness_accuracy", "part_iou")
COLUMNS = (
    "epoch", "step", "seconds", "lr", "train_loss",
    *(f"train_{name}" for name in LOSSES), *(f"val_{name}" for name in MEASURED),
)  # fmt: skip
EVALUATION_BATCH = 32


@dataclass(frozen=True)
class StateFiles:
    """Files of an unfinished training."""

    folder: Path

    @property
    def resume(self) -> Path:
        """State after the last whole epoch."""
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


def samples_per_step(training: TrainingSettings) -> int:
    """Samples that one process takes through the network at once."""
    return min(training.iter_batch, training.batch_size // training.devices)


class Batches(lightning.LightningDataModule):
    """Training batches, shared out among the processes of a run."""

    def __init__(self, dataset: HandDataset, training: TrainingSettings) -> None:
        super().__init__()
        self.dataset, self.training = dataset, training

    def train_dataloader(self) -> DataLoader:
        """This process's share of every global batch, in a new order each epoch."""
        training, trainer = self.training, cast(lightning.Trainer, self.trainer)
        sampler = EpochSampler(
            len(self.dataset), training.batch_size, training.seed, trainer.global_rank, trainer.world_size
        )
        return DataLoader(
            self.dataset,
            batch_size=samples_per_step(training),
            sampler=sampler,
            collate_fn=whole_batch,
            num_workers=training.num_workers,
            persistent_workers=training.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )


class Journal(lightning.Callback):
    """Evaluates, writes the history and saves the state at the end of epochs; tells how it goes meanwhile.

    Args:
        name: of the experiment, for log lines.
        training: its optimisation settings.
        calibration: training samples for batch-norm statistics.
        validation: the data set to measure on.
        files: where states go.
    """

    def __init__(
        self,
        name: str,
        training: TrainingSettings,
        calibration: HandDataset,
        validation: HandDataset,
        files: StateFiles,
    ) -> None:
        self.name, self.training, self.files = name, training, files
        self.calibration, self.validation = calibration, validation
        self.rows: list[dict[str, Any]] = []
        self.best_mm = float("inf")
        self.seconds_before = 0.0
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    def state_dict(self) -> dict[str, Any]:
        """History so far, for the saved state."""
        return {"rows": self.rows, "best_mm": self.best_mm, "seconds": self._seconds()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the history of a saved state."""
        self.rows, self.best_mm, self.seconds_before = state["rows"], state["best_mm"], state["seconds"]

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Set up this process: log lines, quiet libraries, and on a CPU its share of the cores."""
        configure_logging()
        quiet_lightning()
        if trainer.world_size > 1 and not torch.cuda.is_available():
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // trainer.world_size))

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._started = self._told = time.monotonic()
        self._steps_at_start = trainer.global_step

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin an epoch's averages."""
        self._sums, self._steps = {}, 0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the losses up on their device; tell the rate every few seconds."""
        for name, value in outputs.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._steps += 1
        now = time.monotonic()
        if trainer.is_global_zero and not sys.stderr.isatty() and now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            self._tell(trainer, now)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure if it is time, write the history, save the state."""
        epoch = trainer.current_epoch + 1
        means = {name: float(trainer.strategy.reduce(value / self._steps)) for name, value in self._sums.items()}
        row: dict[str, Any] = {"epoch": epoch, "step": trainer.global_step, "seconds": round(self._seconds(), 1)}
        row["lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        row |= {f"train_{name}": value for name, value in means.items()}
        improved = False
        if epoch % self.training.eval_every_epoch == 0 or epoch == self.training.max_epoch:
            scores = self._measure(trainer, cast(DigitModule, pl_module))
            row |= {f"val_{name}": scores[name] for name in MEASURED}
            error_mm = scores["mpjpe_all"]
            if error_mm is not None and error_mm < self.best_mm:
                self.best_mm, improved = error_mm, True
            if trainer.is_global_zero:
                log.info("%s, epoch %d: %s", self.name, epoch, _readable(row))
        self.rows = [*self.rows, row]
        self._save(trainer, self.files.resume)
        if improved:
            self._save(trainer, self.files.best)
        if trainer.is_global_zero:
            write_history(self.files.history, self.rows)

    def _measure(self, trainer: lightning.Trainer, module: DigitModule) -> dict[str, float | None]:
        rank, processes, device = trainer.global_rank, trainer.world_size, module.device
        if self.training.recalibrate_images:
            # Mixed batches: the data set itself is sorted by hand type and capture.
            mixed = np.random.default_rng(self.training.seed).permutation(len(self.calibration))
            share = Subset(self.calibration, mixed[: self.training.recalibrate_images][rank::processes].tolist())
            inference.recalibrate_batch_norm(module.network, _loader(share), device)
        rows = range(rank, len(self.validation), processes)
        outputs = inference.run(module.network, _loader(Subset(self.validation, rows)), device)
        if processes > 1:
            gathered: list[inference.Outputs] = [outputs] * processes
            torch.distributed.all_gather_object(gathered, outputs)
            outputs = inference.Outputs.concatenate(gathered)
        space = metrics.Space.of(module.experiment.model)
        tallied = scoring.tally_outputs(outputs, self.validation.index, self.validation.root_depth, space)
        values = metrics.scalars(tallied.sums.sum(axis=0))
        return {name: None if value != value else float(value) for name, value in values.items()}

    def _save(self, trainer: lightning.Trainer, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.partial")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            os.replace(temporary, path)
        trainer.strategy.barrier()

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self._started

    def _tell(self, trainer: lightning.Trainer, now: float) -> None:
        steps, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        rate = (steps - self._steps_at_start) / (now - self._started)
        left = (total - steps) / rate if rate else float("nan")
        loss = float(self._sums["loss"]) / self._steps
        log.info(
            "train %s: epoch %d of %d, step %d of %d, loss %.2f, %.0f samples/s, %.0f s left",
            self.name, trainer.current_epoch + 1, self.training.max_epoch, steps, total, loss,
            rate * self.training.batch_size, left,
        )  # fmt: skip


def quiet_lightning() -> None:
    """Keep Lightning's advice out of the log; what matters is logged by :class:`Journal`."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one line an epoch; what was not measured stays empty."""
    with replacing(path) as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False, float_format="%.6g")


def _loader(dataset: Subset) -> DataLoader:
    return DataLoader(dataset, batch_size=EVALUATION_BATCH, collate_fn=whole_batch)


def _readable(row: dict[str, Any]) -> str:
    shown = {"loss": row["train_loss"], **{name: row[f"val_{name}"] for name in MEASURED}}
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.items() if value is not None)
