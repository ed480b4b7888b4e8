"""synthesize: a small data set in InterHand2.6M's own layout, made with the open hand."""

import contextlib
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from digit.config import SPLITS, Config
from digit.hand.mano import Hands, load_hands
from digit.run.console import log, track
from digit.run.files import replacing
from digit.run.layout import Layout
from digit.synthetic.annotate import FrameTruth, Sample, annotate_frame, annotate_sample
from digit.synthetic.arms import face_cameras
from digit.synthetic.cameras import Camera
from digit.synthetic.interaction import pose_frame
from digit.synthetic.lighting import vary
from digit.synthetic.photograph import encode_jpeg, photograph
from digit.synthetic.plan import FRAME_STREAM, Capture, Frame, generator, make_capture, plan_split
from digit.synthetic.poses import PosedHand, sample_hands
from digit.synthetic.release import file_name, verify, write_split, write_tables
from digit.synthetic.rich import Sources, find_sources, person_of, stage_frame, take_picture
from digit.synthetic.scene import build_surface, light_surface

FRAMES_PER_TASK = 4
FEW_FRAMES = 60
"""Fewer are made in less time than other processes need to start."""


def synthesize(config: Config, processes: int | None = None) -> None:
    """Write the embedded data set under ``Layout.of(config).dataset``, all of it or nothing.

    The bytes depend on ``run.seed``, ``synthetic`` and the pictures that it names, not on the number of processes.

    Args:
        config: the resolved configuration.
        processes: workers, if there are more than a few frames; by default one for each core that this process may use.

    Raises:
        UserError: photographs or panoramas are not where they should be, or an image could not be written.
    """
    settings, seed = config.synthetic, config.run.seed
    sources: dict[str, Sources] = {split: find_sources(settings, split) for split in SPLITS}
    frames = [frame for split in SPLITS for frame in plan_split(seed, split, settings)]
    with replacing(Layout.of(config).dataset) as root:
        record = functools.partial(record_frame, config, root, sources)
        with _workers(processes or len(os.sched_getaffinity(0)), len(frames)) as each:
            results = track(each(record, frames), "synthesize frames", total=len(frames))
            annotated = [(frame, *result) for frame, result in zip(frames, results, strict=True)]
        subjects = []
        for split in SPLITS:
            part = [item for item in annotated if item[0].split == split]
            captures = {frame.capture: _capture(config, frame) for frame, *_ in part}
            write_split(root, split, part, captures)
            verify(root, split, part, captures)
            subjects += [capture.subject for capture in captures.values()]
        write_tables(root, subjects)
    log.info("synthesize: %d images of %d frames", sum(len(frame.cameras) for frame in frames), len(frames))


@contextlib.contextmanager
def _workers(processes: int, frames: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A ``map`` over so many frames by several processes, or by this one alone where there are few."""
    count = min(processes, -(-frames // FRAMES_PER_TASK))
    if count == 1 or frames < FEW_FRAMES:
        threads = torch.get_num_threads(), cv2.getNumThreads()
        _take_threads(1, 1)
        try:
            yield map
        finally:
            _take_threads(*threads)
        return
    # Forks of a process that has imported this module and done nothing: each by itself would import for seconds.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker) as pool:
        yield functools.partial(pool.map, chunksize=FRAMES_PER_TASK)


def record_frame(
    config: Config, root: Path, sources: dict[str, Sources], frame: Frame
) -> tuple[FrameTruth, tuple[Sample, ...]]:
    """Pose, light and photograph one frame: write its JPEGs below ``root`` and return its annotations."""
    rng, hands = generator(config.run.seed, frame.split, FRAME_STREAM, frame.number), _hands()
    rig, settings = _capture(config, frame).rig, config.synthetic
    cameras = [rig[number] for number in frame.cameras]
    rich = settings.variety == "rich"
    shape = _capture(config, frame).subject.shape
    if rich:
        places_mm = np.stack([camera.position_mm for camera in cameras])
        posed = face_cameras(rng, hands, pose_frame(rng, hands, shape, frame.hand_type), places_mm)
    else:
        posed = sample_hands(rng, hands, shape, frame.hand_type, settings.views)
    truth = annotate_frame(rng, hands, posed)
    take = _rich_scene(rng, config, frame, posed, sources) if rich else _plain_scene(rng, config, frame, posed)
    samples = []
    for camera in cameras:
        samples.append(annotate_sample(rng, truth, camera))
        path = root / "images" / frame.split / file_name(frame, camera)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(take(camera))
    return truth, tuple(samples)


def _plain_scene(
    rng: np.random.Generator, config: Config, frame: Frame, posed: dict[str, PosedHand]
) -> Callable[[Camera], bytes]:
    """Light the hands in their capture's studio; returns what takes a camera's picture."""
    capture = _capture(config, frame)
    lit = light_surface(build_surface(rng, _hands(), posed, capture.subject), vary(rng, capture.studio))
    return lambda camera: encode_jpeg(photograph(rng, lit, camera, capture.backdrop, capture.darkness))


def _rich_scene(
    rng: np.random.Generator,
    config: Config,
    frame: Frame,
    posed: dict[str, PosedHand],
    sources: dict[str, Sources],
) -> Callable[[Camera], bytes]:
    """Dress, equip and light the hands anywhere; returns what takes a camera's picture."""
    rig, settings = _capture(config, frame).rig, config.synthetic
    person = person_of(config.run.seed, frame.split, frame.capture, settings)
    cameras = [rig[number] for number in frame.cameras]
    scene = stage_frame(rng, _hands(), posed, person, cameras, sources[frame.split])
    return functools.partial(take_picture, rng, scene, sources=sources[frame.split])


def _capture(config: Config, frame: Frame) -> Capture:
    return make_capture(config.run.seed, frame.split, frame.capture, config.synthetic)


@functools.cache
def _hands() -> Hands:
    return load_hands("open")


def _start_worker() -> None:
    """One thread per worker, and an end with the parent even when that is killed."""
    _take_threads(1, 1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _take_threads(of_torch: int, of_opencv: int) -> None:
    torch.set_num_threads(of_torch)
    cv2.setNumThreads(of_opencv)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
