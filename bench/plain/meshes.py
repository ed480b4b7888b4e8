"""One hand at a time: SciPy's bounded least squares through the hand model, differences instead of derivatives."""

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from digit.hand.mano import Hand
from digit.hand.open_hand.posing import NAMED_POSES, pose_vector
from digit.mesh.limits import angle_limits_rad
from digit.mesh.solver import LARGEST_BETA
from digit.mesh.start import rigid_motion


def fit(hand: Hand, joints_mm: np.ndarray) -> np.ndarray:
    """Joints (21, 3) of the model that come closest to the given ones, from a relaxed hand moved onto them."""
    turning = np.ptp(np.stack(angle_limits_rad()), axis=0) > 0
    lowest, highest = (limit[turning] for limit in angle_limits_rad())

    def joints_of(values: np.ndarray) -> np.ndarray:
        angles = np.zeros((5, 5))
        angles[turning] = values[6:-10]
        pose = np.concatenate([values[:3], pose_vector(np.degrees(angles), hand.side)])
        return hand.joints_world_mm(hand.vertices_world_mm(pose[None], values[None, -10:], values[None, 3:6] / 1000))[0]

    relaxed = np.clip(np.radians(NAMED_POSES["relaxed"])[turning], lowest, highest)
    start = np.concatenate([np.zeros(6), relaxed, np.zeros(10)])
    turn, _ = rigid_motion(joints_of(start), joints_mm, np.ones(21))
    start[:3] = Rotation.from_matrix(turn).as_rotvec()
    start[3:6] += (joints_mm - joints_of(start)).mean(axis=0)
    free, shape = np.full(6, np.inf), np.full(10, LARGEST_BETA)
    bounds = np.concatenate([-free, lowest, -shape]), np.concatenate([free, highest, shape])
    found = least_squares(lambda values: (joints_of(values) - joints_mm).ravel(), start, bounds=bounds, x_scale="jac")
    return joints_of(found.x)
