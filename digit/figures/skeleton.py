"""Joints and bones over a picture."""

import cv2
import numpy as np

from digit.figures.overlay import upscale
from digit.skeleton import BONES, JOINT_COUNT, JOINT_HAND, JOINT_NAMES, LABEL_NAMES, label_colors

SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with."""
OUTLINE = (16, 16, 20)


def _bone_part(child: int) -> int:
    """Label of the part that a bone runs through; the bones of the palm take the colour of their finger."""
    hand, finger, number = JOINT_NAMES[child][:2], JOINT_NAMES[child][2:-1], int(JOINT_NAMES[child][-1])
    return LABEL_NAMES.index(f"{hand}{finger}{max(number - 1, 1)}")


BONE_COLORS = label_colors()[[_bone_part(int(child)) for child in BONES[:, 0]]]
"""(40, 3) uint8 RGB colour of each bone of ``digit.skeleton.BONES``: hue by finger, left hand paler."""


def draw_skeleton(
    image: np.ndarray,
    joints_px: np.ndarray,
    valid: np.ndarray,
    scale: int = 1,
    thickness: float | None = None,
    color: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Draw the bones between valid joints, and the joints, over a picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        joints_px: (42, 2) in the picture's pixels, centres at integers.
        valid: (42,) bool; the others, and joints that are not finite, are left out.
        scale: enlarge the picture by this whole number first, so that small crops stay crisp.
        thickness: of the bones in px of the result; by default it follows the size of the result.
        color: draw all in this colour instead of one hue per finger.

    Returns:
        (H * scale, W * scale, 3) uint8 RGB.
    """
    if joints_px.shape != (JOINT_COUNT, 2) or valid.shape != (JOINT_COUNT,):
        raise ValueError(f"need joints (42, 2) and valid (42,), not {joints_px.shape} and {valid.shape}")
    canvas = upscale(image, scale)
    points = (np.asarray(joints_px, dtype=np.float64) + 0.5) * scale - 0.5
    shown = valid.astype(bool) & np.isfinite(points).all(axis=1) & (np.abs(points) < 1e5).all(axis=1)
    fixed = np.round(np.where(shown[:, None], points, 0) * (1 << SHIFT)).astype(int)
    if thickness is None:
        thickness = max(1.0, min(canvas.shape[:2]) / 95)
    line, outline = max(1, round(thickness)), max(1, round(thickness)) + 2
    for hand in (1, 0):
        bones = [k for k, (child, parent) in enumerate(BONES) if shown[child] and shown[parent]]
        bones = [k for k in bones if JOINT_HAND[BONES[k, 0]] == hand]
        for under in (True, False):
            for k in bones:
                child, parent = (tuple(map(int, fixed[joint])) for joint in BONES[k])
                tint = OUTLINE if under else color or tuple(map(int, BONE_COLORS[k]))
                cv2.line(canvas, child, parent, tint, outline if under else line, cv2.LINE_AA, SHIFT)
        _draw_joints(canvas, fixed, np.flatnonzero(shown & (hand == JOINT_HAND)), thickness, color)
    return canvas


def _draw_joints(
    canvas: np.ndarray, fixed: np.ndarray, joints: np.ndarray, thickness: float, color: tuple[int, int, int] | None
) -> None:
    radius = round(thickness * 0.9 * (1 << SHIFT))
    tints = dict(zip(BONES[:, 0].tolist(), BONE_COLORS.tolist(), strict=True))
    for joint in joints.tolist():
        center = tuple(map(int, fixed[joint]))
        tint = color or tuple(tints.get(joint, (240, 240, 240)))
        cv2.circle(canvas, center, radius + (1 << SHIFT), OUTLINE, -1, cv2.LINE_AA, SHIFT)
        cv2.circle(canvas, center, radius, tint, -1, cv2.LINE_AA, SHIFT)
