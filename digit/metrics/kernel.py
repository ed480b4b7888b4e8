"""The inner loops of the metrics, compiled: the definitions of docs/protocol.md, sample by sample, joint by joint.

NumPy would go over the same arrays a dozen times. Here n samples have 42 joints each; positions are mm in the camera
frame, float64; arrays are C-contiguous and writable, so that each function is compiled once.
"""

import numpy as np

from digit.run.compiled import compiled
from digit.skeleton import JOINT_COUNT, JOINT_HAND, ROOT_JOINTS

ROOT_OF_JOINT = np.array(ROOT_JOINTS)[JOINT_HAND]
"""(42,) the wrist of the hand that each joint belongs to."""
IS_WRIST = np.isin(np.arange(JOINT_COUNT), ROOT_JOINTS)
"""(42,) bool."""


@compiled
def lift(
    joint_cells: np.ndarray,
    root_depth_mm: np.ndarray,
    crop_to_image: np.ndarray,
    focal_px: np.ndarray,
    princpt_px: np.ndarray,
    input_size: int,
    cells: int,
    depth_box_mm: float,
) -> np.ndarray:
    """Camera positions (n, joints, 3) of joints (n, joints, 3) in cells, whose roots have depths (n, joints)."""
    joints_cam_mm = np.empty(joint_cells.shape)
    for k in range(joint_cells.shape[0]):
        for joint in range(joint_cells.shape[1]):
            crop_x = joint_cells[k, joint, 0] / cells * input_size
            crop_y = joint_cells[k, joint, 1] / cells * input_size
            x = crop_to_image[k, 0, 0] * crop_x + crop_to_image[k, 0, 1] * crop_y + crop_to_image[k, 0, 2]
            y = crop_to_image[k, 1, 0] * crop_x + crop_to_image[k, 1, 1] * crop_y + crop_to_image[k, 1, 2]
            z_mm = root_depth_mm[k, joint] + (joint_cells[k, joint, 2] / cells * 2 - 1) * depth_box_mm / 2
            joints_cam_mm[k, joint, 0] = (x - princpt_px[k, 0]) / focal_px[k, 0] * z_mm
            joints_cam_mm[k, joint, 1] = (y - princpt_px[k, 1]) / focal_px[k, 1] * z_mm
            joints_cam_mm[k, joint, 2] = z_mm
    return joints_cam_mm


@compiled
def joint_errors(joints_mm: np.ndarray, annotated_mm: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Distances (n, 42) float32 with each hand's wrist moved to the origin on both sides; 0 where not counted."""
    errors_mm = np.zeros(counted.shape, dtype=np.float32)
    for k in range(counted.shape[0]):
        for joint in range(JOINT_COUNT):
            if counted[k, joint]:
                root, squared = ROOT_OF_JOINT[joint], 0.0
                for axis in range(3):
                    predicted = joints_mm[k, joint, axis] - joints_mm[k, root, axis]
                    annotated = annotated_mm[k, joint, axis] - annotated_mm[k, root, axis]
                    squared += (predicted - annotated) ** 2
                errors_mm[k, joint] = np.sqrt(squared)
    return errors_mm


@compiled
def add_joints(
    errors_mm: np.ndarray,
    counted: np.ndarray,
    interacting: np.ndarray,
    units: np.ndarray,
    limit_mm: int,
    error: np.ndarray,
    count: np.ndarray,
    area: np.ndarray,
    pck_counts: np.ndarray,
) -> None:
    """Add errors (n, 42) of samples to their units (n,): per joint, and for PCK over the joints without wrists.

    Added to: ``error`` and ``count`` (units, 2, 42), ``area`` (units, 2) with the sum of max(0, 1 - error / limit)
    and its number of joints, ``pck_counts`` (2, limit + 2) by error rounded up to 1 mm, the last for all above the
    limit. The axis of 2 of the others is single-hand, interacting.
    """
    for k in range(counted.shape[0]):
        unit, kind = units[k], int(interacting[k])
        for joint in range(JOINT_COUNT):
            if counted[k, joint]:
                error_mm = errors_mm[k, joint]
                error[unit, kind, joint] += error_mm
                count[unit, kind, joint] += 1
                if not IS_WRIST[joint]:
                    area[unit, 1] += 1
                    if error_mm <= limit_mm:
                        area[unit, 0] += 1 - error_mm / limit_mm
                        pck_counts[kind, int(np.ceil(error_mm))] += 1
                    else:  # a NaN too
                        pck_counts[kind, limit_mm + 1] += 1


@compiled
def add_rows(rows: np.ndarray, units: np.ndarray, sums: np.ndarray) -> None:
    """Add rows (n, m) to those of their units (n,) in ``sums`` (units, m)."""
    for k in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            sums[units[k], column] += rows[k, column]
