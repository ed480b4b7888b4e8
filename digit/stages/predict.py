"""Predict on any pictures, videos and cameras, without data set files: overlays, JSON, and a page of all."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digit.gallery.page import write_gallery
from digit.hand.mano import load_hands
from digit.model.shipped import shipped_weights
from digit.pages.files import PAGE, SIGNS, picture_path, require_free
from digit.predictor.boxes import read_boxes, unused_boxes
from digit.predictor.camera import Intrinsics
from digit.predictor.engine import require_probability
from digit.predictor.hand_meshes import HandMeshes
from digit.predictor.inputs import Found, find_inputs, skipped_lines
from digit.predictor.live import camera_frames, live_pictures, write_live
from digit.predictor.opening import open_engine
from digit.predictor.picture_files import Done, File, Job, predict_files
from digit.predictor.results import LINES_SUFFIX, SOFTWARE, as_text, result_names
from digit.predictor.stream import Stream
from digit.predictor.video_files import predict_video
from digit.run import provenance
from digit.run.console import counted, log, shortened, track
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
    smooth: bool = True
    """Whether the joints of hands in videos are smoothed over time."""
    recursive: bool = False
    """Look into sub-folders, too; results and names of boxes keep their paths."""
    mesh: str | None = None
    """``glb`` or ``obj``: fit the hand model to all hands, and of pictures write its meshes so."""
    hand_model: str | Path = "open"
    """What is fitted: the embedded hand, or a folder with MANO_RIGHT.pkl and MANO_LEFT.pkl."""


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
    whole: Sequence[str] = ()
    """Pictures in which hands were looked for in vain, so that all of each was taken."""

    def require_all(self) -> None:
        """Raise when an input has no result.

        Raises:
            UserError: naming all of them.
        """
        if self.failed and len(self.found.names) == 1:
            raise UserError(self.failed[0])
        if self.failed:
            lines = "\n".join(f"  - {line}" for line in self.failed)
            count = len(self.found.names) + len(self.found.failed)
            what = "inputs have no result, or not all of it" if self.found.videos else "pictures have no result"
            raise UserError(f"{len(self.failed)} of {count} {what}:\n{lines}")


def predict(
    checkpoint: Path | None, inputs: Sequence[str | Path], output: Path, options: Options = DEFAULTS
) -> Outcome:
    """Predict on pictures, all those of folders and the one from standard input (``-``).

    A picture that cannot be read, or that its box does not touch, does not stop the others. Results that are there
    already, made from the same file in the same way, are kept.

    Args:
        checkpoint: One of our checkpoints, the released weights or a checkpoint of the original; None: the weights
            that come with the package.
        inputs: Pictures, videos, folders of them, or ``-``.
        output: Folder for ``<name>.pose.json`` and ``<name>.overlay.png``, with meshes for ``<name>.glb`` or
            ``<name>.obj`` and ``<name>.mesh.png``, of videos ``<name>.poses.jsonl`` and ``<name>.overlay.webm``, and
            for ``index.html`` and the tables of all; no file is replaced but those that an earlier prediction wrote.
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
    names = result_names(found.names)
    pictures, videos = (
        [
            File(name, source, output / names[name], picture_path(output, names[name]))
            for name, source in sources.items()
        ]
        for sources in (found.pictures, found.videos)
    )
    done: list[Done] = []
    stopped = False
    try:
        for one in track(predict_files(job, pictures), "predict", len(pictures)):
            done.append(one)
        for video in videos:
            done.append(predict_video(job, video, track))
    except KeyboardInterrupt:
        stopped = True
    outcome = Outcome(
        [one.pose for one in done if one.pose is not None],
        [*found.failed, *(one.failure for one in done if one.failure is not None)],
        found,
        sum(one.kept for one in done),
        stopped,
        [as_text(one.file.name) for one in done if one.whole and job.engine.detector is not None],
    )
    if outcome.poses:
        write_gallery(output, outcome.poses, outcome.failed, job.meshes)
    _tell(outcome, boxes if options.boxes else None, output)
    return outcome


def predict_camera(
    checkpoint: Path | None, number: int, output: Path, options: Options = DEFAULTS, frames: int | None = None
) -> tuple[Path, bool]:
    """Predict what a camera of this machine sees, until Ctrl-C or for so many frames.

    Args:
        checkpoint: As of :func:`predict`.
        number: Of the camera, from 0.
        output: Folder for ``camera<number>-<date>.poses.jsonl``, which grows line by line.
        options: What may be chosen.
        frames: After which to end; None goes on.

    Returns:
        The file of lines, and whether somebody pressed Ctrl-C.

    Raises:
        UserError: when there is no such camera or it stops, a file of boxes is given, or as for pictures.
    """
    if options.boxes is not None:
        raise UserError("a file of boxes is for pictures and videos; for a camera give --box x,y,width,height")
    name = f"camera{number}"
    boxes = None if options.box is None else [list(box) for box in options.box]
    weights = shipped_weights() if checkpoint is None else checkpoint
    job = _job(weights, None if boxes is None else {name: boxes}, options)
    started = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H-%M-%S")
    path = output / f"{name}-{started}{LINES_SUFFIX}"
    require_writable(path)
    pictures = live_pictures(camera_frames(number), name, options.focal_px, boxes)
    stream = Stream(job.engine, options.smooth)
    results = write_live(lambda picture: job.fit([stream(picture)])[0], pictures, path, frames)
    log.info("predict: %s sees until Ctrl-C; lines in %s", name, path)
    try:
        for _ in track(results, name, frames or 0):
            pass
    except KeyboardInterrupt:
        return path, True
    return path, False


def _job(weights: Path, boxes: dict[str, Any] | None, options: Options) -> Job:
    engine = open_engine(weights, options.preset, options.hand_threshold, boxes is None)
    settings = {
        "software": SOFTWARE,
        "checkpoint": [engine.checkpoint, provenance.sha256(weights), options.preset],
        "hand_threshold": options.hand_threshold,
        "detector": engine.detector is not None,
    }
    meshes = None if options.mesh is None else HandMeshes(load_hands(options.hand_model), f".{options.mesh}")
    if meshes is not None:
        settings["mesh"] = meshes.settings
    return Job(engine, boxes, options.focal_px, settings, options.smooth, meshes)


def _boxes(options: Options, found: Found) -> dict[str, Any] | None:
    """Boxes by picture, None where they have to be found."""
    if options.boxes and options.box:
        raise UserError("boxes for every picture and a file of boxes: give one of them")
    if options.box:
        return {name: [list(box) for box in options.box] for name in found.names}
    return None if options.boxes is None else read_boxes(options.boxes)


def _tell(outcome: Outcome, boxes: dict[str, Any] | None, output: Path) -> None:
    found = outcome.found
    skipped = skipped_lines(found)
    if skipped:
        count_skipped = len(found.skipped) + found.own_results
        log.info("predict: left out %d of the folder:\n%s", count_skipped, "\n".join(f"  - {line}" for line in skipped))
    unused = unused_boxes(boxes or {}, found.names)
    if unused:
        log.warning("predict: %s for no picture that was given: %s", counted(len(unused), "box"), shortened(unused))
    if outcome.whole:
        log.warning(
            "predict: no hand was found in %s, so all of the picture was taken, and hands may be invented: %s; --box "
            "says where they are",
            counted(len(outcome.whole), "picture"),
            shortened(outcome.whole),
        )
    if outcome.stopped:
        log.warning("predict: stopped; run the same command again to go on")
    if not outcome.poses:
        return
    before = f", {outcome.kept} of them made before" if outcome.kept else ""
    told = counted(len(outcome.poses), "input")
    log.info("predict: %s, results in %s%s; look at %s", told, output, before, output / PAGE)
