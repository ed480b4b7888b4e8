"""From a network's answer in heat-map cells and bins to px of its crop and mm; the one place that does it."""

from dataclasses import dataclass

import numpy as np

from digit import geometry
from digit.config import ModelSettings
from digit.model.network import Prediction


@dataclass(frozen=True)
class Readout:
    """The answers for n crops."""

    joints_crop_px: np.ndarray
    """(n, 42, 2) float64 in px of the network's input, pixel centres at integers."""
    depth_mm: np.ndarray
    """(n, 42) float64 relative to the wrist of each joint's hand."""
    hand_probability: np.ndarray
    """(n, 2) float32 of the right and the left hand."""
    rel_root_mm: np.ndarray
    """(n,) float64 depth of the left wrist minus that of the right one."""
    parts: np.ndarray | None
    """(n, S/2, S/2) uint8 most probable label; None from a network that draws no parts."""
    confidence: np.ndarray
    """(n, 42) float32, 0 to 1: how much of a joint's heat lies near its mean (docs/predict.md)."""


def read_out(prediction: Prediction, settings: ModelSettings) -> Readout:
    """Turn the answer of a network of these settings, on any device, into arrays."""
    joints = prediction.joint_xyz.double().cpu().numpy()
    bins = prediction.rel_root_depth[:, 0].double().cpu().numpy()
    logits, cells = prediction.segm_logits, settings.heatmap_size
    return Readout(
        joints_crop_px=geometry.cells_to_px(joints[..., :2], cells, settings.input_size),
        depth_mm=geometry.cells_to_depth(joints[..., 2], settings.depth_box_mm, cells),
        hand_probability=prediction.hand_logits.float().sigmoid().cpu().numpy(),
        rel_root_mm=geometry.cells_to_depth(bins, settings.root_box_mm, settings.root_bins),
        parts=None if logits is None else logits.argmax(1).byte().cpu().numpy(),
        confidence=prediction.joint_confidence.float().cpu().numpy(),
    )
