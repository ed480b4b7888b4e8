"""Predict on any pictures, without data set files: an overlay and a JSON file per picture."""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digit.model.network import require_images_alone
from digit.predictor.boxes import boxes_of, read_boxes, unused_boxes
from digit.predictor.engine import Engine, Picture, require_probability
from digit.predictor.inputs import Found, find_pictures, skipped_lines
from digit.predictor.pictures import read_picture
from digit.predictor.predictor import load_model
from digit.predictor.results import (
    OVERLAY_SUFFIX,
    POSE_SUFFIX,
    as_text,
    require_free,
    result_names,
    write_overlay,
    write_pose,
)
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.files import require_writable

STOPPING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What keeps the results of all further pictures from being written, too."""


@dataclass(frozen=True)
class Job:
    """How to predict, the same for every picture."""

    engine: Engine
    boxes: dict[str, Any] | None


@dataclass(frozen=True)
class Outcome:
    """What became of the pictures."""

    poses: list[Path]
    """JSON files written."""
    failed: list[str]
    """A sentence for each picture without a result."""
    found: Found

    def require_all(self) -> None:
        """Raise when a picture has no result.

        Raises:
            UserError: naming all of them.
        """
        if self.failed and len(self.found.pictures) == 1:
            raise UserError(self.failed[0])
        if self.failed:
            lines = "\n".join(f"  - {line}" for line in self.failed)
            count = len(self.failed) + len(self.poses)
            raise UserError(f"{len(self.failed)} of {count} pictures have no result:\n{lines}")


def predict(
    checkpoint: Path,
    images: Path,
    output: Path,
    boxes: Path | None = None,
    hand_threshold: float = 0.5,
    preset: str = "paper",
    recursive: bool = False,
) -> Outcome:
    """Predict on one picture or on every picture of a folder.

    A picture that cannot be read, or that its box does not touch, does not stop the others.

    Args:
        checkpoint: One of our checkpoints, the released weights or a checkpoint of the original.
        images: A picture, or a folder of them.
        output: Folder for ``<name>.pose.json`` and ``<name>.overlay.png``; no file is replaced but those that an
            earlier prediction wrote.
        boxes: JSON of hand boxes by name, ``{"photo.jpg": [x, y, width, height]}`` in px of the upright picture; each
            is made square and enlarged x1.25 as in training. None takes the whole picture.
        hand_threshold: A hand below this probability is not drawn and has ``present: false``.
        preset: Size of the network where the checkpoint does not say.
        recursive: Look into sub-folders, too; results and names of boxes keep their paths.

    Raises:
        UserError: when there is no picture, the box file is unusable, the output cannot be written, or the checkpoint
            is a wrong one, also one that needs masks.
    """
    require_probability(hand_threshold)
    found = find_pictures(images, recursive)
    given = None if boxes is None else read_boxes(boxes)
    predictor = load_model(checkpoint, preset=preset)
    require_images_alone(predictor.network, str(checkpoint))
    require_writable(output / "predict")
    job = Job(Engine(predictor, None, hand_threshold, as_text(checkpoint.name)), given)
    names = result_names(found.pictures)
    poses, failed = [], []
    for name, path in track(found.pictures.items(), "predict", len(found.pictures)):
        try:
            poses.append(_predict_one(job, name, path, output / names[name]))
        except UserError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in STOPPING:
                raise
            failed.append(str(error))
    _tell(found, given, len(poses), output)
    return Outcome(poses, failed, found)


def _predict_one(job: Job, name: str, path: Path, base: Path) -> Path:
    """Predict one picture and write its results; the pose file comes last."""
    require_free(base)
    image = read_picture(path)
    boxes = None if job.boxes is None else boxes_of(job.boxes, name)
    (result,) = job.engine([Picture(image, as_text(name), boxes)])
    write_overlay(base.with_name(base.name + OVERLAY_SUFFIX), result.draw())
    written = base.with_name(base.name + POSE_SUFFIX)
    write_pose(written, result.record())
    return written


def _tell(found: Found, boxes: dict[str, Any] | None, count: int, output: Path) -> None:
    skipped = skipped_lines(found)
    if skipped:
        count_skipped = len(found.skipped) + found.own_results
        log.info("predict: left out %d of the folder:\n%s", count_skipped, "\n".join(f"  - {line}" for line in skipped))
    unused = unused_boxes(boxes or {}, list(found.pictures))
    if unused:
        shown = ", ".join(unused[:5]) + (", ..." if len(unused) > 5 else "")
        log.warning("predict: %d boxes belong to no picture: %s", len(unused), shown)
    log.info("predict: %d pictures, results in %s", count, output)
