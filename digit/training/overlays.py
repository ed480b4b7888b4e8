"""Pictures of what a network in training sees in a few samples."""

from pathlib import Path

import cv2
import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from digit import figures
from digit.model.inference import to_device, to_inputs
from digit.model.network import Network
from digit.predictor.readout import read_out
from digit.run.files import replacing
from digit.samples.dataset import HandDataset
from digit.skeleton import JOINT_HAND

SAMPLES, TILE_PX = 6, 224


@torch.inference_mode()
def draw_overlays(network: Network, dataset: HandDataset, path: Path, trainer: lightning.Trainer) -> None:
    """Draw predicted parts and joints over evenly chosen samples, into a PNG and the loggers.

    Only hands that are annotated as present are drawn.
    """
    places = np.unique(np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).round().astype(int))
    batch = dataset.__getitems__(places.tolist())
    device = next(network.parameters()).device
    training = network.training
    prediction = network.eval()(*to_inputs(to_device(batch, device), network.settings))
    network.train(training)
    read = read_out(prediction, network.settings)
    labels = np.zeros(batch["segm"].shape, np.uint8) if read.parts is None else read.parts
    tiles = []
    for k, crop in enumerate(batch["image"].numpy()):
        picture = cv2.resize(crop, (TILE_PX, TILE_PX), interpolation=cv2.INTER_LINEAR)
        mask = cv2.resize(labels[k], (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST)
        shown = batch["hand_type"][k].numpy().astype(bool)[JOINT_HAND]
        joints_px = (read.joints_crop_px[k] + 0.5) * (TILE_PX / network.settings.input_size) - 0.5
        tiles.append(figures.draw_skeleton(figures.overlay_mask(picture, mask, alpha=0.4), joints_px, shown))
    sheet = figures.grid(tiles, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image("validation", sheet, trainer.global_step, dataformats="HWC")
