"""Poses that a hand can take: named ones, random ones, and how far the digits of a pose run into each other.

A pose is an array of angles in degrees, (..., 5, 5): a row for each finger in MANO's order (index, middle, pinky,
ring, thumb) and the columns of ``ANGLES``. Flexion bends to the palm, abduction moves towards the thumb's side.
Everything here is for a right hand; ``pose_vector`` mirrors for the left.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from digit.hand.open_hand.anatomy import FINGERS, LONG_FINGERS, skeleton, unit
from digit.hand.open_hand.model import MIRROR_ROTATION, load_open_hand

ANGLES = ("flexion1", "abduction1", "twist1", "flexion2", "flexion3")

LIMITS_DEG = np.array(
    [
        [(-15, 85), (-14, 16), (0, 0), (0, 100), (0, 65)],
        [(-15, 88), (-9, 9), (0, 0), (0, 105), (0, 68)],
        [(-15, 90), (-22, 12), (0, 0), (0, 100), (0, 65)],
        [(-12, 88), (-12, 9), (0, 0), (0, 105), (0, 68)],
        [(-20, 50), (-35, 30), (-45, 25), (-10, 60), (-20, 80)],
    ],
    dtype=float,
)
"""(5, 5, 2) lowest and highest angle of each finger's joints."""

THUMB_POSTURES = np.array(
    [
        (-16, 18, -6, -4, -8),  # spread
        (2, -6, 4, 10, 14),  # relaxed
        (20, -22, 14, 38, 48),  # along the palm
        (37, -6, -7, -8, -12),  # opposite the index finger
        (36, 28, -44, 42, 12),  # across the fingers of a fist
    ],
    dtype=float,
)
"""Between which sampled thumbs lie; degrees."""

THUMB_LIBERTY = (5, 5, 5, 7, 8)
"""Standard deviation of a sampled thumb around its posture; degrees."""

OVERLAP_TOLERANCE_MM = 2.0
"""Overlap of capsules that sampled poses may show: flesh gives way by about this much."""

_CAPSULE_RADII_MM = np.array([8.4, 8.5, 7.0, 8.0, 10.2])
_TIP_RADIUS = 0.85
_PALM_RADIUS_MM = 10.5


def _angles(index: tuple, middle: tuple, ring: tuple, pinky: tuple, thumb: tuple) -> np.ndarray:
    """Fingers as (flexion1, abduction1, flexion2, flexion3), the thumb with its twist before flexion2."""
    fingers = {"index": index, "middle": middle, "ring": ring, "pinky": pinky}
    rows = {name: (flex, abduct, 0, *rest) for name, (flex, abduct, *rest) in fingers.items()} | {"thumb": thumb}
    return np.array([rows[name] for name in FINGERS], dtype=float)


NAMED_POSES = {
    "flat": np.zeros((5, 5)),
    "spread": _angles((-4, 10, 2, 2), (-6, 1, 2, 2), (-4, -7, 2, 2), (-4, -14, 2, 2), (-16, 18, -6, -4, -8)),
    "relaxed": _angles((14, 2, 24, 14), (20, 0, 28, 16), (24, 0, 30, 17), (26, -2, 28, 15), (2, -6, 4, 10, 14)),
    "fist": _angles((78, -3, 98, 58), (82, 0, 100, 60), (84, 2, 100, 60), (86, 6, 95, 58), (33, 30, -45, 46, 14)),
    "point": _angles((4, 0, 4, 2), (76, 0, 98, 58), (80, 2, 100, 60), (82, 5, 95, 58), (40, 27, -45, 38, 11)),
    "pinch": _angles((34, -2, 57, 30), (24, 0, 34, 18), (20, 0, 28, 15), (18, -2, 24, 12), (37, -6, -7, -10, -20)),
    "interleave": _angles((28, 13, 34, 18), (30, 3, 36, 18), (30, -8, 36, 18), (28, -18, 34, 18), (4, 4, 0, 8, 16)),
    "clasp": _angles((52, 3, 58, 20), (54, 0, 60, 22), (56, -2, 60, 22), (58, -5, 58, 22), (12, -6, 6, 14, 20)),
}
"""Postures by name, (5, 5) degrees each."""


def _joint_rotations(angles_deg: np.ndarray) -> Rotation:
    """Local rotations, flattened from (..., 5, 3): joint 1 turns by abduction after flexion after twist."""
    along, palmar, flexion = (
        np.stack([getattr(finger, field) for finger in skeleton().values()]) for field in ("along", "palmar", "flexion")
    )
    radians = np.radians(angles_deg)
    shape = (*angles_deg.shape[:-2], 5, 3, 3)
    bend = flexion * radians[..., [0, 3, 4], None]
    twist, abduct = np.zeros(shape), np.zeros(shape)
    twist[..., 0, :] = along[:, 0] * radians[..., 2, None]
    abduct[..., 0, :] = -palmar[:, 0] * radians[..., 1, None]
    turn = [Rotation.from_rotvec(vectors.reshape(-1, 3)) for vectors in (abduct, bend, twist)]
    return turn[0] * turn[1] * turn[2]


def pose_vector(angles_deg: np.ndarray, side: str = "right") -> np.ndarray:
    """MANO's hand_pose of the open hand: (..., 5, 5) degrees -> (..., 45) axis-angle, relative to its mean pose."""
    vectors = _joint_rotations(angles_deg).as_rotvec().reshape(*angles_deg.shape[:-2], 45)
    if side == "left":
        vectors = vectors * np.tile(MIRROR_ROTATION, 15)
    return vectors - load_open_hand()[side]["hands_mean"]


def finger_joints_mm(angles_deg: np.ndarray) -> np.ndarray:
    """Forward kinematics: (..., 5, 5) degrees -> (..., 5, 4, 3) joints 1-3 and fingertip, wrist frame."""
    fingers = skeleton().values()
    local = _joint_rotations(angles_deg).as_matrix().reshape(*angles_deg.shape[:-2], 5, 3, 3, 3)
    joints = [np.broadcast_to(np.stack([f.joints_mm[0] for f in fingers]), (*angles_deg.shape[:-2], 5, 3))]
    turned = np.broadcast_to(np.eye(3), (*local.shape[:-3], 3, 3))
    for bone in range(3):
        turned = turned @ local[..., bone, :, :]
        steps = np.stack([f.along[bone] * f.lengths_mm[bone] for f in fingers])
        joints.append(joints[-1] + (turned @ steps[..., None])[..., 0])
    return np.stack(joints, axis=-2)


def segment_distances(start1: np.ndarray, end1: np.ndarray, start2: np.ndarray, end2: np.ndarray) -> np.ndarray:
    """Shortest distance between segments, (..., 3) each -> (...).

    Ericson, Real-Time Collision Detection (2005), section 5.1.9, for segments of positive length.
    """
    d1, d2, gap = end1 - start1, end2 - start2, start1 - start2
    a, e, b = ((x * y).sum(-1) for x, y in ((d1, d1), (d2, d2), (d1, d2)))
    c, f = (d1 * gap).sum(-1), (d2 * gap).sum(-1)
    denominator = a * e - b * b
    parallel = denominator <= 1e-15 * a * e
    s = np.where(parallel, 0.0, np.clip((b * f - c * e) / np.where(parallel, 1.0, denominator), 0, 1))
    t = (b * s + f) / e
    s = np.where((t < 0) | (t > 1), np.clip((b * np.clip(t, 0, 1) - c) / a, 0, 1), s)
    t = np.clip(t, 0, 1)
    return np.linalg.norm(gap + d1 * s[..., None] - d2 * t[..., None], axis=-1)


def _capsule_pairs() -> tuple[np.ndarray, np.ndarray]:
    """(P,) and (P,) capsules that could collide: of different digits, not both at the base; palm with fingertips."""
    digit = np.concatenate([np.repeat(np.arange(5), 3), np.full(4, 5)])
    bone = np.concatenate([np.tile(np.arange(3), 5), np.full(4, -1)])
    first, second = np.triu_indices(len(digit), k=1)
    between_digits = (digit[second] < 5) & (digit[first] != digit[second]) & (bone[first] + bone[second] > 0)
    palm = (digit[second] == 5) & (bone[first] == 2) & (digit[first] < 5)
    keep = between_digits | palm
    return first[keep], second[keep]


def self_overlap_mm(angles_deg: np.ndarray) -> np.ndarray:
    """How deep the digits run into each other or the fingertips into the palm: (..., 5, 5) degrees -> (...) mm.

    Bones are capsules; the result is the deepest overlap of two of them, negative if all are apart.
    """
    joints = finger_joints_mm(angles_deg)
    batch = joints.shape[:-3]
    starts, ends = joints[..., :3, :].reshape(*batch, 15, 3), joints[..., 1:, :].reshape(*batch, 15, 3)
    bones = np.stack([(skeleton()[n].start_mm, skeleton()[n].joints_mm[0]) for n in LONG_FINGERS])
    starts = np.concatenate([starts, np.broadcast_to(bones[:, 0], (*batch, 4, 3))], axis=-2)
    ends = np.concatenate([ends, np.broadcast_to(bones[:, 1], (*batch, 4, 3))], axis=-2)
    radii = np.outer(_CAPSULE_RADII_MM, [1, 1, _TIP_RADIUS]).ravel()
    radii = np.concatenate([radii, np.full(4, _PALM_RADIUS_MM)])
    ends = ends - unit(ends - starts) * np.where(np.arange(19) % 3 == 2, radii * (np.arange(19) < 15), 0)[:, None]
    first, second = _capsule_pairs()
    distances = segment_distances(
        starts[..., first, :], ends[..., first, :], starts[..., second, :], ends[..., second, :]
    )
    return (radii[first] + radii[second] - distances).max(axis=-1)


def _draw_fingers(rng: np.random.Generator) -> np.ndarray:
    """(5, 5) degrees: the long fingers curl together, with some liberty; the thumb's row stays zero."""
    curl = rng.beta(1.1, 1.6)
    angles = np.zeros((5, 5))
    for name in LONG_FINGERS:
        row = FINGERS.index(name)
        low, high = LIMITS_DEG[row].T
        own_curl = rng.random() if rng.random() < 0.15 else np.clip(curl + rng.normal(0, 0.16), 0, 1)
        angles[row, 0] = low[0] + (high[0] - low[0]) * np.clip(own_curl * 0.85 + 0.12 + rng.normal(0, 0.10), 0, 1)
        angles[row, 3] = high[3] * np.clip(own_curl + rng.normal(0, 0.12), 0, 1)
        angles[row, 4] = np.clip(0.62 * angles[row, 3] + rng.normal(0, 5), low[4], high[4])
        freedom = 1 - np.clip((angles[row, 0] - 10) / 60, 0, 1)  # a bent knuckle holds the finger straight sideways
        angles[row, 1] = rng.uniform(low[1], high[1]) * 0.8 * freedom
    for free, bound, gap in (("middle", "ring", 28), ("ring", "pinky", 35), ("middle", "index", 55)):
        leader, follower = FINGERS.index(free), FINGERS.index(bound)
        difference = angles[follower, 0] - angles[leader, 0]
        angles[follower, 0] = angles[leader, 0] + np.clip(difference, -gap, gap)
    return angles


def _draw_thumb(rng: np.random.Generator) -> np.ndarray:
    """(5,) degrees: somewhere between the thumb's typical postures, with some liberty."""
    low, high = LIMITS_DEG[FINGERS.index("thumb")].T
    angles = rng.dirichlet(np.full(len(THUMB_POSTURES), 0.6)) @ THUMB_POSTURES + rng.normal(0, THUMB_LIBERTY)
    return np.clip(angles, low, high)


def sample_pose(rng: np.random.Generator, attempts: int = 100) -> np.ndarray:
    """Draw a natural pose whose digits stay out of each other: (5, 5) degrees within ``LIMITS_DEG``.

    Raises:
        RuntimeError: no draw was free of overlap; with the default number of attempts this does not happen.
    """
    for _ in range(attempts):
        angles = _draw_fingers(rng)
        angles[FINGERS.index("thumb")] = _draw_thumb(rng)
        if self_overlap_mm(angles) <= OVERLAP_TOLERANCE_MM:
            return angles
    raise RuntimeError(f"no pose without overlap in {attempts} draws")


def sample_poses(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 5, 5) poses drawn one after the other by ``sample_pose``."""
    return np.stack([sample_pose(rng) for _ in range(count)])
