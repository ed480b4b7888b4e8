"""Pose correctives: what linear blend skinning lacks to follow the surface around a bent joint.

Each joint is bent alone to a few angles; the skinned vertices are projected onto the surface of the bent hand; the
way they move, un-skinned and smoothed, is fitted by a sin(angle) + b (1 - cos(angle)).
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sparse
from scipy.spatial.transform import Rotation

from digit.hand.open_hand.anatomy import Finger, skeleton
from digit.hand.open_hand.generate.rig import averaging_matrix
from digit.hand.open_hand.generate.surface import Fingers, project

LARGEST_STEP_MM = 4.5
LARGEST_OFFSET_MM = 5.5

_ANGLES_DEG = ((-15, 30, 60, 90), (25, 50, 75, 100), (20, 45, 70))
_THUMB_BASE_ANGLES_DEG = (-20, 15, 28)


def bent(finger: Finger, joint: int, turn: np.ndarray) -> Finger:
    """The finger with one joint (0-2) turned by a rotation matrix."""
    along, palmar, flexion = (
        np.concatenate([directions[:joint], directions[joint:] @ turn.T])
        for directions in (finger.along, finger.palmar, finger.flexion)
    )
    joints = finger.joints_mm.copy()
    for bone in range(joint, 3):
        joints[bone + 1] = joints[bone] + along[bone] * finger.lengths_mm[bone]
    return replace(finger, joints_mm=joints, along=along, palmar=palmar, flexion=flexion)


def corrective_offsets(vertices_mm: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3, 15, 2) offsets a and b in mm of every joint, to be stored by ``model.pack``."""
    average = averaging_matrix(faces, len(vertices_mm))
    offsets = np.zeros((len(vertices_mm), 3, 15, 2))
    for k, finger in enumerate(skeleton().values()):
        for joint in range(3):
            thumb_base = finger.name == "thumb" and joint == 0
            angles = np.radians(_THUMB_BASE_ANGLES_DEG if thumb_base else _ANGLES_DEG[joint])
            turning = weights[:, 1 + 3 * k + joint : 4 + 3 * k].sum(axis=1)
            wanted = [_offset_at(vertices_mm, finger, joint, angle, turning, average) for angle in angles]
            offsets[:, :, 3 * k + joint] = _fit(angles, np.stack(wanted))
    return offsets


def _fit(angles: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Least squares, damped: (A,) angles and (A, V, 3) offsets -> (V, 3, 2)."""
    system = np.concatenate([np.stack([np.sin(angles), 1 - np.cos(angles)], axis=1), 0.15 * np.eye(2)])
    values = np.concatenate([wanted.reshape(len(angles), -1), np.zeros((2, wanted[0].size))])
    solution, *_ = np.linalg.lstsq(system, values, rcond=None)
    return np.moveaxis(solution.reshape(2, *wanted.shape[1:]), 0, -1)


def _offset_at(
    vertices_mm: np.ndarray,
    finger: Finger,
    joint: int,
    angle: float,
    turning: np.ndarray,
    average: sparse.csr_matrix,
) -> np.ndarray:
    """(V, 3) rest-pose offsets that bring the skinned mesh onto the bent surface; ``turning`` (V,) is the weight."""
    turn = Rotation.from_rotvec(angle * finger.flexion[joint]).as_matrix()
    centre = finger.joints_mm[joint]
    turned = (vertices_mm - centre) @ turn.T + centre
    skinned = (1 - turning)[:, None] * vertices_mm + turning[:, None] * turned
    fingers: Fingers = skeleton() | {finger.name: bent(finger, joint, turn)}
    anywhere = np.zeros(len(skinned), dtype=bool)
    reach = 30 if finger.name == "thumb" and joint == 0 else 24 if joint == 0 else 15
    near = np.exp(-((np.linalg.norm(vertices_mm - centre, axis=1) / reach) ** 4))
    move = _shortened((project(skinned, fingers, anywhere, 5, 1.5) - skinned) * near[:, None], LARGEST_STEP_MM)
    blend = (1 - turning)[:, None, None] * np.eye(3) + turning[:, None, None] * turn
    blend[np.abs(np.linalg.det(blend)) < 0.05] += 1e-3 * np.eye(3)
    offset = _shortened(np.linalg.solve(blend, move[..., None])[..., 0], LARGEST_OFFSET_MM)
    for _ in range(2):
        offset = 0.5 * offset + 0.5 * (average @ offset)
    return offset


def _shortened(vectors: np.ndarray, longest: float) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors * np.minimum(1, longest / (lengths + 1e-9))
