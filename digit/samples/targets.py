"""What the network is asked for: crop maps, joint targets in heat-map cells, validity. Vectorised over samples."""

from dataclasses import dataclass

import numpy as np

from digit import geometry
from digit.config import ModelSettings
from digit.samples.augment import Augmentation
from digit.skeleton import JOINT_HAND, JOINTS_PER_HAND, MIRRORED_JOINTS, ROOT_JOINTS


@dataclass(frozen=True)
class Crops:
    """Affine maps of n crops."""

    from_image: np.ndarray
    """(n, 2, 3) original image to crop px, mirroring included."""
    to_image: np.ndarray
    """(n, 2, 3) crop to image px, mirrored where the sample is (the reference's convention)."""


def crop_maps(boxes_px: np.ndarray, widths_px: np.ndarray, augmentation: Augmentation, crop_size: int) -> Crops:
    """Crops of square boxes (n, 4) in images of the given widths (n,)."""
    x, y, w, h = boxes_px.T
    x, y = x + augmentation.shift[:, 0] * w, y + augmentation.shift[:, 1] * h
    x = np.where(augmentation.flip, widths_px - 1 - x - w, x)
    mirrored_to_crop = geometry.crop_map(
        np.stack([x, y, w, h], axis=1), crop_size, augmentation.scale, augmentation.rotation_rad
    )
    mirror = np.zeros((len(boxes_px), 3, 3))
    mirror[:, 0, 0] = np.where(augmentation.flip, -1.0, 1.0)
    mirror[:, 0, 2] = np.where(augmentation.flip, widths_px - 1.0, 0.0)
    mirror[:, 1, 1] = mirror[:, 2, 2] = 1.0
    return Crops(from_image=mirrored_to_crop @ mirror, to_image=geometry.invert_map(mirrored_to_crop))


def rooted_validity(joint_valid: np.ndarray) -> np.ndarray:
    """Joint validity (n, 42) with every hand cleared whose wrist is not valid."""
    return joint_valid & joint_valid[:, list(ROOT_JOINTS)].repeat(JOINTS_PER_HAND, axis=1)


def mirror_hands(values: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Swap right and left where ``flip`` (n,): joints on an axis of 42, or hands on one of 2 (axis 1)."""
    order = MIRRORED_JOINTS if values.shape[1] != 2 else np.array([1, 0])
    return np.where(flip.reshape(-1, *(1,) * (values.ndim - 1)), values[:, order], values)


def pose_targets(
    joints_px: np.ndarray,
    depth_mm: np.ndarray,
    joint_valid: np.ndarray,
    hand_type: np.ndarray,
    flip: np.ndarray,
    crops: Crops,
    settings: ModelSettings,
) -> dict[str, np.ndarray]:
    """Targets of n samples.

    Args:
        joints_px: (n, 42, 2) joints in the original image.
        depth_mm: (n, 42) their camera depths.
        joint_valid: (n, 42) bool, see :func:`rooted_validity`.
        hand_type: (n, 2) bool.
        flip: (n,) bool.
        crops: the crop maps.
        settings: sizes of crop, heat map and depth box.

    Returns:
        ``joint_coord`` (n, 42, 3) in heat-map cells, ``joint_valid`` (n, 42), ``rel_root_depth`` (n, 1) in
        bins, ``root_valid`` (n, 1) and ``hand_type`` (n, 2), all float32 and mirrored where the image is. What is
        not finite is 0 and not valid.
    """
    crop_size, cells = settings.input_size, settings.heatmap_size
    crop_px = mirror_hands(geometry.apply_map(crops.from_image, joints_px), flip)
    depth_mm = mirror_hands(depth_mm, flip)
    hands = mirror_hands(hand_type, flip)
    roots_mm = depth_mm[:, list(ROOT_JOINTS)]
    valid = mirror_hands(joint_valid, flip) & ((crop_px >= 0) & (crop_px < crop_size)).all(axis=-1)
    rel_depth = geometry.depth_to_cells(roots_mm[:, 1] - roots_mm[:, 0], settings.root_box_mm, settings.root_bins)
    root_valid = hands.all(axis=1) & valid[:, list(ROOT_JOINTS)].all(axis=1)
    root_valid &= (rel_depth >= 0) & (rel_depth < settings.root_bins)
    z = geometry.depth_to_cells(depth_mm - roots_mm[:, JOINT_HAND], settings.depth_box_mm, cells)
    valid &= (z >= 0) & (z < cells)
    joint_coord = np.concatenate([crop_px / crop_size * cells, z[..., None]], axis=-1)
    return {
        "joint_coord": _finite(joint_coord),
        "joint_valid": valid.astype(np.float32),
        "rel_root_depth": _finite(rel_depth)[:, None],
        "root_valid": root_valid.astype(np.float32)[:, None],
        "hand_type": hands.astype(np.float32),
    }


def _finite(values: np.ndarray) -> np.ndarray:
    """Values as float32, 0 where one is not finite or too large for it."""
    with np.errstate(over="ignore"):
        return np.nan_to_num(values.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
