"""Poses as COCO keypoints: one annotation of 21 keypoints for each hand that is present."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from digit import __version__
from digit.pages.entry import present_hands
from digit.run.files import replacing
from digit.skeleton import FINGERS, HANDS

KEYPOINTS = ("wrist", *(f"{finger}{k}" for finger in FINGERS for k in (1, 2, 3, 4)))
"""From the wrist along each finger to its tip, the order that is usual for hands in COCO files."""
BONES = [[1 if k % 4 == 1 else k, k + 1] for k in range(1, len(KEYPOINTS))]
"""Parent and child of each bone, counted from 1."""
SHOWN, OUTSIDE = 2, 1
"""COCO's visibility of a keypoint: in the picture, or beside it. Hidden ones are predicted like others."""


def write_coco(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a file that COCO's own tools load; keypoints have the pixel convention of the records, which is COCO's.

    Args:
        path: of the file.
        records: can be gone through more than once, so that a video of any length needs no memory.
    """
    head = {
        "info": {"description": "Hands predicted by digit", "software": f"digit {__version__}"},
        "licenses": [],
        "categories": [
            {"id": 1 + k, "name": f"{hand} hand", "supercategory": "hand", "keypoints": KEYPOINTS, "skeleton": BONES}
            for k, hand in enumerate(HANDS)
        ],
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(orjson.dumps(head)[:-1])
        for name, items in (("images", _images(records)), ("annotations", _annotations(records))):
            file.write(f',"{name}":['.encode())
            for number, item in enumerate(items):
                file.write(b"," * (number > 0) + orjson.dumps(item))
            file.write(b"]")
        file.write(b"}\n")


def _images(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for image_id, record in enumerate(records, start=1):
        image = {"id": image_id, "file_name": record["image"], "width": record["width"], "height": record["height"]}
        yield image | ({} if record["frame"] is None else {"frame": record["frame"], "time_s": record["time_s"]})


def _annotations(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    numbers = itertools.count(1)
    for image_id, record in enumerate(records, start=1):
        for crop, hand, known in present_hands(record):
            ids = {"id": next(numbers), "image_id": image_id, "category_id": 1 + HANDS.index(hand), "crop": crop}
            yield ids | _annotation(known, record["width"], record["height"])


def _annotation(hand: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    """Keypoints, box and score of a hand."""
    joints = [hand["joints"][name] for name in KEYPOINTS]
    points = np.array([[joint["x_px"], joint["y_px"]] for joint in joints])
    inside = ((points >= -0.5) & (points <= [width - 0.5, height - 0.5])).all(axis=1)
    flat = np.column_stack([points, np.where(inside, SHOWN, OUTSIDE)])
    low, high = (np.clip(edge + 0.5, 0, [width, height]) for edge in (points.min(axis=0), points.max(axis=0)))
    box = np.concatenate([low, high - low])
    return {
        "keypoints": [value for x, y, v in flat.round(2).tolist() for value in (x, y, int(v))],
        "num_keypoints": len(joints),
        "keypoint_scores": [joint["confidence"] for joint in joints],
        "score": hand["probability"],
        "bbox": box.round(2).tolist(),
        "area": round(float(box[2] * box[3]), 2),
        "iscrowd": 0,
    }
