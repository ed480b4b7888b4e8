"""The five losses of DIGIT and one on heat maps, each a mean over all elements after masking (as in the original)."""

import torch
from torch import Tensor
from torch.nn import functional

from digit.config import LossSettings
from digit.model.network import Prediction
from digit.skeleton import BONES

HAND_COUNT = 2
HEAT_SIGMA = 1.0
"""Cells, of the Gaussian that a heat map is told to be."""


def digit_losses(prediction: Prediction, batch: dict[str, Tensor], weights: LossSettings) -> dict[str, Tensor]:
    """Weighted losses of a batch of targets from :class:`digit.samples.dataset.HandDataset`.

    Returns:
        scalars ``joint``, ``rel_root_depth``, ``hand_type``, ``segm``, ``bone``, ``heatmap``, weights included.
    """
    joint_valid = batch["joint_valid"][..., None]
    joint = ((prediction.joint_xyz - batch["joint_coord"]).abs() * joint_valid).mean()
    rel_root = ((prediction.rel_root_depth - batch["rel_root_depth"]).abs() * batch["root_valid"]).mean()
    hand_logits = prediction.hand_logits.float()
    hand = functional.binary_cross_entropy_with_logits(hand_logits, batch["hand_type"], reduction="none")
    return {
        "joint": weights.joint * joint,
        "rel_root_depth": weights.rel_root_depth * rel_root,
        "hand_type": weights.hand_type * (hand * batch["hand_type_valid"]).mean(),
        "segm": weights.segm * _part_loss(prediction.segm_logits, batch),
        "bone": weights.bone * bone_loss(prediction.joint_xyz, batch["joint_coord"], batch["joint_valid"]),
        "heatmap": weights.heatmap * _heatmap_loss(prediction.heat_logits, batch, weights),
    }


def _heatmap_loss(heat_logits: Tensor | None, batch: dict[str, Tensor], weights: LossSettings) -> Tensor:
    """Cross-entropy of heat maps with a Gaussian around the joint; 0 for a network without, or with weight 0."""
    if heat_logits is None or not weights.heatmap:
        return batch["joint_valid"].new_zeros(())
    logits = heat_logits.float()
    height, width = logits.shape[2:]
    x, y = batch["joint_coord"][..., :2].unbind(-1)
    columns, rows = _gaussian(x, width), _gaussian(y, height)
    mean_logit = torch.einsum("bjhw,bjh,bjw->bj", logits, rows, columns)
    cross_entropy = logits.flatten(2).logsumexp(-1) - mean_logit
    return (cross_entropy * batch["joint_valid"]).mean()


def _gaussian(centres: Tensor, cells: int) -> Tensor:
    """Shares (B, J, cells) of a Gaussian around centres (B, J) in a row of cells."""
    distance = torch.arange(cells, device=centres.device) + 0.5 - centres[..., None]
    return (-(distance / HEAT_SIGMA).square() / 2).softmax(-1)


def _part_loss(segm_logits: Tensor | None, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of part labels; 0 for a network that draws none."""
    if segm_logits is None:
        return batch["segm_valid"].new_zeros(())
    segm = functional.cross_entropy(segm_logits.float(), batch["segm"].long(), reduction="none")
    return (segm * batch["segm_valid"][:, None, None]).mean()


def bone_loss(joint_xyz: Tensor, target_xyz: Tensor, joint_valid: Tensor) -> Tensor:
    """Squared error of bone vectors in cells: the mean over each hand's bones, both hands added.

    Args:
        joint_xyz: (B, 42, 3) prediction.
        target_xyz: (B, 42, 3) target.
        joint_valid: (B, 42); a bone counts where both ends are valid.
    """
    child, parent = torch.as_tensor(BONES, device=joint_xyz.device).unbind(1)
    error = (joint_xyz[:, child] - joint_xyz[:, parent]) - (target_xyz[:, child] - target_xyz[:, parent])
    valid = joint_valid[:, child] * joint_valid[:, parent]
    return (error.square() * valid[..., None]).mean() * HAND_COUNT
