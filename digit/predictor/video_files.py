"""Video files in, lines of JSON and overlay videos out, in two passes of constant memory.

The first pass predicts picture after picture and adds what it finds to ``<name>.partial.jsonl``, which is what a
process that was stopped leaves, and from whose last line the next one goes on. The second pass numbers and smooths the
hands and draws them.
"""

from collections.abc import Callable, Iterator
from itertools import count, takewhile
from pathlib import Path
from typing import Any, TypeVar

from digit.pages import files
from digit.pages.views import save_view
from digit.predictor.boxes import boxes_of
from digit.predictor.camera import Intrinsics
from digit.predictor.engine import Picture, Result, square_of
from digit.predictor.following import Follower
from digit.predictor.hand_tracks import HandTracks
from digit.predictor.overlay_video import KINDS, is_own_video, video_suffix, writing_video
from digit.predictor.picture_files import STOPPING, Done, File, Job
from digit.predictor.pose_lines import first_record, keep_whole_lines, line_of, read_lines, result_of
from digit.predictor.results import LINES_SUFFIX, PARTIAL_SUFFIX, as_text, is_own_lines, require_free
from digit.predictor.videos import Frame, Video
from digit.run.errors import UserError, refusal, way_out
from digit.run.files import replacing
from digit.run.provenance import json_digest, sha256
from digit.store.prefetch import map_ahead

AHEAD = 3
"""Pictures decoded, and results drawn, before they are needed."""
OWN = dict.fromkeys((LINES_SUFFIX, PARTIAL_SUFFIX), is_own_lines) | dict.fromkeys(KINDS, is_own_video)
"""What tells own results, by suffix."""
Item = TypeVar("Item")
Progress = Callable[[Iterator[Item], str, int], Iterator[Item]]
"""Passes items on and shows how many have come: of what, and how many there will be."""


def predict_video(job: Job, file: File, progress: Progress[Any]) -> Done:
    """Predict a video; one that is damaged has results of what could be read, and a failure.

    Raises:
        UserError: when nothing more can be written, or the network cannot be used.
    """
    assert isinstance(file.source, Path)
    lines, partial = _beside(file.base, LINES_SUFFIX), _beside(file.base, PARTIAL_SUFFIX)
    try:
        require_free(file.base, OWN)
        files.require_free(file.view)
        video = Video(file.source)
        boxes = None if job.boxes is None else boxes_of(job.boxes, file.name)
        identity = json_digest([sha256(file.source), boxes, job.focal_px, job.smooth, job.settings])
        if _made_from(lines, identity) and is_own_video(_beside(file.base, video_suffix())) and file.view.is_file():
            return Done(file, lines, kept=True, failure=video.missing(_count(lines)))
        frames = _predict(job, file, video, boxes, identity, progress)
        if frames == 0:
            partial.unlink(missing_ok=True)
            raise UserError(video.missing(0) or "")
        _finish(job, file, frames, identity, progress)
        partial.unlink()
    except UserError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in STOPPING:
            raise
        return Done(file, failure=str(error))
    return Done(file, lines, failure=video.missing(frames))


def _predict(job: Job, file: File, video: Video, boxes: Any, identity: str, progress: Progress[Any]) -> int:
    """Add the results of all frames that are not there yet; how many there are then."""
    partial = _beside(file.base, PARTIAL_SUFFIX)
    try:
        last = keep_whole_lines(partial) if _made_from(partial, identity) else None
        pictures = (_picture(job, file, frame, boxes) for frame in _ahead(video.frames(_frames(last))))
        follower = Follower(job.engine, None if last is None else result_of(last))
        results = map_ahead(follower, pictures, 1, 1, 1)
        done = _frames(last)
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb" if last is None else "ab") as out:
            for result in progress(results, file.name, max(video.announced - done, 0)):
                out.write(line_of(result, identity))
                out.flush()
                done += 1
    except OSError as error:
        raise UserError(f"{partial}: cannot be written ({refusal(error)}); {way_out(error)}") from error
    return done


def _finish(job: Job, file: File, frames: int, identity: str, progress: Progress[Any]) -> None:
    """Number, smooth and draw the hands; the lines come last, so that where they are all results are."""
    video = Video(file.source)  # type: ignore[arg-type]
    tracks = HandTracks(job.smooth)
    pairs = zip(read_lines(_beside(file.base, PARTIAL_SUFFIX)), _ahead(video.frames()), strict=False)
    smoothed = (tracks(result_of(record, _picture(job, file, frame))) for record, frame in pairs)
    results = _with_view(file.view, (job.fit([result])[0] for result in smoothed))
    drawn = map_ahead(lambda result: (line_of(result, identity), result.draw()), results, 2, 1, AHEAD)
    with (
        replacing(_beside(file.base, LINES_SUFFIX)) as temporary,
        temporary.open("wb") as out,
        writing_video(_beside(file.base, video_suffix()), video.rate_hz) as add,
    ):
        for line, image in progress(drawn, f"{file.name}: overlay", frames):
            out.write(line)
            add(image)


def _with_view(view: Path, results: Iterator[Result]) -> Iterator[Result]:
    """Keep the first frame for a page, and the first with a hand instead."""
    shown = False
    for number, result in enumerate(results):
        found = not shown and any(crop.pose.present(result.hand_threshold).any() for crop in result.crops)
        if number == 0 or found:
            save_view(view, result.picture.pixels)
        shown |= found
        yield result


def _picture(job: Job, file: File, frame: Frame, boxes: Any = None) -> Picture:
    height, width = frame.pixels.shape[:2]
    camera = Intrinsics.of(width, height, job.focal_px)
    picture = Picture(frame.pixels, as_text(file.name), boxes, camera, frame.number, frame.time_s)
    for box in boxes or ():
        square_of(picture, box)
    return picture


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Items that a thread takes before they are needed."""
    nothing = object()
    taken = map_ahead(lambda _: next(items, nothing), count(), 1, 1, AHEAD)
    return takewhile(lambda item: item is not nothing, taken)  # type: ignore[arg-type]


def _beside(base: Path, suffix: str) -> Path:
    return base.with_name(base.name + suffix)


def _frames(last: dict[str, Any] | None) -> int:
    """How many frames there are up to that of a record."""
    return 0 if last is None else last["frame"] + 1


def _made_from(path: Path, identity: str) -> bool:
    record = first_record(path)
    return record is not None and record["identity"] == identity


def _count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
