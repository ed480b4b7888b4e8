"""Cameras, crop maps and the 2.5D heat-map space: pure functions over arrays with leading batch axes.

Frames: *world* and *camera* in mm (camera z forward, y down), *image* in px of the original picture,
*crop* in px of the network's input, *heat map* in cells of its output (x, y, and z of the depth box).
"""

import numpy as np

NEAREST_MM = 1.0
"""Depth from which on a camera sees a point."""


def world_to_camera(points_world_mm: np.ndarray, rotation: np.ndarray, position_mm: np.ndarray) -> np.ndarray:
    """Move points (..., N, 3) into a camera with rotation (..., 3, 3) at world position (..., 3)."""
    return (points_world_mm - position_mm[..., None, :]) @ np.swapaxes(rotation, -1, -2)


def in_front(points_cam_mm: np.ndarray) -> np.ndarray:
    """Say which camera points (..., 3) lie in front of the camera, where it can see them: (...) bool."""
    return points_cam_mm[..., 2] >= NEAREST_MM


def project(points_cam_mm: np.ndarray, focal_px: np.ndarray, princpt_px: np.ndarray) -> np.ndarray:
    """Project camera points (..., N, 3) to image pixels (..., N, 2), which mean something :func:`in_front` only.

    Depths within :data:`NEAREST_MM` of 0 are taken for that, so that finite points have finite pixels.
    """
    depth_mm = points_cam_mm[..., 2:]
    slope = points_cam_mm[..., :2] / np.where(np.abs(depth_mm) < NEAREST_MM, NEAREST_MM, depth_mm)
    return slope * focal_px[..., None, :] + princpt_px[..., None, :]


def back_project(
    points_px: np.ndarray, depth_mm: np.ndarray, focal_px: np.ndarray, princpt_px: np.ndarray
) -> np.ndarray:
    """Lift image pixels (..., N, 2) with depths (..., N) to camera points (..., N, 3) in mm."""
    xy = (points_px - princpt_px[..., None, :]) / focal_px[..., None, :] * depth_mm[..., None]
    return np.concatenate([xy, depth_mm[..., None]], axis=-1)


def square_box(boxes_px: np.ndarray, enlarge: float = 1.25) -> np.ndarray:
    """Boxes (..., 4) as x, y, w, h made square around their centres and enlarged."""
    x, y, w, h = np.moveaxis(np.asarray(boxes_px, dtype=np.float64), -1, 0)
    side = np.maximum(w, h) * enlarge
    return np.stack([x + w / 2 - side / 2, y + h / 2 - side / 2, side, side], axis=-1)


def crop_map(
    boxes_px: np.ndarray, crop_size: int, scale: np.ndarray | float = 1.0, rotation_rad: np.ndarray | float = 0.0
) -> np.ndarray:
    """Affine maps (..., 2, 3) from image to crop pixels for boxes (..., 4) scaled and rotated.

    With c the box centre and R the rotation, c goes to (S/2, S/2), c + R (0, h/2) to (S/2, S) and
    c + R (w/2, 0) to (S, S/2). Boxes, these points and the maps are rounded to float32, as the original's are:
    the last digits decide the colour of one crop pixel in ten thousand (docs/decisions/0008).
    """
    x, y, w, h = np.moveaxis(np.asarray(boxes_px, dtype=np.float32), -1, 0)
    cos, sin = np.cos(rotation_rad), np.sin(rotation_rad)
    half_w, half_h = (np.asarray(side * np.float64(scale) / 2, dtype=np.float32) for side in (w, h))
    center = np.stack(np.broadcast_arrays(x + w / 2, y + h / 2, half_w)[:2], axis=-1)
    right = np.stack(np.broadcast_arrays(half_w * cos, half_w * sin), axis=-1).astype(np.float32)
    down = np.stack(np.broadcast_arrays(-half_h * sin, half_h * cos), axis=-1).astype(np.float32)
    arms = np.stack([center + right, center + down], axis=-1).astype(np.float64) - center[..., None]
    linear = crop_size / 2 * np.linalg.inv(arms)
    shift = crop_size / 2 - linear @ center[..., None].astype(np.float64)
    return np.concatenate([linear, shift], axis=-1).astype(np.float32).astype(np.float64)


def invert_map(maps: np.ndarray) -> np.ndarray:
    """Inverse of affine maps (..., 2, 3)."""
    inverse = np.linalg.inv(maps[..., :2])
    return np.concatenate([inverse, -inverse @ maps[..., 2:]], axis=-1)


def apply_map(maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply affine maps (..., 2, 3) to points (..., N, 2)."""
    return points @ np.swapaxes(maps[..., :2], -1, -2) + maps[..., None, :, 2]


def cells_to_px(points_cells: np.ndarray, cells: int, side_px: int) -> np.ndarray:
    """Points (..., 2) of a heat map with so many cells to a side in px of the crop that it stands for."""
    return points_cells * (side_px / cells)


def depth_to_cells(depth_mm: np.ndarray, box_mm: float, cells: int) -> np.ndarray:
    """Depth relative to a root (mm, in -box/2..box/2) as a coordinate of 0..cells."""
    return (depth_mm / (box_mm / 2) + 1) / 2 * cells


def cells_to_depth(depth_cells: np.ndarray, box_mm: float, cells: int) -> np.ndarray:
    """Inverse of :func:`depth_to_cells`."""
    return (depth_cells / cells * 2 - 1) * (box_mm / 2)
