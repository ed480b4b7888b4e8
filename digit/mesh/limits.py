"""How the joints of a hand turn: about which axes, how far, and which angles go together."""

from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from digit.hand.mesh import TIP_VERTICES
from digit.hand.open_hand.anatomy import FINGERS, skeleton, unit
from digit.hand.open_hand.model import MIRROR, MIRROR_ROTATION, load_open_hand
from digit.hand.open_hand.posing import LIMITS_DEG, sample_poses

MARGIN_DEG = 5.0
"""How far a fitted angle may lie beyond what the embedded data show; joints that do not twist stay so."""

LIBERTY_DEG = 10.0
"""Standard deviation of a person's angles around what the sampled poses can show."""

SAMPLED_POSES = 256

ANGLE_BONE = np.array([0, 0, 0, 1, 2])
"""(5,) the joint of its finger that each angle of ``open_hand.posing.ANGLES`` turns."""


def angle_limits_rad() -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest angles, (5, 5) each: fingers in MANO's order, columns ``open_hand.posing.ANGLES``."""
    lowest, highest = np.moveaxis(LIMITS_DEG, -1, 0)
    margin = np.where(highest > lowest, MARGIN_DEG, 0.0)
    return np.radians(lowest - margin), np.radians(highest + margin)


@cache
def angle_statistics() -> tuple[np.ndarray, np.ndarray]:
    """Mean (25,) and covariance (25, 25) of the angles of natural poses, rad, flattened from (5, 5).

    Of poses drawn from a fixed seed by ``open_hand.posing.sample_pose``, with ``LIBERTY_DEG`` on top of each angle.
    """
    angles = np.radians(sample_poses(np.random.default_rng(0), SAMPLED_POSES)).reshape(SAMPLED_POSES, -1)
    return angles.mean(axis=0), np.cov(angles, rowvar=False) + np.eye(angles.shape[1]) * np.radians(LIBERTY_DEG) ** 2


def angle_axes(joints_rest: np.ndarray, tips_rest: np.ndarray, side: str) -> np.ndarray:
    """Axes (5, 5, 3) of the angles at rest in the template's frame.

    They are those of the open hand, turned with each bone from where the open hand has it to where this hand has it.

    Args:
        joints_rest: (16, 3) joints in MANO's order, any unit.
        tips_rest: (5, 3) fingertip vertices, fingers in MANO's order.
        side: ``right`` or ``left``, whose template is mirrored.
    """
    mirror, turning_mirror = (MIRROR, MIRROR_ROTATION) if side == "left" else (np.ones(3), np.ones(3))
    bones = _bones(joints_rest * mirror, tips_rest * mirror).reshape(-1, 3)
    open_bones = _open_bones().reshape(-1, 3)
    across = np.cross(open_bones, bones)
    angle = np.arctan2(np.linalg.norm(across, axis=1), (open_bones * bones).sum(axis=1))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    turn = Rotation.from_rotvec(across * angle[:, None]).as_matrix().reshape(5, 3, 3, 3)
    fingers = skeleton().values()
    along, palmar, flexion = (np.stack([getattr(f, name) for f in fingers]) for name in ("along", "palmar", "flexion"))
    axes = np.stack([flexion[:, 0], -palmar[:, 0], along[:, 0], flexion[:, 1], flexion[:, 2]], axis=1)
    return (turn[:, ANGLE_BONE] @ axes[..., None])[..., 0] * turning_mirror


def tip_vertices() -> list[int]:
    """Vertex of each fingertip, fingers in MANO's order."""
    return [TIP_VERTICES[finger] for finger in FINGERS]


def _bones(joints: np.ndarray, tips: np.ndarray) -> np.ndarray:
    """(5, 3, 3) unit vectors along the three bones of each finger."""
    chain = np.concatenate([joints[1:].reshape(5, 3, 3), tips[:, None]], axis=1)
    return unit(np.diff(chain, axis=1))


@cache
def _open_bones() -> np.ndarray:
    model = load_open_hand()["right"]
    return _bones(model["J_regressor"] @ model["v_template"], model["v_template"][tip_vertices()])
