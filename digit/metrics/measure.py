"""From predictions in heat-map cells and annotations in camera space to errors per sample."""

from dataclasses import dataclass, fields

import numpy as np

from digit import geometry
from digit.config import ModelSettings
from digit.metrics import kernel
from digit.metrics.kernel import ROOT_OF_JOINT
from digit.skeleton import JOINT_HAND, ROOT_JOINTS

RIGHT_ROOT, LEFT_ROOT = ROOT_JOINTS


@dataclass(frozen=True)
class Space:
    """The units of the network's outputs."""

    input_size: int
    """Side S of the crop in px."""
    cells: int
    """Side H of the heat map in cells."""
    depth_box_mm: float
    """Depth that the heat map's z axis covers, centred on each hand's root."""
    root_box_mm: float
    """Range of the depth of the left root relative to the right one."""
    root_bins: int
    """Bins of that range."""

    @classmethod
    def of(cls, model: ModelSettings) -> "Space":
        """Read the units of a configured network."""
        return cls(
            input_size=model.input_size,
            cells=model.heatmap_size,
            depth_box_mm=model.depth_box_mm,
            root_box_mm=model.root_box_mm,
            root_bins=model.root_bins,
        )


@dataclass(frozen=True)
class Predictions:
    """What a network said about n samples."""

    joint_cells: np.ndarray
    """(n, 42, 3) x, y, z in heat-map cells."""
    rel_root_bins: np.ndarray
    """(n,) depth of the left root relative to the right one, in bins."""
    hand_probability: np.ndarray
    """(n, 2) probability that the right and the left hand is there."""
    crop_to_image: np.ndarray
    """(n, 2, 3) affine maps from crop px to image px."""


@dataclass(frozen=True)
class Truth:
    """What is known about n samples."""

    joints_cam_mm: np.ndarray
    """(n, 42, 3) annotated joints in the camera frame."""
    joint_valid: np.ndarray
    """(n, 42) bool: annotated as valid, and in front of the camera."""
    hand_type: np.ndarray
    """(n, 2) bool: right and left hand in the picture."""
    hand_type_valid: np.ndarray
    """(n,) bool."""
    focal_px: np.ndarray
    """(n, 2)."""
    princpt_px: np.ndarray
    """(n, 2)."""
    abs_depth_mm: np.ndarray
    """(n, 2) absolute depth of the right and the left root, from RootNet or from the annotation."""


@dataclass(frozen=True)
class Errors:
    """Errors of n samples; an entry whose validity is false is 0."""

    joint_mm: np.ndarray
    """(n, 42) float32 distance to the annotation after both hands' roots are moved to the origin."""
    joint_valid: np.ndarray
    """(n, 42) bool: annotated, and so is the root of that hand."""
    aligned_mm: np.ndarray
    """(n, 42) float32 distance to the annotation after each hand is rotated, scaled and shifted onto it."""
    aligned_valid: np.ndarray
    """(n, 42) bool: as ``joint_valid``, of hands with at least three such joints."""
    interacting: np.ndarray
    """(n,) bool."""
    root_mm: np.ndarray
    """(n,) float32 error of the left root relative to the right one."""
    root_valid: np.ndarray
    """(n,) bool: interacting, and both roots annotated."""
    hand_correct: np.ndarray
    """(n,) bool: both hands called present or absent as annotated."""
    hand_valid: np.ndarray
    """(n,) bool."""

    @classmethod
    def concatenate(cls, blocks: list["Errors"]) -> "Errors":
        """Errors of all samples of the blocks, in their order."""
        return cls(*(np.concatenate([getattr(block, item.name) for block in blocks]) for item in fields(cls)))

    def __len__(self) -> int:
        return len(self.interacting)


def predicted_joints(predictions: Predictions, truth: Truth, space: Space) -> np.ndarray:
    """Predicted joints (n, 42, 3) in the camera frame, mm, each hand at its given absolute root depth."""
    return _lift(predictions, slice(None), truth.abs_depth_mm[:, JOINT_HAND], truth, space)


def measure(predictions: Predictions, truth: Truth, space: Space) -> Errors:
    """Errors of n samples, as the protocol defines them (docs/protocol.md).

    Distances are root-relative per hand. The relative root takes only the right hand's absolute depth;
    the left root stands at that depth plus the predicted relative one. Joints outside the crop count.
    """
    joints_cam_mm = predicted_joints(predictions, truth, space)
    rel_root_mm = geometry.cells_to_depth(
        predictions.rel_root_bins.astype(np.float64), space.root_box_mm, space.root_bins
    )
    left_root_depth_mm = truth.abs_depth_mm[:, 0] + rel_root_mm
    left_mm = _lift(predictions, slice(LEFT_ROOT, LEFT_ROOT + 1), left_root_depth_mm[:, None], truth, space)[:, 0]
    hands = predictions.hand_probability > 0.5
    return compare(joints_cam_mm, left_mm - joints_cam_mm[:, RIGHT_ROOT], hands, truth)


def compare(joints_mm: np.ndarray, root_offset_mm: np.ndarray, hands: np.ndarray, truth: Truth) -> Errors:
    """Errors of joints (n, 42, 3), left root minus right root (n, 3), mm, and hands (n, 2) bool.

    Where each hand stands does not matter: distances are root-relative.
    """
    annotated_mm = _plain(truth.joints_cam_mm)
    joint_valid = joints_counted(truth.joint_valid)
    interacting = truth.hand_type[:, 0] & truth.hand_type[:, 1]
    root_valid = interacting & joint_valid[:, RIGHT_ROOT] & joint_valid[:, LEFT_ROOT]
    root_difference_mm = root_offset_mm - (annotated_mm[:, LEFT_ROOT] - annotated_mm[:, RIGHT_ROOT])
    correct = hands == truth.hand_type
    joints_mm = _plain(joints_mm)
    aligned_mm, aligned_valid = kernel.aligned_errors(joints_mm, annotated_mm, joint_valid)
    return Errors(
        joint_mm=kernel.joint_errors(joints_mm, annotated_mm, joint_valid),
        joint_valid=joint_valid,
        aligned_mm=aligned_mm,
        aligned_valid=aligned_valid,
        interacting=interacting,
        root_mm=np.where(root_valid, np.linalg.norm(root_difference_mm, axis=1), 0).astype(np.float32),
        root_valid=root_valid,
        hand_correct=correct[:, 0] & correct[:, 1],
        hand_valid=truth.hand_type_valid,
    )


def joints_counted(joint_valid: np.ndarray) -> np.ndarray:
    """Annotated validity (n, 42) without the hands whose root is not annotated."""
    return joint_valid & joint_valid[:, ROOT_OF_JOINT]


def _lift(predictions: Predictions, joints: slice, root_depth_mm: np.ndarray, truth: Truth, space: Space) -> np.ndarray:
    """Some of the predicted joints in the camera frame, with the absolute depths (n, joints) of their roots."""
    return kernel.lift(
        _plain(predictions.joint_cells[:, joints]),
        _plain(root_depth_mm),
        _plain(predictions.crop_to_image),
        _plain(truth.focal_px),
        _plain(truth.princpt_px),
        space.input_size,
        space.cells,
        float(space.depth_box_mm),
    )


def _plain(array: np.ndarray) -> np.ndarray:
    """As the compiled functions take it; copied only if needed."""
    return np.require(array, np.float64, ["C", "W"])
