"""Predict on any pictures, without data set files: an overlay and a JSON file per picture, and a page of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digit.gallery.page import write_gallery
from digit.model.network import require_images_alone
from digit.model.shipped import shipped_weights
from digit.pages.files import PAGE, SIGNS, picture_path, require_free
from digit.predictor.boxes import read_boxes, unused_boxes
from digit.predictor.camera import Intrinsics
from digit.predictor.engine import Engine, require_probability
from digit.predictor.inputs import Found, find_inputs, skipped_lines
from digit.predictor.picture_files import Done, File, Job, predict_files
from digit.predictor.predictor import load_model
from digit.predictor.results import SOFTWARE, as_text, result_names
from digit.run import provenance
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.files import require_writable


@dataclass(frozen=True)
class Options:
    """What a user may choose."""

    boxes: Path | None = None
    """JSON of hand boxes by name, ``{"photo.jpg": [x, y, width, height]}`` in px of the upright picture, or a list of
    boxes; each is made square and enlarged x1.25 as in training."""
    box: Sequence[Sequence[float]] | None = None
    """Boxes for every picture, instead of ``boxes``; None for both has hands found."""
    focal_px: float | None = None
    """Of the camera; None asks each picture's EXIF, else a field of view is assumed."""
    hand_threshold: float = 0.5
    """A hand below this probability is not drawn and has ``present: false``."""
    preset: str = "paper"
    """Size of the network where the checkpoint does not say."""
    recursive: bool = False
    """Look into sub-folders, too; results and names of boxes keep their paths."""


DEFAULTS = Options()


@dataclass(frozen=True)
class Outcome:
    """What became of the pictures."""

    poses: list[Path]
    """JSON files, those that were there before included."""
    failed: list[str]
    """A sentence for each input without a result."""
    found: Found
    kept: int = 0
    """How many of the results an earlier run left."""
    stopped: bool = False
    """Whether somebody pressed Ctrl-C."""

    def require_all(self) -> None:
        """Raise when an input has no result.

        Raises:
            UserError: naming all of them.
        """
        if self.failed and len(self.found.pictures) == 1 and not self.poses:
            raise UserError(self.failed[0])
        if self.failed:
            lines = "\n".join(f"  - {line}" for line in self.failed)
            count = len(self.failed) + len(self.poses)
            raise UserError(f"{len(self.failed)} of {count} pictures have no result:\n{lines}")


def predict(
    checkpoint: Path | None, inputs: Sequence[str | Path], output: Path, options: Options = DEFAULTS
) -> Outcome:
    """Predict on pictures, all those of folders and the one from standard input (``-``).

    A picture that cannot be read, or that its box does not touch, does not stop the others. Results that are there
    already, made from the same file in the same way, are kept.

    Args:
        checkpoint: One of our checkpoints, the released weights or a checkpoint of the original; None: the weights
            that come with the package.
        inputs: Pictures, folders of them, or ``-``.
        output: Folder for ``<name>.pose.json`` and ``<name>.overlay.png``, ``index.html`` and the tables of all; no
            file is replaced but those that an earlier prediction wrote.
        options: What may be chosen.

    Raises:
        UserError: when there is no picture, the box file is unusable, the output cannot be written, or the checkpoint
            is a wrong one, also one that needs masks.
    """
    require_probability(options.hand_threshold)
    if options.focal_px is not None:
        Intrinsics.of(1, 1, options.focal_px)
    found = find_inputs(inputs, options.recursive)
    boxes = _boxes(options, found)
    job = _job(shipped_weights() if checkpoint is None else checkpoint, boxes, options)
    for name in SIGNS:
        require_free(output / name)
    require_writable(output / "predict")
    names = result_names(found.pictures)
    files = [
        File(name, source, output / names[name], picture_path(output, names[name]))
        for name, source in found.pictures.items()
    ]
    done: list[Done] = []
    stopped = False
    try:
        for one in track(predict_files(job, files), "predict", len(files)):
            done.append(one)
    except KeyboardInterrupt:
        stopped = True
    outcome = Outcome(
        [one.pose for one in done if one.pose is not None],
        [*found.failed, *(one.failure for one in done if one.failure is not None)],
        found,
        sum(one.kept for one in done),
        stopped,
    )
    if outcome.poses:
        write_gallery(output, outcome.poses, outcome.failed)
    _tell(outcome, boxes if options.boxes else None, output)
    return outcome


def _job(weights: Path, boxes: dict[str, Any] | None, options: Options) -> Job:
    predictor = load_model(weights, preset=options.preset)
    require_images_alone(predictor.network, str(weights))
    checkpoint = as_text(weights.name)
    settings = {
        "software": SOFTWARE,
        "checkpoint": [checkpoint, provenance.sha256(weights), options.preset],
        "hand_threshold": options.hand_threshold,
    }
    return Job(Engine(predictor, None, options.hand_threshold, checkpoint), boxes, options.focal_px, settings)


def _boxes(options: Options, found: Found) -> dict[str, Any] | None:
    """Boxes by picture, None where they have to be found."""
    if options.boxes and options.box:
        raise UserError("boxes for every picture and a file of boxes: give one of them")
    if options.box:
        return {name: [list(box) for box in options.box] for name in found.pictures}
    return None if options.boxes is None else read_boxes(options.boxes)


def _tell(outcome: Outcome, boxes: dict[str, Any] | None, output: Path) -> None:
    found = outcome.found
    skipped = skipped_lines(found)
    if skipped:
        count_skipped = len(found.skipped) + found.own_results
        log.info("predict: left out %d of the folder:\n%s", count_skipped, "\n".join(f"  - {line}" for line in skipped))
    unused = unused_boxes(boxes or {}, list(found.pictures))
    if unused:
        shown = ", ".join(unused[:5]) + (", ..." if len(unused) > 5 else "")
        log.warning("predict: %d boxes belong to no picture: %s", len(unused), shown)
    if outcome.stopped:
        log.warning("predict: stopped; run the same command again to go on")
    before = f", {outcome.kept} of them made before" if outcome.kept else ""
    look = f"; look at {output / PAGE}" if outcome.poses else ""
    log.info("predict: %d pictures, results in %s%s%s", len(outcome.poses), output, before, look)
