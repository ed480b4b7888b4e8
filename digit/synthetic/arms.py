"""Arms from the shoulders of a person, with wrists that bend, and hands posed at their ends."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from digit.hand.mano import Hands
from digit.hand.open_hand.posing import pose_vector
from digit.synthetic.cameras import SUBJECT_MM
from digit.synthetic.poses import PosedHand

ELBOW = np.array([0.45, 0.45, 0.5])
"""Mean direction from wrist to elbow: outwards, down and back."""

ELBOW_SPREAD, PRONATION_DEG, FLEXION_DEG, DEVIATION_DEG = 0.42, 60.0, 24.0, 10.0
"""Standard deviations of the direction to the elbow and of the turns of arm and wrist."""

TURNS, MOST_APPROACH = 24, 0.75
"""How many directions a person may face, and the largest cosine between a forearm and the view of a camera."""

WRIST = 20
"""Row of the wrist in a hand's joints in InterHand2.6M's order."""


@dataclass(frozen=True)
class Arm:
    """An arm without its fingers: ``orientation`` of the hand, ``elbow_axis`` (3,) from the wrist."""

    orientation: Rotation
    elbow_axis: np.ndarray


def draw_arm(rng: np.random.Generator, side: str) -> Arm:
    """Draw an arm: where its elbow is, how the forearm is turned and the wrist bent."""
    outwards = -1.0 if side == "right" else 1.0
    elbow_axis = unit(ELBOW * (outwards, 1, 1) + rng.normal(0, ELBOW_SPREAD, 3))
    palm = across(np.array([-outwards, 0.0, 0.4]), elbow_axis)
    pronation, flexion, deviation = np.clip(rng.normal(0, 1, 3), -2, 2) * (PRONATION_DEG, FLEXION_DEG, DEVIATION_DEG)
    palm = Rotation.from_rotvec(elbow_axis * np.radians(pronation)).apply(palm)
    upright = facing(side, -elbow_axis, palm)
    bend = Rotation.from_rotvec(np.radians(flexion) * upright.as_matrix()[:, 2])
    return Arm(bend * Rotation.from_rotvec(np.radians(deviation) * palm) * upright, elbow_axis)


def facing(side: str, fingers: np.ndarray, palm: np.ndarray) -> Rotation:
    """Orientation of a hand whose fingers and palm point along two orthogonal unit vectors."""
    x = -fingers if side == "right" else fingers
    return Rotation.from_matrix(np.stack([x, -palm, np.cross(x, -palm)], axis=1))


def pose_hand(hands: Hands, side: str, angles_deg: np.ndarray, shape: np.ndarray, arm: Arm) -> PosedHand:
    """One hand, its wrist at the origin of the world."""
    pose = np.concatenate([arm.orientation.as_rotvec(), pose_vector(angles_deg, side)])
    vertices_mm = hands[side].vertices_world_mm(pose[None], shape[None], np.zeros((1, 3)))[0]
    hand = PosedHand(pose, shape, np.zeros(3), vertices_mm, arm.elbow_axis)
    return moved(hand, -hands[side].joints_world_mm(vertices_mm)[WRIST])


def face_cameras(
    rng: np.random.Generator, hands: Hands, posed: dict[str, PosedHand], cameras_mm: np.ndarray
) -> dict[str, PosedHand]:
    """Turn the person about the vertical until no forearm hides its hand from cameras at (C, 3), or hides it least."""
    towards = cameras_mm - SUBJECT_MM
    towards = towards / np.linalg.norm(towards, axis=1, keepdims=True)
    elbows = np.stack([hand.elbow_axis for hand in posed.values()])
    turns = Rotation.from_euler("y", rng.uniform(-180, 180, (TURNS, 1)), degrees=True)
    approach = np.max([turns.apply(axis) @ towards.T for axis in elbows], axis=(0, 2))
    turn = turns[int(np.argmax(approach < MOST_APPROACH) if approach.min() < MOST_APPROACH else np.argmin(approach))]
    return {side: _turned(hands, side, hand, turn) for side, hand in posed.items()}


def _turned(hands: Hands, side: str, hand: PosedHand, turn: Rotation) -> PosedHand:
    """The hand turned about the subject's place."""
    orientation = (turn * Rotation.from_rotvec(hand.pose[:3])).as_rotvec()
    root_mm = _resting_root_mm(hands, side, hand.shape)  # MANO turns hands about this point, then moves them
    trans_mm = turn.apply(root_mm + hand.trans_m * 1000 - SUBJECT_MM) + SUBJECT_MM - root_mm
    return PosedHand(
        pose=np.concatenate([orientation, hand.pose[3:]]),
        shape=hand.shape,
        trans_m=trans_mm / 1000,
        vertices_mm=turn.apply(hand.vertices_mm - SUBJECT_MM) + SUBJECT_MM,
        elbow_axis=turn.apply(hand.elbow_axis),
    )


def _resting_root_mm(hands: Hands, side: str, shape: np.ndarray) -> np.ndarray:
    """(3,) where the root joint of a hand of this shape is before it is posed."""
    model = hands[side].model
    template_m, directions = model.v_template.numpy(), model.shapedirs.numpy()
    return model.J_regressor[0].numpy() @ (template_m + directions @ shape) * 1000


def moved(hand: PosedHand, offset_mm: np.ndarray) -> PosedHand:
    """The hand moved by ``offset_mm`` (3,)."""
    return replace(hand, trans_m=hand.trans_m + offset_mm / 1000, vertices_mm=hand.vertices_mm + offset_mm)


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector (3,) at length 1."""
    return vector / np.linalg.norm(vector)


def across(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The unit vector nearest to ``vector`` at right angles to the unit vector ``axis``."""
    return unit(vector - (vector @ axis) * axis)
