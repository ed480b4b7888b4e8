"""What a page shows of one predicted picture: the part of its record that the scripts draw, in short lists."""

from typing import Any

from digit.skeleton import HAND_JOINT_NAMES, HANDS

PX, CAM = ("x_px", "y_px"), ("x_cam_mm", "y_cam_mm", "z_cam_mm")


def entry_of(record: dict[str, Any]) -> dict[str, Any]:
    """Size and crops of a picture: per hand probability, and of present ones 21 joints.

    Args:
        record: a pose file's content (docs/predict.md).

    Returns:
        ``name``, ``width``, ``height`` and ``crops``. Of each crop ``parts``, its labels as a link and the six numbers
        that lay them over the picture as SVG has it. Of each hand ``p``, ``px`` (21 x 2), ``cam`` (21 x 3, mm, in the
        camera's frame) and ``sure`` (21): the last three None for a hand that is absent, ``cam`` also for one without
        a place. Joints are in the order of ``digit.skeleton.HAND_JOINT_NAMES``.
    """
    return {
        "name": record["image"],
        "width": record["width"],
        "height": record["height"],
        "crops": [
            {
                "box": [round(value) for value in crop["box_px"]],
                "how": crop["box"],
                "parts": _parts(crop["parts"]),
                "hands": [_hand(crop["hands"][hand]) for hand in HANDS],
            }
            for crop in record["crops"]
        ],
    }


def present_hands(record: dict[str, Any]) -> list[tuple[int, str, dict[str, Any]]]:
    """Crop, ``right`` or ``left``, and what is known of each hand that is present."""
    return [
        (number, hand, crop["hands"][hand])
        for number, crop in enumerate(record["crops"])
        for hand in HANDS
        if crop["hands"][hand]["present"]
    ]


def described(record: dict[str, Any]) -> str:
    """The hands in words, for those who do not see the picture: ``right and left hand``."""
    found = [hand for _, hand, _ in present_hands(record)]
    if len(found) <= 2 and len(set(found)) == len(found):
        return f"{' and '.join(found) or 'no'} hand"
    counts = [(found.count(hand), hand) for hand in HANDS if hand in found]
    return " and ".join(f"{count} {hand} hand{'s' if count > 1 else ''}" for count, hand in counts)


def _parts(parts: dict[str, Any] | None) -> dict[str, Any] | None:
    """In SVG a picture's first pixel begins at 0, here its centre is there."""
    if parts is None:
        return None
    (a, c, e), (b, d, f) = parts["to_image"]
    matrix = (a, b, c, d, e - (a + c) / 2, f - (b + d) / 2)
    return {"image": f"data:image/png;base64,{parts['labels_png']}", "matrix": [round(value, 4) for value in matrix]}


def _hand(hand: dict[str, Any]) -> dict[str, Any]:
    joints = [hand["joints"][name] for name in HAND_JOINT_NAMES] if hand["present"] else []
    placed = [joint for joint in joints if joint[CAM[0]] is not None]
    return {
        "p": round(hand["probability"], 2),
        "px": [[round(joint[key], 1) for key in PX] for joint in joints] or None,
        "cam": [[round(joint[key]) for key in CAM] for joint in placed] or None,
        "sure": [round(joint["confidence"], 2) for joint in joints] or None,
    }
