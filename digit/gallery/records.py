"""The records of a run: one of each picture, one of each frame of a video."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from digit.pages.entry import entry_of, present_hands
from digit.predictor.pose_lines import read_lines
from digit.predictor.results import LINES_SUFFIX
from digit.run.files import read_json

REMEDY = "predict again"
MOST_MOMENTS = 300
"""Of a video, evenly, whose hands the page turns in 3D."""


@dataclass(frozen=True)
class Records:
    """The records of pose files and files of lines, read anew each time, one after the other."""

    poses: Sequence[Path]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in self.poses:
            if is_video(path):
                yield from read_lines(path)
            else:
                yield read_json(path, REMEDY)


def is_video(pose: Path) -> bool:
    """Whether a pose file is the lines of a video."""
    return pose.name.endswith(LINES_SUFFIX)


def shown_record(pose: Path) -> dict[str, Any]:
    """What stands for a pose file: of a video, the first frame with a hand, or the very first."""
    if not is_video(pose):
        return read_json(pose, REMEDY)
    first = next(read_lines(pose))
    return next(filter(present_hands, read_lines(pose)), first)


def moments(pose: Path) -> list[dict[str, Any]]:
    """Time and hands of a video's frames, of at most :data:`MOST_MOMENTS`, for the 3D viewer."""
    count = sum(1 for _ in read_lines(pose))
    chosen = islice(read_lines(pose), 0, None, math.ceil(count / MOST_MOMENTS))
    return [
        {
            "t": round(record["time_s"], 3),
            "crops": [
                {"hands": [{"cam": hand["cam"]} for hand in crop["hands"]]} for crop in entry_of(record)["crops"]
            ],
        }
        for record in chosen
    ]
