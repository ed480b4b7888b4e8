"""The five losses of DIGIT, each a mean over all elements after masking (as in the original)."""

import torch
from torch import Tensor
from torch.nn import functional

from digit.config import LossSettings
from digit.model.network import Prediction
from digit.skeleton import BONES

HAND_COUNT = 2


def digit_losses(prediction: Prediction, batch: dict[str, Tensor], weights: LossSettings) -> dict[str, Tensor]:
    """Weighted losses of a batch of targets from :class:`digit.samples.dataset.HandDataset`.

    Returns:
        scalars ``joint``, ``rel_root_depth``, ``hand_type``, ``segm``, ``bone``, weights included.
    """
    joint_valid, root_valid = batch["joint_valid"][..., None], batch["root_valid"]
    joint_coord, rel_root_depth = _known(batch["joint_coord"], joint_valid), _known(batch["rel_root_depth"], root_valid)
    joint = ((prediction.joint_xyz - joint_coord).abs() * joint_valid).mean()
    rel_root = ((prediction.rel_root_depth - rel_root_depth).abs() * root_valid).mean()
    hand_logits = prediction.hand_logits.float()
    hand = functional.binary_cross_entropy_with_logits(hand_logits, batch["hand_type"], reduction="none")
    return {
        "joint": weights.joint * joint,
        "rel_root_depth": weights.rel_root_depth * rel_root,
        "hand_type": weights.hand_type * (hand * batch["hand_type_valid"]).mean(),
        "segm": weights.segm * _part_loss(prediction.segm_logits, batch),
        "bone": weights.bone * bone_loss(prediction.joint_xyz, batch["joint_coord"], batch["joint_valid"]),
    }


def _known(target: Tensor, valid: Tensor) -> Tensor:
    """Targets with 0 for what is not valid: whatever stands there, infinity too, then costs 0 and not NaN."""
    return torch.where(valid > 0, target, 0)


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
    target_xyz = _known(target_xyz, joint_valid[..., None])
    child, parent = torch.as_tensor(BONES, device=joint_xyz.device).unbind(1)
    error = (joint_xyz[:, child] - joint_xyz[:, parent]) - (target_xyz[:, child] - target_xyz[:, parent])
    valid = joint_valid[:, child] * joint_valid[:, parent]
    return (error.square() * valid[..., None]).mean() * HAND_COUNT
