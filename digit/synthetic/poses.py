"""Poses of one or two hands in the world, as MANO parameters."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from digit.hand.mano import Hands
from digit.hand.mesh import SEAL_RING
from digit.hand.open_hand.posing import pose_vector, sample_pose
from digit.render.shading import vertex_normals
from digit.skeleton import HANDS
from digit.synthetic.cameras import SUBJECT_MM
from digit.synthetic.contact import nearest_gap, separate
from digit.synthetic.forearm import CHECKED_ARM_MM, lean, runs_into, wrist_axis

UPRIGHT = {
    "right": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "left": np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
}
"""Rotations that hold a hand upright, fingers to -y, palm towards the origin of the world (-z)."""

WRIST = 20
WRIST_DISTANCE_MM = (40.0, 120.0)
TOUCH_SHARE = 0.6
"""Share of the interacting frames whose hands are brought into contact if they are apart."""

ATTEMPTS = 200


@dataclass(frozen=True)
class Spread:
    """How freely hands turn: standard deviations in degrees, and the share that shows the back of the hand."""

    roll: float
    tilt: float
    yaw: float
    backs: float


SPREADS = {"narrow": Spread(15, 10, 13, 0.0), "wide": Spread(40, 22, 28, 0.5)}


@dataclass(frozen=True)
class PosedHand:
    """MANO parameters of one hand (trans in metres) and the mesh (778, 3) that they give, world mm.

    ``elbow_axis`` (3,) points from the wrist along the forearm.
    """

    pose: np.ndarray
    shape: np.ndarray
    trans_m: np.ndarray
    vertices_mm: np.ndarray
    elbow_axis: np.ndarray


def sample_hands(
    rng: np.random.Generator, hands: Hands, shape: np.ndarray, hand_type: str, views: str
) -> dict[str, PosedHand]:
    """Draw the hands of one frame.

    Args:
        rng: source of randomness.
        hands: the open hand.
        shape: (10,) the subject's coefficients.
        hand_type: ``right``, ``left`` or ``interacting``.
        views: ``narrow`` or ``wide``.

    Returns:
        Posed hands by side. Two hands have their wrists 4-12 cm apart and overlap by no more than flesh gives.
    """
    centre_mm = SUBJECT_MM + rng.normal(0, (18, 15, 20))
    spread = SPREADS[views]
    if hand_type != "interacting":
        hand = _draw(rng, hands, hand_type, shape, spread, rng.random() < spread.backs)
        return {hand_type: _moved(hand, centre_mm - hand.vertices_mm.mean(axis=0))}
    for _ in range(ATTEMPTS):
        pair = _draw_pair(rng, hands, shape, spread)
        if pair is not None:
            middle_mm = np.concatenate([hand.vertices_mm for hand in pair.values()]).mean(axis=0)
            return {side: _moved(hand, centre_mm - middle_mm) for side, hand in pair.items()}
    raise RuntimeError(f"no pair of hands without overlap in {ATTEMPTS} draws")


def _draw(
    rng: np.random.Generator, hands: Hands, side: str, shape: np.ndarray, spread: Spread, back: bool
) -> PosedHand:
    """One hand, its wrist at the origin of the world."""
    roll, tilt, yaw = np.clip(rng.normal(0, 1, 3), -2.2, 2.2) * (spread.roll, spread.tilt, spread.yaw)
    turn = Rotation.from_euler("zxy", [roll, tilt, yaw + 180 * back], degrees=True)
    orientation = turn * Rotation.from_matrix(UPRIGHT[side])
    pose = np.concatenate([orientation.as_rotvec(), pose_vector(sample_pose(rng), side)])
    vertices_mm = hands[side].vertices_world_mm(pose[None], shape[None], np.zeros((1, 3)))[0]
    axis = wrist_axis(vertices_mm[list(SEAL_RING)], vertices_mm.mean(axis=0))
    hand = PosedHand(pose, shape, np.zeros(3), vertices_mm, lean(rng, axis))
    return _moved(hand, -hands[side].joints_world_mm(vertices_mm)[WRIST])


def _draw_pair(
    rng: np.random.Generator, hands: Hands, shape: np.ndarray, spread: Spread
) -> dict[str, PosedHand] | None:
    """Two hands beside each other, touching or nearly so, or None if they cannot be kept apart."""
    back = rng.random() < spread.backs
    pair = {side: _draw(rng, hands, side, shape, spread, back) for side in HANDS}
    plane, depth = np.radians(rng.normal(0, (24, 30)))
    apart = np.array([np.cos(plane) * np.cos(depth), np.sin(plane) * np.cos(depth), np.sin(depth)])
    apart_mm = rng.uniform(*WRIST_DISTANCE_MM) * apart * (-1 if back else 1)
    touch = rng.random() < TOUCH_SHARE
    right_mm, left_mm = pair["right"].vertices_mm - apart_mm / 2, pair["left"].vertices_mm + apart_mm / 2
    right_normals, left_normals = (vertex_normals(pair[side].vertices_mm, hands[side].faces) for side in HANDS)
    shift_mm = np.zeros(3)
    for approach in range(1 + touch):
        if approach:
            shift_mm = shift_mm + nearest_gap(right_mm - shift_mm, left_mm + shift_mm) / 2
        push_mm = separate(right_mm - shift_mm, left_mm + shift_mm, right_normals, left_normals)
        if push_mm is None:
            return None
        shift_mm = shift_mm + push_mm
    offset_mm = apart_mm / 2 + shift_mm
    if not WRIST_DISTANCE_MM[0] <= 2 * np.linalg.norm(offset_mm) <= WRIST_DISTANCE_MM[1]:
        return None
    placed = {"right": _moved(pair["right"], -offset_mm), "left": _moved(pair["left"], offset_mm)}
    return None if arms_collide(placed["right"], placed["left"]) else placed


def arms_collide(right: PosedHand, left: PosedHand) -> bool:
    """Whether the forearm of one hand runs into the other hand or its forearm."""
    steps_mm = np.linspace(0, CHECKED_ARM_MM, 12)[:, None]
    for hand, other in ((right, left), (left, right)):
        wrist_mm, other_wrist_mm = (h.vertices_mm[list(SEAL_RING)].mean(axis=0) for h in (hand, other))
        other_arm_mm = other_wrist_mm + steps_mm * other.elbow_axis
        if runs_into(wrist_mm, hand.elbow_axis, np.concatenate([other.vertices_mm, other_arm_mm])):
            return True
    return False


def _moved(hand: PosedHand, offset_mm: np.ndarray) -> PosedHand:
    return replace(hand, trans_m=hand.trans_m + offset_mm / 1000, vertices_mm=hand.vertices_mm + offset_mm)
