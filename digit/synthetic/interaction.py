"""One or two hands as a body holds them: arms from the shoulders, wrists that bend, hands that touch and clasp."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from digit.hand.mano import Hands
from digit.hand.mesh import SEAL_RING
from digit.hand.open_hand.posing import pose_vector
from digit.render.shading import vertex_normals
from digit.skeleton import HANDS
from digit.synthetic.cameras import SUBJECT_MM
from digit.synthetic.contact import depths_inside, separate
from digit.synthetic.gestures import draw_gesture, near_posture
from digit.synthetic.poses import PosedHand, arms_collide

MEETINGS = {"apart": 0.18, "touch": 0.5, "clasp": 0.32}
"""How two hands meet, and how often: near each other, in contact anywhere, fingers laced or palm in palm."""

ELBOW = np.array([0.45, 0.45, 0.5])
"""Mean direction from wrist to elbow: outwards, down and back."""

ELBOW_SPREAD, PRONATION_DEG, FLEXION_DEG, DEVIATION_DEG = 0.42, 60.0, 24.0, 10.0
"""Standard deviations of the direction to the elbow and of the turns of arm and wrist."""

TOUCH_DEPTH_MM, CLASP_DEPTH_MM = 2.0, 4.0
"""How far hands may sink into each other, as flesh gives way; laced fingers press more."""

PALMS = {"right": np.array([0.0, 0.0, 1.0]), "left": np.array([0.0, 0.0, -1.0])}
"""Where palms that meet point to."""

LACED_SHARE, PRESSED_SHARE = 0.55, 0.6
"""Shares of the clasps with laced fingers, and of the contacts in which the hands are pressed together."""

FARTHEST_WRISTS_MM, NO_TOUCH_MM = 230.0, 25.0
"""Wrists that are farther apart are no interaction; nothing so near to a wrist is touched."""

KNUCKLES, WRIST = (7, 11, 15, 19), 20
"""Rows of a hand's joints in InterHand2.6M's order: where the long fingers begin, and the wrist."""

CANDIDATES, PLACES_TRIED, ATTEMPTS = 48, 4, 100
"""Spots that may touch, placements tried with the same poses, and poses tried before giving up."""

TURNS, MOST_APPROACH = 24, 0.75
"""How many directions a person may face, and the largest cosine between a forearm and the view of a camera."""


@dataclass(frozen=True)
class Arm:
    """An arm without its fingers: ``orientation`` of the hand, ``elbow_axis`` (3,) from the wrist."""

    orientation: Rotation
    elbow_axis: np.ndarray


def pose_frame(rng: np.random.Generator, hands: Hands, shape: np.ndarray, hand_type: str) -> dict[str, PosedHand]:
    """Draw the hands of one frame, world mm, their middle near the subject's place.

    Args:
        rng: source of randomness.
        hands: the open hand.
        shape: (10,) the subject's coefficients.
        hand_type: ``right``, ``left`` or ``interacting``.
    """
    centre_mm = SUBJECT_MM + rng.normal(0, (18, 15, 20))
    if hand_type != "interacting":
        posed = {hand_type: _posed(hands, hand_type, draw_gesture(rng), shape, _draw_arm(rng, hand_type))}
    else:
        posed = _pair(rng, hands, shape)
    middle_mm = np.concatenate([hand.vertices_mm for hand in posed.values()]).mean(axis=0)
    return {side: _moved(hand, centre_mm - middle_mm) for side, hand in posed.items()}


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


def _pair(rng: np.random.Generator, hands: Hands, shape: np.ndarray) -> dict[str, PosedHand]:
    """Two hands: posed, then brought together in a few ways, until one leaves all flesh and arms in place."""
    meeting = str(rng.choice(list(MEETINGS), p=list(MEETINGS.values())))
    for attempt in range(ATTEMPTS):
        if attempt % 8 == 7:  # some postures cannot be brought together
            meeting = "apart" if meeting == "touch" else "touch"
        place: Callable[..., dict[str, PosedHand] | None] = _apart if meeting == "apart" else _touch
        if meeting == "clasp":
            laced = bool(rng.random() < LACED_SHARE)
            place, pair = functools.partial(_clasp, laced=laced), _palm_to_palm(rng, hands, shape, laced)
        else:
            pair = _free(rng, hands, shape)
        for _ in range(PLACES_TRIED):
            placed = place(rng, hands, pair)
            if placed is not None and not arms_collide(placed["right"], placed["left"]):
                return placed
    raise RuntimeError(f"no pair of hands without overlap in {ATTEMPTS} draws")


def _free(rng: np.random.Generator, hands: Hands, shape: np.ndarray) -> dict[str, PosedHand]:
    """Both hands in poses of their own, or in the same."""
    same = draw_gesture(rng) if rng.random() < 0.2 else None
    return {
        side: _posed(hands, side, draw_gesture(rng) if same is None else same, shape, _draw_arm(rng, side))
        for side in HANDS
    }


def _draw_arm(rng: np.random.Generator, side: str) -> Arm:
    outwards = -1.0 if side == "right" else 1.0
    elbow_axis = _unit(ELBOW * (outwards, 1, 1) + rng.normal(0, ELBOW_SPREAD, 3))
    palm = _across(np.array([-outwards, 0.0, 0.4]), elbow_axis)
    pronation, flexion, deviation = np.clip(rng.normal(0, 1, 3), -2, 2) * (PRONATION_DEG, FLEXION_DEG, DEVIATION_DEG)
    palm = Rotation.from_rotvec(elbow_axis * np.radians(pronation)).apply(palm)
    upright = _facing(side, -elbow_axis, palm)
    bend = Rotation.from_rotvec(np.radians(flexion) * upright.as_matrix()[:, 2])
    return Arm(bend * Rotation.from_rotvec(np.radians(deviation) * palm) * upright, elbow_axis)


def _facing(side: str, fingers: np.ndarray, palm: np.ndarray) -> Rotation:
    """Orientation of a hand whose fingers and palm point along two orthogonal unit vectors."""
    x = -fingers if side == "right" else fingers
    return Rotation.from_matrix(np.stack([x, -palm, np.cross(x, -palm)], axis=1))


def _posed(hands: Hands, side: str, angles_deg: np.ndarray, shape: np.ndarray, arm: Arm) -> PosedHand:
    """One hand, its wrist at the origin of the world."""
    pose = np.concatenate([arm.orientation.as_rotvec(), pose_vector(angles_deg, side)])
    vertices_mm = hands[side].vertices_world_mm(pose[None], shape[None], np.zeros((1, 3)))[0]
    hand = PosedHand(pose, shape, np.zeros(3), vertices_mm, arm.elbow_axis)
    return _moved(hand, -hands[side].joints_world_mm(vertices_mm)[WRIST])


def _apart(rng: np.random.Generator, hands: Hands, pair: dict[str, PosedHand]) -> dict[str, PosedHand] | None:
    """Hands near each other, anywhere."""
    middles = {side: hand.vertices_mm.mean(axis=0) for side, hand in pair.items()}
    towards_left = _unit(np.array([1.0, 0, 0]) + rng.normal(0, 0.7, 3))
    offset_mm = middles["right"] + rng.uniform(50, 170) * towards_left - middles["left"]
    return _pushed_apart(hands, pair | {"left": _moved(pair["left"], offset_mm)}, TOUCH_DEPTH_MM)


def _touch(rng: np.random.Generator, hands: Hands, pair: dict[str, PosedHand]) -> dict[str, PosedHand] | None:
    """Hands in contact: a place of one on a place of the other whose skin faces it, then pressed together."""
    spots, normals = {}, {}
    for side, hand in pair.items():
        from_wrist_mm = np.linalg.norm(hand.vertices_mm - hand.vertices_mm[list(SEAL_RING)].mean(axis=0), axis=1)
        spots[side] = rng.choice(np.flatnonzero(from_wrist_mm > NO_TOUCH_MM), CANDIDATES)
        normals[side] = vertex_normals(hand.vertices_mm, hands[side].faces)
    facing = normals["right"][spots["right"]] @ normals["left"][spots["left"]].T
    weight = np.exp(-5 * facing).ravel()
    i, j = np.unravel_index(rng.choice(weight.size, p=weight / weight.sum()), facing.shape)
    offset_mm = pair["right"].vertices_mm[spots["right"][i]] - pair["left"].vertices_mm[spots["left"][j]]
    joined = _pushed_apart(hands, pair | {"left": _moved(pair["left"], offset_mm)}, TOUCH_DEPTH_MM)
    if joined is not None and rng.random() < PRESSED_SHARE:
        gap = joined["right"].vertices_mm.mean(axis=0) - joined["left"].vertices_mm.mean(axis=0)
        closer = joined | {"left": _moved(joined["left"], _unit(gap) * rng.uniform(4, 18))}
        joined = _pushed_apart(hands, closer, TOUCH_DEPTH_MM) or joined
    return joined


def _palm_to_palm(rng: np.random.Generator, hands: Hands, shape: np.ndarray, laced: bool) -> dict[str, PosedHand]:
    """Hands whose palms face each other, fingers ready to be laced or laid over one another."""
    crossing = np.radians(rng.normal(95, 22) if laced else rng.normal(40, 40))
    posture = rng.choice(["interleave", "clasp"]) if laced else rng.choice(["flat", "relaxed", "clasp", "spread"])
    pair = {}
    for side, turn in zip(HANDS, (crossing / 2, -crossing / 2), strict=True):
        fingers = np.array([np.sin(turn), -np.cos(turn), 0])
        elbow_axis = _unit(-fingers - rng.uniform(0, 0.7) * PALMS[side] + rng.normal(0, 0.25, 3))
        tilt = Rotation.from_rotvec(rng.normal(0, 0.12, 3))
        arm = Arm(tilt * _facing(side, fingers, PALMS[side]), elbow_axis)
        pair[side] = _posed(hands, side, near_posture(rng, str(posture)), shape, arm)
    return pair


def _clasp(
    rng: np.random.Generator, hands: Hands, pair: dict[str, PosedHand], laced: bool
) -> dict[str, PosedHand] | None:
    """Knuckles over knuckles, palms close; laced fingers half a finger aside, so that they find the gaps."""
    grip = {side: hands[side].joints_world_mm(hand.vertices_mm)[list(KNUCKLES)] for side, hand in pair.items()}
    middle_mm = {side: knuckles.mean(axis=0) for side, knuckles in grip.items()}
    across = _unit(grip["right"][0] - grip["right"][-1])
    distance_mm = rng.uniform(16, 40) if laced else rng.uniform(24, 50)
    aside_mm = rng.choice([-10, 10]) if laced else rng.normal(0, 15)
    slide_mm = across * aside_mm + np.cross(across, PALMS["right"]) * rng.normal(0, 10)
    offset_mm = middle_mm["right"] - middle_mm["left"] + PALMS["right"] * distance_mm + slide_mm
    return _pushed_apart(hands, pair | {"left": _moved(pair["left"], offset_mm)}, CLASP_DEPTH_MM)


def _pushed_apart(hands: Hands, pair: dict[str, PosedHand], allowed_mm: float) -> dict[str, PosedHand] | None:
    right, left = pair["right"], pair["left"]
    right_normals, left_normals = (vertex_normals(pair[side].vertices_mm, hands[side].faces) for side in HANDS)
    shift_mm = separate(right.vertices_mm, left.vertices_mm, right_normals, left_normals, 12, allowed_mm, depths_inside)
    if shift_mm is None:
        return None
    placed = {"right": _moved(right, -shift_mm), "left": _moved(left, shift_mm)}
    wrists = [placed[side].vertices_mm[list(SEAL_RING)].mean(axis=0) for side in HANDS]
    return None if np.linalg.norm(wrists[0] - wrists[1]) > FARTHEST_WRISTS_MM else placed


def _moved(hand: PosedHand, offset_mm: np.ndarray) -> PosedHand:
    return replace(hand, trans_m=hand.trans_m + offset_mm / 1000, vertices_mm=hand.vertices_mm + offset_mm)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _across(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The unit vector nearest to ``vector`` at right angles to the unit vector ``axis``."""
    return _unit(vector - (vector @ axis) * axis)
