"""Evaluation at the end of epochs: what is measured, which weights are the best, one row of history."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, cast

import lightning
import numpy as np
import torch
from torch.utils.data import Subset

from digit import metrics, scoring
from digit.config import TrainingSettings
from digit.model import inference
from digit.model.module import DigitModule
from digit.run.console import configure_logging, log
from digit.samples.dataset import Batch, HandDataset
from digit.training.averaging import WeightAverage
from digit.training.batches import batch_loader
from digit.training.checkpoints import CheckpointCallback
from digit.training.history import MEASURED, History, is_measured, write_history
from digit.training.internals import quiet_lightning
from digit.training.overlays import draw_overlays

EVALUATION_BATCH = 32


class EvaluationCallback(lightning.Callback):
    """Ends each epoch: measures if it is time, writes the history, saves the state and the best weights.

    Args:
        name: of the experiment, for log lines.
        training: its optimisation settings.
        calibration: training samples for batch-norm statistics.
        validation: the data set to measure on.
        history: gets a row for each epoch.
        checkpoints: saves states.
    """

    def __init__(
        self,
        name: str,
        training: TrainingSettings,
        calibration: HandDataset,
        validation: HandDataset,
        history: History,
        checkpoints: CheckpointCallback,
    ) -> None:
        self.name, self.training, self.history, self.checkpoints = name, training, history, checkpoints
        self.calibration, self.validation = calibration, validation
        self._average: WeightAverage | None = None
        self._average_state: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """The average of the weights, for the saved state."""
        return {"average": None if self._average is None else self._average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the average of the saved state."""
        self._average_state = state["average"]

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Set up this process: log lines, quiet libraries, and on a CPU its share of the cores."""
        configure_logging()
        quiet_lightning()
        if trainer.world_size > 1 and not torch.cuda.is_available():
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // trainer.world_size))

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the average of the weights if one is wanted."""
        if self.training.ema_decay is not None:
            self._average = WeightAverage(cast(DigitModule, pl_module).network, self.training.ema_decay)
            if self._average_state is not None:
                self._average.load_state_dict(self._average_state)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take an optimiser step's weights into their average."""
        if self._average is not None and (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self._average.update()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure if it is time, write the history, save the state."""
        if trainer.should_stop or self.checkpoints.losses_diverged(trainer):
            return
        epoch, history, files = trainer.current_epoch + 1, self.history, self.checkpoints.files
        row = history.row(epoch, trainer.global_step, trainer.strategy)
        measuring = is_measured(self.training, epoch)
        with self._average.applied() if measuring and self._average is not None else nullcontext():
            if measuring:
                found = self._evaluate(trainer, cast(DigitModule, pl_module), row)
                if found is None:
                    return
                row |= found
            history.rows = [*history.rows, row]
            if measuring and history.is_best(row["val_mpjpe_all"]) and not self.checkpoints.save(trainer, files.best):
                return
        if not self.checkpoints.save(trainer, files.resume):
            return
        if trainer.is_global_zero:
            write_history(files.history, history.rows)
        for logger in trainer.loggers:
            logger.log_metrics({name: value for name, value in row.items() if value is not None}, trainer.global_step)
        if epoch < self.training.max_epoch:
            self.checkpoints.stop_if_asked(trainer)

    def _evaluate(
        self, trainer: lightning.Trainer, module: DigitModule, row: dict[str, Any]
    ) -> dict[str, float | None] | None:
        """Measure the network, log its metrics, and draw a few samples; None when asked to stop before the end."""
        exact = module.device.type != "cuda"
        with nullcontext() if exact else trainer.precision_plugin.forward_context():
            self._recalibrate(trainer, module)
            outputs = self.predict(trainer, module)
        if self.checkpoints.stop_if_asked(trainer):
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
            draw_overlays(module.network, self.validation, self.checkpoints.files.overlay(row["epoch"]), trainer)
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

    def predict(self, trainer: lightning.Trainer, module: DigitModule) -> inference.Outputs | None:
        """Predict this process's share of the validation samples, or less when asked to stop; None without samples."""
        rows = range(trainer.global_rank, len(self.validation), trainer.world_size)
        if not rows:
            return None
        return inference.run(module.network, self._until_asked(self._batches(self.validation, rows)), module.device)

    def _batches(self, dataset: HandDataset, places: Sequence[int]) -> Iterable[Batch]:
        return batch_loader(Subset(dataset, places), EVALUATION_BATCH, self.training.num_workers)

    def _until_asked(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch
            if self.checkpoints.request.made:
                return


def _readable(row: dict[str, Any]) -> str:
    shown = {"loss": row["train_loss"], **{name: row[f"val_{name}"] for name in MEASURED}}
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.items() if value is not None)
