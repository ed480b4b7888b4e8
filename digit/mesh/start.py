"""Where a fit starts: the named pose that lies on the given joints best, moved rigidly."""

import numpy as np

from digit.hand.open_hand.posing import NAMED_POSES
from digit.mesh.chain import DTYPE, Chain, pose
from digit.mesh.solver import State
from digit.mesh.targets import Targets


def first_state(chain: Chain, targets: Targets) -> State:
    """The best of the named poses for each of n hands, with the model's mean shape."""
    angles = np.radians(np.stack(list(NAMED_POSES.values()))).astype(DTYPE)
    count = len(angles)
    still = np.zeros((count, 3), DTYPE), angles, np.zeros((count, 10), DTYPE)
    joints = pose(chain, np.broadcast_to(np.eye(3, dtype=DTYPE), (count, 3, 3)), *still).joints
    turns, shifts = rigid_motion(joints[None], targets.joints[:, None], targets.weight[:, None])
    moved = joints @ np.swapaxes(turns, -1, -2) + shifts[:, :, None]
    distances = np.linalg.norm(moved - targets.joints[:, None], axis=-1)
    best = (targets.weight[:, None] * distances).sum(axis=-1).argmin(axis=1)
    rows = np.arange(len(best))
    turn, wrist = turns[rows, best], chain.rest[0]  # MANO turns about the wrist, not about the origin
    shift = shifts[rows, best] + turn @ wrist - wrist
    return State(turn.astype(DTYPE), shift.astype(DTYPE), angles[best], np.zeros((len(best), 10), DTYPE))


def rigid_motion(points: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (..., 3, 3) and shifts (..., 3) that move points (..., N, 3) closest to targets (..., N, 3).

    Kabsch, "A discussion of the solution for the best rotation to relate two sets of vectors" (1978), with weights
    (..., N). Never a reflection.
    """
    shares = (weight / weight.sum(axis=-1, keepdims=True))[..., None]
    centre, target_centre = ((shares * each).sum(axis=-2, keepdims=True) for each in (points, targets))
    covariance = np.swapaxes(shares * (targets - target_centre), -1, -2) @ (points - centre)
    u, _, vt = np.linalg.svd(covariance.astype(np.float64))
    u[..., 2] *= np.linalg.det(u @ vt)[..., None]
    turn = u @ vt
    return turn, (target_centre - centre @ np.swapaxes(turn, -1, -2))[..., 0, :]
