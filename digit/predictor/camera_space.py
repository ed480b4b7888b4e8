"""Where a hand stands before the camera: its distance follows from the size in which a mean adult hand would be seen.

A network says where joints are in the picture and how deep relative to their wrist, but one picture alone cannot tell
a small hand that is near from a large one that is far. So bones are taken for as long as those of the mean of the
embedded hand model; a hand that is larger than it by a tenth comes out nearer by a tenth.
"""

from dataclasses import dataclass

import numpy as np

from digit import geometry
from digit.predictor.camera import Intrinsics
from digit.predictor.pose import Pose
from digit.skeleton import BONES, HANDS, JOINTS_PER_HAND

HAND_BONES = BONES[: len(BONES) // 2]
"""(20, 2) child and parent joint within a hand."""
MEAN_BONES_MM = np.array(
    [28.5, 32.5, 46.0, 31.8, 21.7, 23.2, 40.8, 95.4, 22.8, 26.7, 44.8, 94.4, 22.8, 25.8, 41.5, 89.3, 20.5, 18.8, 33.1,
     85.7]
)  # fmt: skip
"""(20,) lengths of ``HAND_BONES`` in the embedded hand's mean shape."""
HAND_SIZE = "mean adult hand"
STEPS = 8
"""Gauss-Newton steps from the closed form; after five, noisy hands no longer move."""
NEAREST_MM = 20.0
"""No joint is taken to be nearer to the camera."""


@dataclass(frozen=True)
class CameraSpace:
    """Two hands of one crop in the camera's frame: z forward, y down, the camera at the origin."""

    joints_cam_mm: np.ndarray
    """(42, 3), NaN for a hand that has no place."""
    scale_from: tuple[str | None, str | None]
    """How the right and the left hand's distance is known; None without a place."""


def lift_poses(poses: list[Pose], cameras: list[Intrinsics]) -> list[CameraSpace]:
    """Place the hands of crops before their cameras, all at once."""
    if not poses:
        return []
    hands = (len(poses) * len(HANDS), JOINTS_PER_HAND)
    joints_px = np.stack([pose.joints_px for pose in poses]).reshape(*hands, 2)
    depth_mm = np.stack([pose.depth_mm for pose in poses]).reshape(hands)
    confidence = np.stack([np.ones(42) if pose.confidence is None else pose.confidence for pose in poses])
    focal_px, princpt_px = (
        np.repeat([getattr(camera, name) for camera in cameras], len(HANDS), axis=0)
        for name in ("focal_px", "princpt_px")
    )
    wrist_mm = wrist_depth_mm(joints_px, depth_mm, focal_px, princpt_px, confidence.reshape(hands))
    lifted = geometry.back_project(joints_px, wrist_mm[:, None] + depth_mm, focal_px, princpt_px)
    placed = np.isfinite(wrist_mm).reshape(len(poses), len(HANDS)).tolist()
    return [
        CameraSpace(joints, tuple(HAND_SIZE if known else None for known in of_pose))  # type: ignore[arg-type]
        for joints, of_pose in zip(lifted.reshape(len(poses), -1, 3), placed, strict=True)
    ]


def wrist_depth_mm(
    joints_px: np.ndarray, depth_mm: np.ndarray, focal_px: np.ndarray, princpt_px: np.ndarray, confidence: np.ndarray
) -> np.ndarray:
    """Depth of wrists at which bones come closest to those of a mean adult hand, by least squares of their lengths.

    With slopes s = (px - princpt) / focal, joint k lies at (s_k (Z + d_k), Z + d_k) for wrist depth Z. The sum of the
    bones' squared lengths is quadratic in Z, which gives a closed form to start from; Gauss-Newton steps over the
    lengths themselves follow, because squares exaggerate what is wrong with a foreshortened hand.

    Args:
        joints_px: (n, 21, 2).
        depth_mm: (n, 21) relative to the wrist.
        focal_px: (n, 2).
        princpt_px: (n, 2).
        confidence: (n, 21) of the joints; a bone weighs the product of its ends'.

    Returns:
        (n,) depths in mm, NaN where all joints are in one place.
    """
    child, parent = HAND_BONES.T
    weight = confidence[:, child] * confidence[:, parent]
    slope = (joints_px - princpt_px[:, None]) / focal_px[:, None]
    # The vector of a bone is Z * across + along.
    across = _bones(np.concatenate([slope, np.zeros_like(slope[..., :1])], axis=-1))
    along = _bones(np.concatenate([slope * depth_mm[..., None], depth_mm[..., None]], axis=-1))
    wrist_mm = _start(across, along, weight)
    for _ in range(STEPS):
        bones = wrist_mm[:, None, None] * across + along
        lengths = np.linalg.norm(bones, axis=-1)
        change = (bones * across).sum(-1) / np.maximum(lengths, 1e-6)
        curvature = (weight * change**2).sum(-1)
        step = (weight * change * (MEAN_BONES_MM - lengths)).sum(-1) / np.where(curvature > 0, curvature, np.nan)
        wrist_mm = np.maximum(wrist_mm + step, NEAREST_MM - depth_mm.min(axis=1))
    return wrist_mm


def _bones(joints: np.ndarray) -> np.ndarray:
    child, parent = HAND_BONES.T
    return joints[:, child] - joints[:, parent]


def _start(across: np.ndarray, along: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Wrist depths (n,) at which the squared lengths of bones add up; where depths alone add up to more, without them.

    NaN where all joints are in one place.
    """
    a, b, c = ((weight * product.sum(-1)).sum(-1) for product in (across**2, across * along, along**2))
    expected = (weight * MEAN_BONES_MM**2).sum(-1)
    deep = c >= expected
    b, c = np.where(deep, 0, b), np.where(deep, 0, c) - expected
    return (np.sqrt(b**2 - a * c) - b) / np.where(a > 0, a, np.nan)
