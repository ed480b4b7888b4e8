"""Picture files in, result files out: reading, finding hands, predicting and writing overlap on a few threads.

Results appear one after the other, each whole or absent. A file that yields none does not stop the others; one whose
results are there already, made from the same bytes in the same way, is left alone.
"""

import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digit.pages import files
from digit.pages.views import save_view
from digit.predictor.boxes import boxes_of
from digit.predictor.camera import EXIF, Intrinsics
from digit.predictor.engine import WHOLE, Engine, Picture, Place, Result, square_of
from digit.predictor.hand_meshes import HandMeshes
from digit.predictor.inputs import Source
from digit.predictor.pictures import decode_photograph, read_content
from digit.predictor.results import (
    OF_PICTURE,
    OVERLAY_SUFFIX,
    POSE_SUFFIX,
    as_text,
    is_finished,
    require_free,
    write_overlay,
    write_pose,
)
from digit.run.errors import UserError
from digit.run.provenance import json_digest
from digit.store.prefetch import map_ahead

STOPPING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What keeps the results of all further pictures from being written, too."""
READERS, WRITERS = 2, 2
AHEAD = 4
"""Pictures decoded, and results drawn, before they are needed."""
BATCH_PX = 48e6
"""Pixels of the pictures that are predicted together, unless one alone has more."""


@dataclass(frozen=True)
class Job:
    """How to predict, the same for every picture."""

    engine: Engine
    boxes: dict[str, Any] | None = None
    """Boxes by picture, from a file."""
    focal_px: float | None = None
    """Of the camera; None asks each picture."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What results depend on besides the picture and its boxes, as JSON has it."""
    smooth: bool = True
    """Whether joints in videos go through the One-Euro filter."""
    meshes: HandMeshes | None = None
    """Fits the hand model to hands and writes it; None leaves it out."""

    @property
    def kinds(self) -> Mapping[str, Callable[[Path], bool]]:
        """What tells own results of a picture, by suffix."""
        return OF_PICTURE if self.meshes is None else {**OF_PICTURE, **self.meshes.kinds}

    def fit(self, results: list[Result]) -> list[Result]:
        """Results with meshes, if there shall be some."""
        return results if self.meshes is None else self.meshes.fit(results)


@dataclass(frozen=True)
class File:
    """A picture to predict on, the path of its results without their suffixes, and that of its copy for a page."""

    name: str
    source: Source
    base: Path
    view: Path


@dataclass(frozen=True)
class Done:
    """What became of a file: its pose file, or a sentence why there is none; both for a damaged video."""

    file: File
    pose: Path | None = None
    kept: bool = False
    """Whether the results were there before."""
    failure: str | None = None
    whole: bool = False
    """Whether no hand was found in a picture, so that all of it was taken."""


@dataclass(frozen=True)
class _Read:
    file: File
    picture: Picture
    identity: str


def predict_files(job: Job, inputs: Iterable[File]) -> Iterator[Done]:
    """Predict files, in their order.

    Raises:
        UserError: when nothing more can be written, or the network cannot be used.
    """
    read = map_ahead(lambda file: _read(job, file), inputs, READERS, 1, AHEAD)
    located = map_ahead(lambda batch: _locate(job, batch), _batches(read, job.engine.predictor.batch_size), 1, 1, 1)
    predicted = map_ahead(lambda located: _predict(job, *located), located, 1, 1, 1)
    answers = (answer for batch in predicted for answer in batch)
    yield from map_ahead(lambda answer: _write(job, answer), answers, WRITERS, 1, AHEAD)


def _read(job: Job, file: File) -> _Read | Done:
    try:
        require_free(file.base, job.kinds)
        files.require_free(file.view)
        if isinstance(file.source, bytes):
            return _decode(job, file, file.source, file.name)
        return _decode(job, file, read_content(file.source), str(file.source))
    except UserError as error:
        return Done(file, failure=str(error))


def _decode(job: Job, file: File, content: bytes, name: str) -> _Read | Done:
    """Decode a picture unless its results are there."""
    boxes = None if job.boxes is None else boxes_of(job.boxes, file.name)
    identity = json_digest([hashlib.sha256(content).hexdigest(), boxes, job.focal_px, job.settings])
    if is_finished(file.base, identity, job.kinds) and file.view.is_file():
        return Done(file, file.base.with_name(file.base.name + POSE_SUFFIX), kept=True)
    pixels, exif_px = decode_photograph(content, name)
    height, width = pixels.shape[:2]
    focal = (exif_px, EXIF) if job.focal_px is None and exif_px is not None else (job.focal_px,)
    picture = Picture(pixels, as_text(file.name), boxes, Intrinsics.of(width, height, *focal))
    for box in boxes or ():
        square_of(picture, box)
    return _Read(file, picture, identity)


def _batches(read: Iterable[_Read | Done], most: int) -> Iterator[list[_Read | Done]]:
    """Groups of pictures that are predicted together; outcomes travel along."""
    batch: list[_Read | Done] = []
    pixels = count = 0
    for each in read:
        size = each.picture.pixels.size // 3 if isinstance(each, _Read) else 0
        if batch and (count == most or (size and pixels + size > BATCH_PX)):
            yield batch
            batch, pixels, count = [], 0, 0
        batch.append(each)
        pixels, count = pixels + size, count + (size > 0)
    if batch:
        yield batch


def _locate(job: Job, batch: list[_Read | Done]) -> tuple[list[_Read | Done], list[list[Place]]]:
    return batch, job.engine.locate([each.picture for each in batch if isinstance(each, _Read)])


def _predict(job: Job, batch: list[_Read | Done], places: list[list[Place]]) -> list[tuple[_Read, Result] | Done]:
    results = iter(job.fit(job.engine.predict([each.picture for each in batch if isinstance(each, _Read)], places)))
    return [(each, next(results)) if isinstance(each, _Read) else each for each in batch]


def _write(job: Job, answer: tuple[_Read, Result] | Done) -> Done:
    """Write the page's copy, overlay, meshes and pose; the pose comes last, so that where it is all results are."""
    if isinstance(answer, Done):
        return answer
    read, result = answer
    base = read.file.base
    pose = base.with_name(base.name + POSE_SUFFIX)
    try:
        save_view(read.file.view, read.picture.pixels)
        write_overlay(base.with_name(base.name + OVERLAY_SUFFIX), result.draw())
        if job.meshes is not None:
            job.meshes.write(base, result)
        write_pose(pose, result.record() | {"identity": read.identity})
    except UserError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in STOPPING:
            raise
        return Done(read.file, failure=str(error))
    return Done(read.file, pose, whole=any(crop.origin == WHOLE for crop in result.crops))
