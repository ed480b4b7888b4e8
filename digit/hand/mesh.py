"""The topology that all MANO-shaped hands share: sealing the wrist, parts of faces, regressed joints."""

import numpy as np

from digit.skeleton import FINGERS, MANO_JOINT_NAMES, PART_OF_MANO_JOINT, PARTS_PER_HAND

VERTEX_COUNT = 778
FACE_COUNT = 1538
SEALED_FACE_COUNT = 1554
WRIST_CENTRE = 778
"""Index of the vertex that closes the wrist."""

SEAL_RING = (108, 79, 78, 121, 214, 215, 279, 239, 234, 92, 38, 122, 118, 117, 119, 120)
"""Vertices around the open wrist, in order."""

TIP_VERTICES = {"thumb": 744, "index": 320, "middle": 443, "ring": 554, "pinky": 671}
"""The fingertip vertex of each finger."""


def seal(vertices: np.ndarray) -> np.ndarray:
    """Append the wrist centre, the mean of the boundary ring: (..., 778, 3) -> (..., 779, 3), any unit."""
    centre = vertices[..., SEAL_RING, :].mean(axis=-2, keepdims=True)
    return np.concatenate([vertices, centre], axis=-2)


def sealed_faces(faces: np.ndarray, side: str) -> np.ndarray:
    """Close the wrist with 16 faces fanned to vertex 778, wound as the hand itself: (1538, 3) -> (1554, 3) int64."""
    ring = np.array(SEAL_RING)
    first, second = (np.roll(ring, 1), ring) if side == "right" else (ring, np.roll(ring, 1))
    fan = np.stack([first, second, np.full(len(ring), WRIST_CENTRE)], axis=1)
    return np.concatenate([np.asarray(faces, dtype=np.int64), fan])


def labels_by_skinning(faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Part id (0-15) of each face: that of the MANO joint with the largest summed weight over its vertices.

    Args:
        faces: (F, 3) vertex numbers.
        weights: (V, 16) skinning weights, joints in MANO's order. Where the faces refer to a vertex one past
            the last, it is the wrist centre, whose weights are the mean over the ring.

    Returns:
        (F,) uint8.
    """
    if faces.max() == len(weights):
        weights = np.concatenate([weights, weights[list(SEAL_RING)].mean(axis=0, keepdims=True)])
    strongest = weights[faces].sum(axis=1).argmax(axis=1)
    return PART_OF_MANO_JOINT[strongest].astype(np.uint8)


def face_labels(part_ids: np.ndarray, side: str) -> np.ndarray:
    """Mask values of faces from their part ids (0-15): 1-16 for the right hand, 17-32 for the left; uint8."""
    return (part_ids + (1 if side == "right" else 1 + PARTS_PER_HAND)).astype(np.uint8)


def regress_joints(regressor: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Joints as weighted means of vertices: (J, 778) and (..., 778, 3) -> (..., J, 3), in the vertices' frame."""
    return np.matmul(regressor, vertices)


def interhand_regressor(mano_regressor: np.ndarray) -> np.ndarray:
    """Regressor of a hand's 21 joints in InterHand2.6M's order from MANO's 16: (16, 778) -> (21, 778).

    MANO's joints keep their rows; each fingertip is a single vertex of the mesh.
    """
    rows = []
    for finger in FINGERS:
        tip = np.zeros(mano_regressor.shape[1])
        tip[TIP_VERTICES[finger]] = 1.0
        rows += [tip, *(mano_regressor[MANO_JOINT_NAMES.index(f"{finger}{joint}")] for joint in (3, 2, 1))]
    return np.stack([*rows, mano_regressor[0]])
