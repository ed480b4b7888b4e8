"""Parts of a picture that are looked at for themselves: tiles, and turned squares around hands, fingers up."""

import math

import cv2
import numpy as np

from digit import geometry
from digit.detector.palms import Palms
from digit.skeleton import FINGERS, HAND_JOINT_NAMES

PALM_SIDES, TOWARDS_FINGERS = 2.6, 0.5
"""Side of a region, and how far its centre lies from the palm's, in sides of the palm's box."""
JOINT_SIDES, JOINTS_TOWARDS_FINGERS = 2.0, 0.1
"""The same, in sides of the upright box around the joints of :data:`PALM`."""
WRIST, MIDDLE_KNUCKLE = HAND_JOINT_NAMES.index("wrist"), HAND_JOINT_NAMES.index("middle1")
PALM = [k for k, name in enumerate(HAND_JOINT_NAMES) if name == "wrist" or name[-1] in "12"]
"""Joints that a bent finger does not take along."""
ORDER = [0 if name == "wrist" else 4 * FINGERS.index(name[:-1]) + int(name[-1]) for name in HAND_JOINT_NAMES]
"""Where the network gives each joint: the wrist, then each finger from its base."""

TILE = 0.6
"""Width and height of a tile relative to the picture's."""


def tiles(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Four overlapping tiles of a picture in its corners: left, top, right, bottom in px."""
    w, h = math.ceil(TILE * width), math.ceil(TILE * height)
    return [(left, top, left + w, top + h) for top in (0, height - h) for left in (0, width - w)]


def palm_regions(palms: Palms, side: int) -> np.ndarray:
    """Affine maps (n, 2, 3) from px of the picture to those of crops (side, side) that hold the hands upright."""
    up = _directions(palms.wrist_px, palms.knuckle_px)
    size_px = palms.boxes_px[:, 2:].max(axis=1)
    centres_px = palms.boxes_px[:, :2] + palms.boxes_px[:, 2:] / 2 + TOWARDS_FINGERS * size_px[:, None] * up
    return _maps(centres_px, PALM_SIDES * size_px, up, side)


def joint_regions(joints_px: np.ndarray, side: int) -> np.ndarray:
    """The same for hands whose joints (n, 21, 2) are known."""
    up = _directions(joints_px[:, WRIST], joints_px[:, MIDDLE_KNUCKLE])
    across = np.stack([-up[:, 1], up[:, 0]], axis=-1)
    upright = joints_px[:, PALM] @ np.stack([across, up], axis=-1)
    low, high = upright.min(axis=1), upright.max(axis=1)
    middle = (low + high) / 2 + [0, JOINTS_TOWARDS_FINGERS] * (high - low)
    centres_px = middle[:, :1] * across + middle[:, 1:] * up
    return _maps(centres_px, JOINT_SIDES * (high - low).max(axis=1), up, side)


def _directions(wrist_px: np.ndarray, knuckle_px: np.ndarray) -> np.ndarray:
    """Unit vectors (n, 2) along hands, towards the fingers; up where wrist and knuckle are one point."""
    pointing = knuckle_px - wrist_px
    turn_rad = np.arctan2(pointing[:, 0], -pointing[:, 1])
    return np.stack([np.sin(turn_rad), -np.cos(turn_rad)], axis=-1)


def _maps(centres_px: np.ndarray, sides_px: np.ndarray, up: np.ndarray, side: int) -> np.ndarray:
    """Maps (n, 2, 3) to crops of squares with centres (n, 2) and sides (n,) whose upper edge lies towards up (n, 2)."""
    sides_px = np.maximum(sides_px, 1.0)[:, None].repeat(2, axis=1)
    squares_px = np.concatenate([centres_px - sides_px / 2, sides_px], axis=1)
    return geometry.crop_map(squares_px, side, rotation_rad=np.arctan2(up[:, 0], -up[:, 1]))


def cut(image: np.ndarray, maps: np.ndarray, side: int) -> np.ndarray:
    """Crops (n, side, side, 3) of a picture (H, W, 3); black where it ends."""
    return np.array([cv2.warpAffine(image, to_crop, (side, side)) for to_crop in maps]).reshape(-1, side, side, 3)


def joints_in_picture(joints: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The network's answers (n, 63) as joints (n, 21, 2) in digit's order, in px of the picture."""
    return geometry.apply_map(geometry.invert_map(maps), joints.reshape(-1, 21, 3)[:, ORDER, :2].astype(np.float64))
