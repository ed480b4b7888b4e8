"""One or two hands as a body holds them: near each other, in contact anywhere, palm to palm, laced."""

import numpy as np
from scipy.spatial.transform import Rotation

from digit.hand.mano import Hands
from digit.hand.mesh import SEAL_RING
from digit.render.shading import vertex_normals
from digit.skeleton import HANDS
from digit.synthetic.arms import Arm, draw_arm, facing, moved, pose_hand, unit
from digit.synthetic.cameras import SUBJECT_MM
from digit.synthetic.contact import depths_inside, separate
from digit.synthetic.gestures import draw_gesture, near_posture
from digit.synthetic.poses import PosedHand, arms_collide

MEETINGS = {"apart": 0.18, "touch": 0.5, "clasp": 0.32}
"""How two hands meet, and how often: near each other, in contact anywhere, fingers laced or palm in palm."""

TOUCH_DEPTH_MM, CLASP_DEPTH_MM = 2.0, 4.0
"""How far hands may sink into each other, as flesh gives way."""

LACED_SHARE, PRESSED_SHARE = 0.55, 0.6
"""Shares of the clasps with laced fingers, and of the contacts in which the hands are pressed together."""

FARTHEST_WRISTS_MM, NO_TOUCH_MM = 230.0, 25.0
"""Wrists that are farther apart are no interaction; nothing so near to a wrist is touched."""

PALMS = {"right": np.array([0.0, 0.0, 1.0]), "left": np.array([0.0, 0.0, -1.0])}
"""Where palms that meet point to."""

KNUCKLES = (7, 11, 15, 19)
"""Rows of a hand's joints in InterHand2.6M's order where the long fingers begin."""

CANDIDATES, CLASPS_TRIED, PLACES_TRIED, ATTEMPTS = 48, 5, 3, 100
"""Spots that may touch, clasps of which the closest is taken, placements tried with the same poses, and poses tried
before giving up."""


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
        posed = {hand_type: pose_hand(hands, hand_type, draw_gesture(rng), shape, draw_arm(rng, hand_type))}
    else:
        posed = _pair(rng, hands, shape)
    middle_mm = np.concatenate([hand.vertices_mm for hand in posed.values()]).mean(axis=0)
    return {side: moved(hand, centre_mm - middle_mm) for side, hand in posed.items()}


def _pair(rng: np.random.Generator, hands: Hands, shape: np.ndarray) -> dict[str, PosedHand]:
    """Two hands: posed, then brought together in a few ways, until one leaves all flesh and arms in place."""
    meeting = str(rng.choice(list(MEETINGS), p=list(MEETINGS.values())))
    for attempt in range(ATTEMPTS):
        if attempt % 8 == 7:  # some postures cannot be brought together
            meeting = "apart" if meeting == "touch" else "touch"
        place = {"apart": _apart, "touch": _touch, "clasp": _clasp}[meeting]
        pair = (_palm_to_palm if meeting == "clasp" else _free)(rng, hands, shape)
        for _ in range(PLACES_TRIED):
            placed = place(rng, hands, pair)
            if placed is not None and not arms_collide(placed["right"], placed["left"]):
                return placed
    raise RuntimeError(f"no pair of hands without overlap in {ATTEMPTS} draws")


def _free(rng: np.random.Generator, hands: Hands, shape: np.ndarray) -> dict[str, PosedHand]:
    """Both hands in poses of their own, or in the same."""
    same = draw_gesture(rng) if rng.random() < 0.2 else None
    return {
        side: pose_hand(hands, side, draw_gesture(rng) if same is None else same, shape, draw_arm(rng, side))
        for side in HANDS
    }


def _apart(rng: np.random.Generator, hands: Hands, pair: dict[str, PosedHand]) -> dict[str, PosedHand] | None:
    """Hands near each other, anywhere."""
    middles = {side: hand.vertices_mm.mean(axis=0) for side, hand in pair.items()}
    towards_left = unit(np.array([1.0, 0, 0]) + rng.normal(0, 0.7, 3))
    offset_mm = middles["right"] + rng.uniform(50, 170) * towards_left - middles["left"]
    return _pushed_apart(hands, pair | {"left": moved(pair["left"], offset_mm)}, TOUCH_DEPTH_MM)


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
    joined = _pushed_apart(hands, pair | {"left": moved(pair["left"], offset_mm)}, TOUCH_DEPTH_MM)
    if joined is not None and rng.random() < PRESSED_SHARE:
        gap = joined["right"].vertices_mm.mean(axis=0) - joined["left"].vertices_mm.mean(axis=0)
        closer = joined | {"left": moved(joined["left"], unit(gap) * rng.uniform(4, 18))}
        joined = _pushed_apart(hands, closer, TOUCH_DEPTH_MM) or joined
    return joined


def _palm_to_palm(rng: np.random.Generator, hands: Hands, shape: np.ndarray) -> dict[str, PosedHand]:
    """Hands whose palms face each other, fingers side by side or crossed, stretched or bent around the other hand."""
    laced = rng.random() < LACED_SHARE
    crossing = np.radians(rng.normal(95, 22) if laced else rng.normal(40, 40))
    posture = str(rng.choice(["interleave", "clasp"] if laced else ["flat", "relaxed", "clasp", "spread"]))
    pair = {}
    for side, turn in zip(HANDS, (crossing / 2, -crossing / 2), strict=True):
        fingers = np.array([np.sin(turn), -np.cos(turn), 0])
        elbow_axis = unit(-fingers - rng.uniform(0, 0.7) * PALMS[side] + rng.normal(0, 0.25, 3))
        arm = Arm(Rotation.from_rotvec(rng.normal(0, 0.12, 3)) * facing(side, fingers, PALMS[side]), elbow_axis)
        pair[side] = pose_hand(hands, side, near_posture(rng, posture), shape, arm)
    return pair


def _clasp(rng: np.random.Generator, hands: Hands, pair: dict[str, PosedHand]) -> dict[str, PosedHand] | None:
    """Knuckles over knuckles: of a few places near each other the one where the hands end up closest."""
    knuckles_mm = {side: hands[side].joints_world_mm(hand.vertices_mm)[list(KNUCKLES)] for side, hand in pair.items()}
    across = unit(knuckles_mm["right"][0] - knuckles_mm["right"][-1])
    middle_mm = {side: places.mean(axis=0) for side, places in knuckles_mm.items()}
    best, closest_mm = None, np.inf
    for _ in range(CLASPS_TRIED):
        away_mm = PALMS["right"] * rng.uniform(16, 44) + across * rng.normal(0, 12)
        away_mm += np.cross(across, PALMS["right"]) * rng.normal(0, 10)
        start_mm = middle_mm["right"] + away_mm - middle_mm["left"]
        joined = _pushed_apart(hands, pair | {"left": moved(pair["left"], start_mm)}, CLASP_DEPTH_MM)
        if joined is not None:
            moves_mm = {side: (hand.trans_m - pair[side].trans_m) * 1000 for side, hand in joined.items()}
            apart_mm = middle_mm["left"] + moves_mm["left"] - middle_mm["right"] - moves_mm["right"]
            if np.linalg.norm(apart_mm) < closest_mm:
                best, closest_mm = joined, float(np.linalg.norm(apart_mm))
    return best


def _pushed_apart(hands: Hands, pair: dict[str, PosedHand], allowed_mm: float) -> dict[str, PosedHand] | None:
    right, left = pair["right"], pair["left"]
    right_normals, left_normals = (vertex_normals(pair[side].vertices_mm, hands[side].faces) for side in HANDS)
    shift_mm = separate(right.vertices_mm, left.vertices_mm, right_normals, left_normals, 12, allowed_mm, depths_inside)
    if shift_mm is None:
        return None
    placed = {"right": moved(right, -shift_mm), "left": moved(left, shift_mm)}
    wrists = [placed[side].vertices_mm[list(SEAL_RING)].mean(axis=0) for side in HANDS]
    return None if np.linalg.norm(wrists[0] - wrists[1]) > FARTHEST_WRISTS_MM else placed
