"""Joints, bones, hands and parts: the tables that every other module indexes with.

Two hands have 42 joints in InterHand2.6M's order: right 0-20, left 21-41; within a hand thumb 4..1,
index 4..1, middle 4..1, ring 4..1, pinky 4..1 (4 is the fingertip) and the wrist.

A part mask holds 0 for background, ``1 + part`` for the right hand and ``17 + part`` for the left,
with the 16 parts in the published order of ``PART_NAMES``.
"""

import colorsys

import numpy as np

HANDS = ("right", "left")
HAND_TYPES = ("right", "left", "interacting")
FINGERS = ("thumb", "index", "middle", "ring", "pinky")

JOINTS_PER_HAND = 21
JOINT_COUNT = 2 * JOINTS_PER_HAND
HAND_JOINT_NAMES = tuple(f"{finger}{k}" for finger in FINGERS for k in (4, 3, 2, 1)) + ("wrist",)
JOINT_NAMES = tuple(f"{hand[0]}_{name}" for hand in HANDS for name in HAND_JOINT_NAMES)
ROOT_JOINTS = (20, 41)
"""Wrists of the right and the left hand."""

JOINT_HAND = np.repeat(np.arange(2), JOINTS_PER_HAND)
"""(42,) 0 for a joint of the right hand, 1 for one of the left."""

PARENTS = tuple(
    -1 if k == 20 else hand * JOINTS_PER_HAND + (20 if k % 4 == 3 else k + 1)
    for hand in range(2)
    for k in range(JOINTS_PER_HAND)
)
"""Parent of each joint, -1 for the wrists."""

BONES = np.array([(child, parent) for child, parent in enumerate(PARENTS) if parent >= 0])
"""(40, 2) child and parent joint of each bone; the first 20 belong to the right hand."""

MIRRORED_JOINTS = np.roll(np.arange(JOINT_COUNT), JOINTS_PER_HAND)
"""(42,) the joint that takes this joint's place when the image is mirrored."""

MANO_JOINT_NAMES = ("wrist",) + tuple(
    f"{finger}{k}" for finger in ("index", "middle", "pinky", "ring", "thumb") for k in (1, 2, 3)
)
"""The 16 joints of a MANO hand, in its own order."""

PART_NAMES = (
    "ring1", "index2", "pinky1", "middle1", "middle3", "ring3", "pinky3", "thumb1",
    "palm", "thumb2", "index1", "index3", "thumb3", "pinky2", "middle2", "ring2",
)  # fmt: skip
PARTS_PER_HAND = len(PART_NAMES)
LABEL_COUNT = 1 + 2 * PARTS_PER_HAND
LABEL_NAMES = ("background",) + tuple(f"{hand[0]}_{part}" for hand in HANDS for part in PART_NAMES)

PART_OF_MANO_JOINT = np.array([PART_NAMES.index("palm" if name == "wrist" else name) for name in MANO_JOINT_NAMES])
"""(16,) part id (0-15) that each MANO joint moves."""

FIRST_LABEL = (1, 1 + PARTS_PER_HAND)
"""Mask value of part 0 of the right and of the left hand."""

MIRRORED_LABELS = np.concatenate([[0], np.arange(17, 33), np.arange(1, 17)]).astype(np.uint8)
"""(33,) the label that takes this label's place when the image is mirrored."""


def label_colors() -> np.ndarray:
    """Colours for part masks: (33, 3) uint8 RGB, hue by finger, darker to the tip, left hand paler."""
    hues = {"thumb": 0.0, "index": 0.11, "middle": 0.33, "ring": 0.55, "pinky": 0.78}
    colors = np.zeros((LABEL_COUNT, 3))
    for label, name in enumerate(LABEL_NAMES[1:], start=1):
        left, part = name[0] == "l", name[2:]
        if part == "palm":
            colors[label] = (0.55, 0.60, 0.68) if left else (0.80, 0.78, 0.72)
        else:
            hue = hues[part[:-1]] + (0.05 if left else 0.0)
            saturation, value = (0.50 if left else 0.85), 1.0 - 0.2 * (int(part[-1]) - 1)
            colors[label] = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return np.round(colors * 255).astype(np.uint8)
