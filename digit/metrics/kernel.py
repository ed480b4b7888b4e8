"""The inner loops of the metrics, compiled: the definitions of docs/protocol.md, sample by sample, joint by joint.

NumPy would go over the same arrays a dozen times. Here n samples have 42 joints each; positions are mm in the camera
frame, float64; arrays are C-contiguous and writable, so that each function is compiled once.
"""

import numpy as np

from digit.run.compiled import compiled
from digit.skeleton import JOINT_COUNT, JOINT_HAND, JOINTS_PER_HAND, ROOT_JOINTS

ROOT_OF_JOINT = np.array(ROOT_JOINTS)[JOINT_HAND]
"""(42,) the wrist of the hand that each joint belongs to."""
LEAST_ALIGNED = 3
"""Fewest joints to align: to fewer, a rotation, a scale and a shift fit almost any pose."""
JACOBI_SWEEPS = 6
"""After which a 4 x 4 matrix is diagonal to rounding: convergence is quadratic."""
NEGLIGIBLE = 1e-12
"""Of its largest entry: what a matrix may have beside its diagonal, far below what distances are rounded to."""
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
def aligned_errors(
    joints_mm: np.ndarray, annotated_mm: np.ndarray, counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n, 42) float32 after each hand is rotated, scaled and shifted onto its annotation, and which count.

    The similarity is that of least squares over the hand's counted joints, without mirroring. A hand with fewer than
    :data:`LEAST_ALIGNED` of them has no distances.
    """
    errors_mm = np.zeros(counted.shape, dtype=np.float32)
    aligned = np.zeros(counted.shape, dtype=np.bool_)
    for k in range(counted.shape[0]):
        for first in range(0, JOINT_COUNT, JOINTS_PER_HAND):
            hand = slice(first, first + JOINTS_PER_HAND)
            if counted[k, hand].sum() >= LEAST_ALIGNED:
                aligned[k, hand] = counted[k, hand]
                _add_aligned(joints_mm[k, hand], annotated_mm[k, hand], counted[k, hand], errors_mm[k, hand])
    return errors_mm, aligned


@compiled
def _add_aligned(points: np.ndarray, target: np.ndarray, counted: np.ndarray, errors: np.ndarray) -> None:
    """Write the distances of counted points (m, 3) to ``target`` after alignment; all NaN where one is not finite.

    With H the covariance of both, the rotation is the quaternion that belongs to the largest eigenvalue of a
    symmetric matrix of H's entries, and the scale is that eigenvalue over the points' spread (Horn 1987).
    """
    count, spread = counted.sum(), 0.0
    centre, goal, h = np.zeros(3), np.zeros(3), np.zeros((3, 3))
    for joint in range(len(counted)):
        if counted[joint]:
            for axis in range(3):
                centre[axis] += points[joint, axis]
                goal[axis] += target[joint, axis]
    centre, goal = centre / count, goal / count
    for joint in range(len(counted)):
        if counted[joint]:
            for row in range(3):
                moved = points[joint, row] - centre[row]
                spread += moved**2
                for column in range(3):
                    h[row, column] += moved * (target[joint, column] - goal[column])
    scaled = np.zeros((3, 3))
    if not np.isfinite(spread):
        scaled[:] = np.nan
    elif spread > 0:
        scaled[:] = _rotation_times_scale(h) / spread
    for joint in range(len(counted)):
        if counted[joint]:
            squared = 0.0
            for row in range(3):
                difference = goal[row] - target[joint, row]
                for column in range(3):
                    difference += scaled[row, column] * (points[joint, column] - centre[column])
                squared += difference**2
            errors[joint] = np.sqrt(squared)


@compiled
def _rotation_times_scale(h: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that turns points closest to their targets, times the trace of rotation and covariance."""
    n = np.zeros((4, 4))
    n[0, 0] = h[0, 0] + h[1, 1] + h[2, 2]
    for axis in range(3):
        second, third = (axis + 1) % 3, (axis + 2) % 3
        n[0, axis + 1] = n[axis + 1, 0] = h[second, third] - h[third, second]
        n[axis + 1, axis + 1] = h[axis, axis] - h[second, second] - h[third, third]
        n[second + 1, third + 1] = n[third + 1, second + 1] = h[second, third] + h[third, second]
    value, (w, x, y, z) = _largest_eigenvector(n)
    rotation = np.empty((3, 3))
    rotation[0] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    rotation[1] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    rotation[2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    return rotation * value


@compiled
def _largest_eigenvector(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Largest eigenvalue of a small symmetric matrix, which is overwritten, and its vector, by Jacobi's rotations."""
    size = len(matrix)
    vectors = np.eye(size)
    negligible = NEGLIGIBLE * np.abs(matrix).max()
    for _ in range(JACOBI_SWEEPS):
        for p in range(size - 1):
            for q in range(p + 1, size):
                if abs(matrix[p, q]) <= negligible:
                    continue
                theta = (matrix[q, q] - matrix[p, p]) / (2 * matrix[p, q])
                tangent = (1.0 if theta >= 0 else -1.0) / (abs(theta) + np.sqrt(theta**2 + 1))
                cosine = 1 / np.sqrt(tangent**2 + 1)
                sine = tangent * cosine
                shift = tangent * matrix[p, q]
                matrix[p, p] -= shift
                matrix[q, q] += shift
                matrix[p, q] = matrix[q, p] = 0
                for k in range(size):
                    if k not in (p, q):
                        one, other = matrix[k, p], matrix[k, q]
                        matrix[k, p] = matrix[p, k] = cosine * one - sine * other
                        matrix[k, q] = matrix[q, k] = sine * one + cosine * other
                    one, other = vectors[k, p], vectors[k, q]
                    vectors[k, p], vectors[k, q] = cosine * one - sine * other, sine * one + cosine * other
    best = 0
    for k in range(1, size):
        if matrix[k, k] > matrix[best, best]:
            best = k
    return matrix[best, best], vectors[:, best].copy()


@compiled
def add_errors(
    errors_mm: np.ndarray,
    counted: np.ndarray,
    interacting: np.ndarray,
    units: np.ndarray,
    error: np.ndarray,
    count: np.ndarray,
) -> None:
    """Add errors (n, 42) of samples to their units (n,) in ``error`` and ``count`` (units, 2, 42).

    The axis of 2 is single-hand, interacting.
    """
    for k in range(counted.shape[0]):
        unit, kind = units[k], int(interacting[k])
        for joint in range(JOINT_COUNT):
            if counted[k, joint]:
                error[unit, kind, joint] += errors_mm[k, joint]
                count[unit, kind, joint] += 1


@compiled
def add_pck(
    errors_mm: np.ndarray,
    counted: np.ndarray,
    interacting: np.ndarray,
    units: np.ndarray,
    limit_mm: int,
    area: np.ndarray,
    pck_counts: np.ndarray,
) -> None:
    """Add errors (n, 42) of samples, wrists left out, to what PCK is read from.

    Added to: ``area`` (units, 2) with the sum of max(0, 1 - error / limit) and its number of joints, ``pck_counts``
    (2, limit + 2) by error rounded up to 1 mm, the last for all above the limit; its axis of 2 is single-hand,
    interacting.
    """
    for k in range(counted.shape[0]):
        unit, kind = units[k], int(interacting[k])
        for joint in range(JOINT_COUNT):
            if counted[k, joint] and not IS_WRIST[joint]:
                error_mm = errors_mm[k, joint]
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
