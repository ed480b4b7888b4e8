"""Results as lines of JSON, one for each picture of a video, and results read back from them."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from PIL import Image

from digit.predictor.camera_space import lift_poses
from digit.predictor.engine import Crop, Picture, Result
from digit.predictor.pose import Pose
from digit.predictor.results import SOFTWARE, is_own_lines
from digit.skeleton import HANDS

COLUMNS = ("x_px", "y_px", "depth_mm", "confidence")


def line_of(result: Result, identity: str | None = None) -> bytes:
    """A result as one line; ``identity`` says of which file and settings."""
    return orjson.dumps(result.record() | {"software": SOFTWARE, "identity": identity}) + b"\n"


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, up to the first line that is not whole, such as a killed process leaves."""
    return (record for record, _ in _whole_lines(path))


def first_record(path: Path) -> dict[str, Any] | None:
    """The first record of a file of lines that this program wrote; None for anything else."""
    return next(read_lines(path), None) if is_own_lines(path) else None


def keep_whole_lines(path: Path) -> dict[str, Any] | None:
    """Cut off a last line that is not whole, and give the record of the one before it; None where none is left."""
    last, end = None, 0
    for record, line in _whole_lines(path):
        last, end = record, end + len(line)
    with path.open("rb+") as file:
        file.truncate(end)
    return last


def _whole_lines(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    with path.open("rb") as file:
        for line in file:
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                return
            if not line.endswith(b"\n"):
                return
            yield record, line


def result_of(record: dict[str, Any], picture: Picture | None = None) -> Result:
    """The result that a record tells of, to a thousandth of a px.

    Args:
        record: as :meth:`Result.record` gives it.
        picture: that the result is about; None makes a black one of its size and time.
    """
    if picture is None:
        black = np.zeros((record["height"], record["width"], 3), np.uint8)
        picture = Picture(black, record["image"], frame=record["frame"], time_s=record["time_s"])
    poses = [_pose(crop) for crop in record["crops"]]
    spaces = lift_poses(poses, [picture.camera] * len(poses))
    crops = [
        Crop(pose, np.array(crop["box_px"]), crop["box"], space, crop["score"], _tracks(crop))
        for crop, pose, space in zip(record["crops"], poses, spaces, strict=True)
    ]
    return Result(picture, crops, record["hand_threshold"], record["checkpoint"])


def _tracks(crop: dict[str, Any]) -> tuple[int | None, int | None]:
    right, left = (crop["hands"][hand]["track"] for hand in HANDS)
    return right, left


def _pose(crop: dict[str, Any]) -> Pose:
    hands = [crop["hands"][hand] for hand in HANDS]
    joints = np.array([[joint.get(key, 1.0) for key in COLUMNS] for hand in hands for joint in hand["joints"].values()])
    drawn = crop["parts"]
    return Pose(
        joints_px=joints[:, :2],
        depth_mm=joints[:, 2],
        hand_probability=np.array([hand["probability"] for hand in hands]),
        rel_root_mm=crop["left_root_minus_right_root_depth_mm"],
        parts=None if drawn is None else np.array(Image.open(io.BytesIO(base64.b64decode(drawn["labels_png"])))),
        parts_to_image=np.eye(2, 3) if drawn is None else np.array(drawn["to_image"]),
        confidence=joints[:, 3],
    )
