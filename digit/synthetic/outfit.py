"""Forearms cut anywhere, and what is worn on them and on fingers: sleeves, watches, bracelets, rings."""

from dataclasses import dataclass

import numpy as np

from digit.synthetic.forearm import SIDES, forearm, sleeve_rings, wrist_axis
from digit.synthetic.person import Person, bright_color
from digit.synthetic.solids import Piece, frame_along, hoop, lathe, painted, spread_to_ends, tube
from digit.synthetic.subjects import SKIN_GLOSS

STATIONS_MM = np.concatenate(
    [[0, 2, 5], np.arange(9, 135, 7), np.arange(140, 300, 20), np.arange(320, 481, 40)]
).astype(float)
"""Distances behind the wrist's rim of the rings of vertices; close together where hair and cloth show."""

SHORTEST_ARM_MM, BEND_MM = 30.0, 28.0
"""The shortest piece of forearm, and the length over which it bends at the wrist."""

SMOOTHED = 5
"""Neighbours on each side over which the rim's colours are averaged before they run along the arm."""

METALS = np.array([(0.75, 0.55, 0.2), (0.6, 0.6, 0.6), (0.7, 0.42, 0.3), (0.05, 0.05, 0.05)])
"""Gold, silver, copper and black, linear."""

FINGER_ENDS = {"index": (7, 6), "middle": (11, 10), "ring": (15, 14), "pinky": (19, 18)}
"""Rows of the joints at both ends of each first phalanx."""


@dataclass(frozen=True)
class Outfit:
    """What is worn in one frame.

    ``arm_mm`` is where the forearm is cut off, ``cuff_mm`` where a sleeve begins, ``watch_side`` and ``rings`` say
    where jewellery sits; None and empty where there is none.
    """

    arm_mm: float
    cuff_mm: float | None
    looseness_mm: float
    cloth: np.ndarray
    stripe: np.ndarray
    stripe_rings: int
    folds: np.ndarray
    watch_side: str | None
    watch_mm: float
    watch_round: bool
    watch_color: np.ndarray
    dial_color: np.ndarray
    rings: tuple[tuple[str, str], ...]
    metal: np.ndarray


def draw_outfit(rng: np.random.Generator, longest_arm_mm: float) -> Outfit:
    """Dress a person for one frame, whose forearms may reach ``longest_arm_mm`` into the picture."""
    sleeved = rng.random() < 0.5
    cuff_mm = float(rng.choice([rng.uniform(0, 25), rng.uniform(25, 160)])) if sleeved else None
    cloth = np.clip(bright_color(rng), 0.008, 0.75)
    rings = [(side, finger) for side in ("right", "left") for finger in FINGER_ENDS if rng.random() < 0.07]
    return Outfit(
        arm_mm=float(np.clip(rng.choice([rng.uniform(30, 150), 480.0], p=[0.3, 0.7]), SHORTEST_ARM_MM, longest_arm_mm)),
        cuff_mm=cuff_mm,
        looseness_mm=float(rng.exponential(4)),
        cloth=cloth,
        stripe=np.clip(bright_color(rng), 0.008, 0.75) if rng.random() < 0.3 else cloth,
        stripe_rings=int(rng.integers(1, 4)),
        folds=rng.uniform(0, 2 * np.pi, 4),
        watch_side=str(rng.choice(["right", "left"])) if rng.random() < 0.22 else None,
        watch_mm=float(rng.uniform(12, 40)),
        watch_round=bool(rng.random() < 0.6),
        watch_color=rng.choice([np.clip(bright_color(rng), 0.01, 0.6), METALS[rng.integers(4)]]),
        dial_color=rng.choice([np.full(3, 0.02), np.full(3, 0.6), METALS[rng.integers(4)]]),
        rings=tuple(rings),
        metal=METALS[rng.integers(3)],
    )


def arm_pieces(
    rng: np.random.Generator,
    side: str,
    rim_mm: np.ndarray,
    rim_colors: np.ndarray,
    hand_middle_mm: np.ndarray,
    back: np.ndarray,
    elbow_axis: np.ndarray,
    person: Person,
    outfit: Outfit,
) -> list[Piece]:
    """Forearm, sleeve and watch of one hand.

    Args:
        rng: source of hair.
        side: which hand.
        rim_mm: (SIDES, 3) the skin around the wrist.
        rim_colors: (SIDES, 3) its albedo.
        hand_middle_mm: (3,) middle of the hand.
        back: (3,) unit vector out of the back of the hand.
        elbow_axis: (3,) unit vector from wrist to elbow.
        person: whose arm.
        outfit: what is worn.
    """
    mirrored = side == "right"
    stations_mm = STATIONS_MM[: np.searchsorted(STATIONS_MM, outfit.arm_mm) + 1]
    hand_axis = wrist_axis(rim_mm, hand_middle_mm)
    arm_mm = forearm(rim_mm, hand_axis, elbow_axis, stations_mm, BEND_MM, person.swelling).reshape(-1, SIDES, 3)
    outwards = arm_mm - arm_mm.mean(axis=1, keepdims=True)
    outwards /= np.linalg.norm(outwards, axis=2, keepdims=True)
    colors = _arm_colors(rng, stations_mm, rim_colors, outwards @ back, person)
    pieces = [painted(*tube(arm_mm, mirrored), spread_to_ends(colors, colors[-1].mean(axis=0)), SKIN_GLOSS)]
    if outfit.cuff_mm is not None and outfit.cuff_mm < stations_mm[-2]:
        first = int(np.searchsorted(stations_mm[:-1], outfit.cuff_mm))
        cloth_mm = sleeve_rings(arm_mm[first:], outfit.folds, outfit.looseness_mm)
        bands = (np.arange(len(cloth_mm)) // outfit.stripe_rings % 2)[:, None, None]
        cloth = np.broadcast_to(outfit.cloth + bands * (outfit.stripe - outfit.cloth), cloth_mm.shape)
        pieces.append(painted(*tube(cloth_mm, mirrored), spread_to_ends(cloth, cloth[-1, 0]), 0.0))
    covered = outfit.cuff_mm is not None and outfit.cuff_mm < outfit.watch_mm + 20
    if outfit.watch_side == side and not covered and outfit.watch_mm + 30 < stations_mm[-1]:
        pieces += _watch(arm_mm, outwards, stations_mm, back, outfit, mirrored)
    return pieces


def ring_pieces(side: str, joints_mm: np.ndarray, skin_mm: np.ndarray, outfit: Outfit) -> list[Piece]:
    """The rings on the fingers of one hand with joints (21, 3) and fine skin (V, 3)."""
    pieces = []
    for worn_on, finger in outfit.rings:
        if worn_on != side:
            continue
        start, end = joints_mm[list(FINGER_ENDS[finger])]
        axis = (end - start) / np.linalg.norm(end - start)
        centre = start + 0.6 * (end - start)
        offset = skin_mm - centre
        along = offset @ axis
        flat = offset - along[:, None] * axis
        radius = np.linalg.norm(flat, axis=1)
        near = (np.abs(along) < 2.5) & (radius < 15)
        if near.sum() < 6:
            continue
        centre = centre + flat[near].mean(axis=0)
        size = np.linalg.norm(skin_mm[near] - centre - along[near, None] * axis, axis=1).mean()
        vertices, faces = hoop(size + 0.3, 1.6, 3.0)
        pieces.append(painted(vertices @ frame_along(axis, flat[near][0]).T + centre, faces, outfit.metal, 50.0))
    return pieces


def _arm_colors(
    rng: np.random.Generator, stations_mm: np.ndarray, rim_colors: np.ndarray, dorsal: np.ndarray, person: Person
) -> np.ndarray:
    """Albedo (R, SIDES, 3) of a bare forearm: the rim's fades into its mean, paler inside, with hair outside."""
    smooth = np.mean([np.roll(rim_colors, shift, axis=0) for shift in range(-SMOOTHED, SMOOTHED + 1)], axis=0)
    early, late = (np.clip(stations_mm / reach, 0, 1)[:, None, None] for reach in (8.0, 60.0))
    colors = (1 - early) * rim_colors + early * ((1 - late) * smooth + late * rim_colors.mean(axis=0))
    shape = dorsal.shape
    colors = colors * (1 + rng.normal(0, 0.04, shape) * person.grain)[..., None]
    hairs = person.hair * np.clip(0.35 + dorsal, 0, 1) * rng.exponential(0.3, shape)
    hairs *= np.clip(stations_mm / 30, 0.3, 1)[:, None]
    return colors * (1 - np.clip(hairs, 0, 0.8)[..., None] * (0.35 + 0.6 * rim_colors.mean()))


def _watch(
    arm_mm: np.ndarray, outwards: np.ndarray, stations_mm: np.ndarray, back: np.ndarray, outfit: Outfit, mirrored: bool
) -> list[Piece]:
    """A band around the wrist and, on the back of it, a round or square dial."""
    place = int(np.searchsorted(stations_mm, outfit.watch_mm))
    low, high, out = arm_mm[place], arm_mm[place + 2], outwards[place]
    band = np.stack([low + 0.5 * out, low + 2.5 * out, high + 2.5 * out, high + 0.5 * out])
    middle, axis = (low + high) / 2, (high - low).mean(axis=0)
    seat = int(np.argmax(out @ back))
    vertices, faces = lathe(np.array([[18.0, -4.0], [18.0, 3.0], [16.0, 4.0]]), 28 if outfit.watch_round else 4)
    dial_mm = vertices @ frame_along(out[seat], axis).T + middle[seat] + 3 * out[seat]
    return [
        painted(*tube(band, mirrored), outfit.watch_color, 25.0),
        painted(dial_mm, faces, outfit.dial_color, 60.0),
    ]
