"""Turned squares around whole hands, fingers up, for the second network."""

import cv2
import numpy as np

from digit import geometry
from digit.detector.palms import Palms

ENLARGE = 2.6
"""Side of the region relative to the palm's box."""
TOWARDS_FINGERS = 0.5
"""How far the region's centre lies from the palm's, in sides of the palm's box."""


def region_maps(palms: Palms, side: int) -> np.ndarray:
    """Affine maps (n, 2, 3) from px of the picture to those of crops (side, side) that hold the hands upright."""
    pointing = palms.knuckle_px - palms.wrist_px
    turn_rad = np.arctan2(pointing[:, 0], -pointing[:, 1])
    up = np.stack([np.sin(turn_rad), -np.cos(turn_rad)], axis=-1)
    size_px = palms.boxes_px[:, 2:].max(axis=1)
    centres_px = palms.boxes_px[:, :2] + palms.boxes_px[:, 2:] / 2 + TOWARDS_FINGERS * size_px[:, None] * up
    sides_px = (ENLARGE * size_px)[:, None].repeat(2, axis=1)
    squares_px = np.concatenate([centres_px - sides_px / 2, sides_px], axis=1)
    return geometry.crop_map(squares_px, side, rotation_rad=turn_rad)


def cut(image: np.ndarray, maps: np.ndarray, side: int) -> np.ndarray:
    """Crops (n, side, side, 3) of a picture (H, W, 3); black where it ends."""
    return np.array([cv2.warpAffine(image, to_crop, (side, side)) for to_crop in maps]).reshape(-1, side, side, 3)


def joints_in_picture(joints: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Joints (n, 63) as the network gives them, x, y in px of its crop, in px of the picture: (n, 21, 2)."""
    return geometry.apply_map(geometry.invert_map(maps), joints.reshape(-1, 21, 3)[..., :2].astype(np.float64))
