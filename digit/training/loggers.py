"""Watching a training: TensorBoard and other loggers, the progress bar."""

import importlib.util
from typing import Any

import lightning
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger

from digit.config import TrainingSettings
from digit.run.errors import UserError
from digit.training.checkpoints import StateFiles


class ProgressBar(TQDMProgressBar):
    """Lightning's bar with samples per second."""

    def __init__(self, samples_per_batch: int) -> None:
        super().__init__(refresh_rate=10)
        self._samples = samples_per_batch

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, Any]:
        """What stands behind the bar."""
        rate = self.train_progress_bar.format_dict.get("rate") or 0.0
        return {"samples/s": f"{rate * self._samples:.0f}"}


def require_logger(training: TrainingSettings) -> None:
    """Make sure that what ``training.logger`` asks for is there.

    Raises:
        UserError: when the logger's package is not installed.
    """
    if training.logger != "none" and importlib.util.find_spec(training.logger) is None:
        raise UserError(f"training.logger {training.logger}: is not installed; run pip install {training.logger}")


def loggers(name: str, training: TrainingSettings, files: StateFiles, step: int) -> list[Logger]:
    """TensorBoard, and what ``training.logger`` asks for besides.

    Args:
        name: of the experiment.
        training: its optimisation settings.
        files: of the unfinished training; the logs lie there.
        step: from which the training resumes; later entries of an interrupted attempt are replaced.

    """
    found: list[Logger] = [TensorBoardLogger(files.events, name="", version="", purge_step=step or None)]
    if training.logger == "none":
        return found
    if training.logger == "wandb":
        from lightning.pytorch.loggers import WandbLogger

        return [*found, WandbLogger(name=name, save_dir=files.folder)]
    from lightning.pytorch.loggers import MLFlowLogger

    return [*found, MLFlowLogger(run_name=name, save_dir=str(files.folder / "mlruns"))]
