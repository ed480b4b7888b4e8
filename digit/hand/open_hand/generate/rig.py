"""From a bare mesh to a hand that bends and varies: vertex order, skinning weights, shape space, joint regressor."""

from collections.abc import Sequence

import numpy as np
import scipy.optimize
import scipy.sparse as sparse

from digit.hand.mesh import SEAL_RING, TIP_VERTICES
from digit.hand.open_hand.anatomy import (
    FINGERS,
    PARENTS,
    Finger,
    flexion_axes,
    rest_joints_mm,
    skeleton,
    smoothstep,
    unit,
)
from digit.hand.open_hand.generate.surface import finger_distance, palm_distance
from digit.hand.open_hand.skin import boundary_loop

SHAPE_COUNT = 10

MEAN_FLEXION_DEG = {
    "index": (14, 22, 12),
    "middle": (18, 25, 14),
    "pinky": (20, 24, 14),
    "ring": (20, 26, 15),
    "thumb": (6, 8, 14),
}
"""The relaxed hand that MANO's zero pose stands for."""

_BEND_ZONES_MM = {"finger": (12.0, 6.2, 5.2), "thumb": (17.0, 9.5, 6.5)}
"""Half the length over which each joint's bend spreads."""


def manos_order(vertices_mm: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber so that rim and fingertips have MANO's indices: the same mesh as (778, 3) and (1538, 3).

    The other vertices follow part by part: palm, thumb, index, middle, ring, little finger, from the wrist outwards.
    """
    joint = skinning_weights(vertices_mm, faces).argmax(axis=1)
    source = np.full(len(vertices_mm), -1)
    loop = boundary_loop(faces)[::-1]
    most_radial = np.argmax(vertices_mm[loop] @ (0.0, -0.01, 1.0))
    source[list(SEAL_RING)] = np.roll(loop, -most_radial)
    for name, vertex in TIP_VERTICES.items():
        source[vertex] = np.linalg.norm(vertices_mm - skeleton()[name].joints_mm[3], axis=1).argmin()
    part = {0: 0} | {
        1 + 3 * FINGERS.index(name) + bone: 1 + 3 * rank + bone
        for rank, name in enumerate(TIP_VERTICES)
        for bone in range(3)
    }
    rest = np.setdiff1d(np.arange(len(vertices_mm)), source)
    rank = np.array([part[j] for j in joint[rest]])
    source[source < 0] = rest[np.lexsort((-vertices_mm[rest, 0], rank))]
    return vertices_mm[source], np.argsort(source)[faces]


def averaging_matrix(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """(V, V) matrix that replaces each vertex's value by the mean over its neighbours."""
    start = np.concatenate([faces.ravel(), np.roll(faces, 1, axis=1).ravel()])
    end = np.concatenate([np.roll(faces, 1, axis=1).ravel(), faces.ravel()])
    linked = sparse.csr_matrix((np.ones(len(start)), (start, end)), shape=(count, count))
    linked.data[:] = 1
    return sparse.diags(1 / np.asarray(linked.sum(axis=1)).ravel()) @ linked


def _chain_weights(vertices_mm: np.ndarray, finger: Finger) -> np.ndarray:
    """(V, 4) share of palm and of each bone by where a vertex lies along one finger."""
    zones = _BEND_ZONES_MM["thumb" if finger.name == "thumb" else "finger"]
    if finger.name == "thumb":
        before = unit(finger.along[0] + np.array([-0.6, 0, 0]))
    else:
        before = unit(finger.joints_mm[0] - finger.start_mm)
    directions = [before, *finger.along]
    reached = []
    for joint, zone in enumerate(zones):
        plane = unit(directions[joint] + directions[joint + 1])
        reached.append(smoothstep(((vertices_mm - finger.joints_mm[joint]) @ plane + zone) / (2 * zone)))
    s1, s2, s3 = reached
    return np.stack([1 - s1, s1 * (1 - s2), s1 * s2 * (1 - s3), s1 * s2 * s3], axis=1)


def skinning_weights(vertices_mm: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 16) convex weights of MANO's joints, at most four per vertex.

    A vertex belongs to the palm or to a finger by which of their surfaces is nearer, and along a finger to its
    bones; neighbours are then averaged a little.
    """
    distances = [palm_distance(vertices_mm, skeleton()) + 1.0]
    distances += [finger_distance(vertices_mm, finger) for finger in skeleton().values()]
    beyond = np.stack(distances, axis=1)
    share = np.exp(-(beyond - beyond.min(axis=1, keepdims=True)) / 2.0)
    share /= share.sum(axis=1, keepdims=True)
    weights = np.zeros((len(vertices_mm), len(PARENTS)))
    weights[:, 0] = share[:, 0]
    for k, finger in enumerate(skeleton().values()):
        chain = share[:, k + 1, None] * _chain_weights(vertices_mm, finger)
        weights[:, 0] += chain[:, 0]
        weights[:, 1 + 3 * k : 4 + 3 * k] += chain[:, 1:]
    average = averaging_matrix(faces, len(vertices_mm))
    for _ in range(2):
        weights = 0.5 * weights + 0.5 * (average @ weights)
    fourth = np.sort(weights, axis=1)[:, -4, None]
    weights = np.where(weights >= np.maximum(fourth, 1e-3), weights, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _scaled(vectors: np.ndarray, joint: int, scales: np.ndarray) -> np.ndarray:
    """Stretch vectors (..., 3) along a bone, across it and through it by ``scales[:, joint]``."""
    if joint == 0:
        axes = np.array([[-1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    else:
        finger, bone = skeleton()[FINGERS[(joint - 1) // 3]], (joint - 1) % 3
        axes = np.stack([finger.along[bone], finger.flexion[bone], finger.palmar[bone]])
    return (vectors @ axes.T * scales[:, joint]) @ axes


def _stretch(vertices_mm: np.ndarray, weights: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Displacement (V, 3) when each joint's flesh is scaled, (3, 16), and the joints move along."""
    joints = rest_joints_mm()
    moved = joints.copy()
    for joint in range(1, len(PARENTS)):
        parent = PARENTS[joint]
        moved[joint] = moved[parent] + _scaled(joints[joint] - joints[parent], parent, scales)
    stretched = sum(
        weights[:, [joint]] * (moved[joint] + _scaled(vertices_mm - joints[joint], joint, scales))
        for joint in range(len(PARENTS))
    )
    return stretched - vertices_mm


def shape_directions(vertices_mm: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3, 10) orthogonal directions of shape in mm per standard deviation, the strongest first.

    Ten plausible scalings with their standard deviations, taken as independent, span a Gaussian; these are its
    principal components. The sign is such that + makes the hand longer.
    """
    every, fingers, thumb = range(16), range(1, 16), range(13, 16)
    first_bones, last_bones = [*range(1, 13, 3)], [*range(3, 13, 3), 15]
    length, breadth, depth = (0,), (1,), (2,)
    girth = breadth + depth

    def scaling(*changes: tuple[Sequence[int], Sequence[int], float]) -> np.ndarray:
        scales = np.ones((3, 16))
        for axes, joints, change in changes:
            scales[np.ix_(axes, joints)] *= 1 + change
        return _stretch(vertices_mm, weights, scales)

    wrist = weights[:, [0]] * smoothstep((40 + vertices_mm[:, [0]]) / 45) * vertices_mm * np.array([0, 0.10, 0.10])
    scalings = [
        scaling((length + girth, every, 0.055)),
        scaling((length, fingers, 0.06)),
        scaling((breadth, [0], 0.07)),
        scaling((girth, fingers, 0.09)),
        scaling((length, thumb, 0.08)),
        scaling((length, [0], 0.05)),
        wrist,
        scaling((length, [1, 2, 3], 0.06), (length, [10, 11, 12], -0.06)),
        scaling((length, [7, 8, 9], 0.07), (length, [4, 5, 6], -0.03)),
        scaling((girth, last_bones, 0.10), (girth, first_bones, -0.06)),
    ]
    _, strengths, modes = np.linalg.svd(np.stack(scalings).reshape(SHAPE_COUNT, -1), full_matrices=False)
    modes = (modes * strengths[:, None]).reshape(SHAPE_COUNT, -1, 3)
    longer = np.where((modes[:, :, 0] * vertices_mm[:, 0]).sum(axis=1) >= 0, 1.0, -1.0)
    return np.moveaxis(modes * longer[:, None, None], 0, -1)


def joint_regressor(vertices_mm: np.ndarray) -> np.ndarray:
    """(16, V) convex weights of vertices around each joint whose mean is the joint at rest, exactly."""
    joints = rest_joints_mm()
    regressor = np.zeros((len(joints), len(vertices_mm)))
    for j, joint in enumerate(joints):
        stretch = (2.2, 1, 1) if j == 0 else (1, 1, 1)
        count = 48 if j == 0 else 40 if j % 3 == 1 else 22
        near = np.argsort(np.linalg.norm((vertices_mm - joint) * stretch, axis=1), kind="stable")[:count]
        regressor[j, near] = _convex_weights(vertices_mm[near] - joint)
    return regressor


def _convex_weights(offsets: np.ndarray) -> np.ndarray:
    """(K,) weights >= 0 that sum to 1, bring the weighted mean of offsets (K, 3) to 0 and are nearly equal."""
    count = len(offsets)
    system = np.vstack([offsets.T, np.full((1, count), 60.0), 0.8 * np.eye(count)])
    weights, _ = scipy.optimize.nnls(system, np.concatenate([[0, 0, 0, 60.0], np.full(count, 0.8 / count)]))
    for _ in range(30):
        used = weights > 0
        conditions = np.vstack([offsets[used].T, np.ones((1, used.sum()))])
        missing = np.array([0, 0, 0, 1.0]) - conditions @ weights[used]
        weights[used] += conditions.T @ np.linalg.solve(conditions @ conditions.T + 1e-10 * np.eye(4), missing)
        if weights.min() >= 0:
            return weights
        weights = np.maximum(weights, 0)
    raise RuntimeError("no convex weights reach the joint")


def hands_mean() -> np.ndarray:
    """(45,) axis-angle vectors of the relaxed hand."""
    degrees = np.concatenate([MEAN_FLEXION_DEG[name] for name in FINGERS])
    return (np.radians(degrees)[:, None] * flexion_axes()).ravel()
