"""The baseline: a predictor that always answers with the mean of the training split."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from digit.metrics.kernel import ROOT_OF_JOINT
from digit.metrics.measure import Errors, Truth, compare, joints_counted
from digit.skeleton import JOINT_COUNT, ROOT_JOINTS


@dataclass(frozen=True)
class ConstantPose:
    """One answer for every picture."""

    joints_rel_mm: np.ndarray
    """(42, 3) mean joints relative to their hand's root, camera frame; NaN where never annotated."""
    root_offset_mm: np.ndarray
    """(3,) mean of left root minus right root over interacting samples; NaN without any."""
    hands: np.ndarray
    """(2,) bool: the most frequent hand type as right, left."""


def fit_constant(blocks: Iterable[Truth]) -> ConstantPose:
    """Average a split, given as blocks of samples.

    Each joint is averaged over all samples, single-hand and interacting pooled, in which it and its root
    are annotated, in the camera frame after its hand's root is moved to the origin. Handedness is the most
    frequent of right, left and interacting.
    """
    joint_sum, joint_count = np.zeros((JOINT_COUNT, 3)), np.zeros(JOINT_COUNT)
    root_sum, root_count = np.zeros(3), 0
    type_count = np.zeros(4, dtype=np.int64)
    right, left = ROOT_JOINTS
    for truth in blocks:
        joints = truth.joints_cam_mm
        valid = joints_counted(truth.joint_valid)
        joint_sum += np.where(valid[..., None], joints - joints[:, ROOT_OF_JOINT], 0).sum(axis=0)
        joint_count += valid.sum(axis=0)
        both = truth.hand_type.all(axis=1) & valid[:, right] & valid[:, left]
        root_sum += (joints[both, left] - joints[both, right]).sum(axis=0)
        root_count += int(both.sum())
        kinds = truth.hand_type[truth.hand_type_valid] @ np.array([1, 2])
        type_count += np.bincount(kinds.astype(np.int64), minlength=4)
    most_frequent = int(type_count.argmax())
    with np.errstate(invalid="ignore"):
        return ConstantPose(
            joints_rel_mm=joint_sum / joint_count[:, None],
            root_offset_mm=root_sum / np.float64(root_count),
            hands=np.array([most_frequent & 1, most_frequent >> 1], dtype=bool),
        )


def measure_constant(constant: ConstantPose, truth: Truth) -> Errors:
    """Errors of a predictor that gives the same answer whatever it sees.

    A joint that the training split never shows is not predicted and therefore left out.
    """
    shape = truth.joints_cam_mm.shape
    known = np.isfinite(constant.joints_rel_mm).all(axis=1)
    truth = dataclasses.replace(truth, joint_valid=truth.joint_valid & known)
    relative_mm = np.broadcast_to(constant.joints_rel_mm, shape)
    root_offset_mm = np.broadcast_to(constant.root_offset_mm, (shape[0], 3))
    errors = compare(relative_mm, root_offset_mm, np.broadcast_to(constant.hands, (shape[0], 2)), truth)
    root_known = np.isfinite(errors.root_mm)
    return dataclasses.replace(
        errors, root_mm=np.where(root_known, errors.root_mm, 0), root_valid=errors.root_valid & root_known
    )
