"""Watching a training: TensorBoard and other loggers, the progress bar, pictures of a few samples."""

import importlib.util
import logging
import warnings
from pathlib import Path
from typing import Any

import cv2
import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger

from digit import figures
from digit.config import TrainingSettings
from digit.model.inference import to_device, to_inputs
from digit.model.network import Network
from digit.run.errors import UserError
from digit.run.files import replacing
from digit.samples.dataset import HandDataset
from digit.skeleton import JOINT_HAND
from digit.training.states import StateFiles

SAMPLES, TILE_PX = 6, 224


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
        step: from which the training goes on; later entries of an interrupted attempt are replaced.

    """
    found: list[Logger] = [TensorBoardLogger(files.events, name="", version="", purge_step=step or None)]
    if training.logger == "none":
        return found
    if training.logger == "wandb":
        from lightning.pytorch.loggers import WandbLogger

        return [*found, WandbLogger(name=name, save_dir=files.folder)]
    from lightning.pytorch.loggers import MLFlowLogger

    return [*found, MLFlowLogger(run_name=name, save_dir=str(files.folder / "mlruns"))]


@torch.inference_mode()
def overlays(network: Network, dataset: HandDataset, path: Path, trainer: lightning.Trainer) -> None:
    """Draw predicted parts and joints over evenly chosen samples, into a PNG and the loggers.

    Only hands that are annotated as present are drawn.
    """
    places = np.unique(np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).round().astype(int))
    batch = dataset.__getitems__(places.tolist())
    device = next(network.parameters()).device
    training = network.training
    prediction = network.eval()(*to_inputs(to_device(batch, device), network.settings))
    network.train(training)
    parts = (
        torch.zeros_like(batch["segm"]) if prediction.segm_logits is None else prediction.segm_logits.argmax(1).byte()
    )
    labels = parts.cpu().numpy()
    joints = prediction.joint_xyz[..., :2].float().cpu().numpy()
    size, cells = network.settings.input_size, network.settings.heatmap_size
    tiles = []
    for k, crop in enumerate(batch["image"].numpy()):
        picture = cv2.resize(crop, (TILE_PX, TILE_PX), interpolation=cv2.INTER_LINEAR)
        mask = cv2.resize(labels[k], (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST)
        shown = batch["hand_type"][k].numpy().astype(bool)[JOINT_HAND]
        joints_px = (joints[k] * (size / cells) + 0.5) * (TILE_PX / size) - 0.5
        tiles.append(figures.draw_skeleton(figures.overlay_mask(picture, mask, alpha=0.4), joints_px, shown))
    sheet = figures.grid(tiles, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image("validation", sheet, trainer.global_step, dataformats="HWC")


def quiet_lightning() -> None:
    """Keep Lightning's advice out of the log; what matters is logged by :class:`Journal`."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
