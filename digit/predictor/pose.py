"""What is known of the hands in one picture, in px of the picture and mm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from digit import geometry
from digit.figures import draw_skeleton, overlay_mask, upscale_mask
from digit.skeleton import FIRST_LABEL, HAND_JOINT_NAMES, HANDS, JOINT_HAND, PARTS_PER_HAND

OVERLAY_SIDE_PX = 900
SMOOTH = 4
"""How much finer than the network's own the labels of a picture are drawn."""

DECIMALS = 3
"""Of px and mm in JSON: a thousandth of a heat-map cell is not lost, whatever the box."""


@dataclass(frozen=True)
class Pose:
    """Two hands of one picture; pixel centres lie at integers."""

    joints_px: np.ndarray
    """(42, 2) x and y in px of the picture."""
    depth_mm: np.ndarray
    """(42,) relative to the wrist of each joint's hand, positive away from the camera."""
    hand_probability: np.ndarray
    """(2,) that the right and the left hand is there."""
    rel_root_mm: float
    """Depth of the left wrist minus that of the right one; only means something when both hands are there."""
    parts: np.ndarray | None
    """(h, w) uint8 part labels of the crop, ``digit.skeleton.LABEL_NAMES``; None from a network that draws no parts."""
    parts_to_image: np.ndarray
    """(2, 3) affine map from px of ``parts`` to px of the picture."""
    confidence: np.ndarray | None = None
    """(42,) 0 to 1 of each joint (docs/predict.md); None from a method that gives none."""

    def present(self, threshold: float = 0.5) -> np.ndarray:
        """(2,) bool: the right and the left hand are at least this probable."""
        return self.hand_probability >= threshold

    def present_parts(self, threshold: float = 0.5) -> np.ndarray | None:
        """``parts`` of the hands that are present; those of a hand that is absent become background."""
        if self.parts is None:
            return None
        absent = [
            (self.parts >= FIRST_LABEL[hand]) & (self.parts < FIRST_LABEL[hand] + PARTS_PER_HAND)
            for hand in np.flatnonzero(~self.present(threshold))
        ]
        return np.where(np.any(absent, axis=0), 0, self.parts).astype(np.uint8)

    def labels(self, width: int, height: int, threshold: float = 0.0) -> np.ndarray:
        """(height, width) uint8 part labels in px of the picture; background where there was no crop.

        Args:
            width: of the picture.
            height: of the picture.
            threshold: hands below this probability are left out.
        """
        parts = self.present_parts(threshold)
        if parts is None:
            return np.zeros((height, width), np.uint8)
        fine = upscale_mask(parts, SMOOTH)
        to_fine = geometry.invert_map(self.parts_to_image) * SMOOTH + np.array([[0, 0, (SMOOTH - 1) / 2]] * 2)
        return cv2.warpAffine(fine, to_fine, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)

    def draw(self, image: np.ndarray, threshold: float = 0.5) -> np.ndarray:
        """Parts and skeletons of the hands that are present over the picture, which is enlarged if it is small.

        Args:
            image: (H, W, 3) uint8 RGB, the picture that the pose belongs to.
            threshold: hands below this probability are not drawn.

        Returns:
            (H', W', 3) uint8 RGB.
        """
        return draw_poses(image, [self], threshold)

    def as_dict(self, threshold: float = 0.5) -> dict[str, Any]:
        """The pose as JSON has it: by hand, joints by their names within the hand."""
        columns = {"x_px": self.joints_px[:, 0], "y_px": self.joints_px[:, 1], "depth_mm": self.depth_mm}
        if self.confidence is not None:
            columns["confidence"] = self.confidence
        hands = {
            hand: {
                "probability": round(float(self.hand_probability[number]), DECIMALS),
                "present": bool(self.present(threshold)[number]),
                "joints": joints_by_name({key: values[number == JOINT_HAND] for key, values in columns.items()}),
            }
            for number, hand in enumerate(HANDS)
        }
        return {"hands": hands, "left_root_minus_right_root_depth_mm": round(float(self.rel_root_mm), DECIMALS)}


def joints_by_name(columns: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """What is known of the 21 joints of a hand, (21,) for each key, by the joints' names."""
    rows = np.column_stack(list(columns.values())).astype(np.float64).round(DECIMALS).tolist()
    return {name: dict(zip(columns, row, strict=True)) for name, row in zip(HAND_JOINT_NAMES, rows, strict=True)}


def draw_poses(image: np.ndarray, poses: Sequence[Pose], threshold: float = 0.5) -> np.ndarray:
    """Parts and skeletons of all hands that are present over one picture; see :meth:`Pose.draw`."""
    height, width = image.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    for pose in poses:
        own = pose.labels(width, height, threshold)
        labels = np.where(own > 0, own, labels)
    scale = overlay_scale(image)
    canvas = overlay_mask(image, labels, alpha=0.4, scale=scale)
    for pose in poses:
        canvas = draw_skeleton(canvas, (pose.joints_px + 0.5) * scale - 0.5, pose.present(threshold)[JOINT_HAND])
    return canvas


def overlay_scale(image: np.ndarray) -> int:
    """How many times a picture (H, W, 3) is enlarged to draw over it."""
    return max(1, round(OVERLAY_SIDE_PX / max(image.shape[:2])))
