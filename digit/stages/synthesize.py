"""synthesize: a small data set in InterHand2.6M's own layout, made with the open hand."""

import functools
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch

from digit.config import SPLITS, Config
from digit.hand.mano import Hands, load_hands
from digit.run.console import log, track
from digit.run.files import replacing
from digit.run.layout import Layout
from digit.samples.photographs import photo_files
from digit.synthetic.annotate import FrameTruth, Sample, annotate_frame, annotate_sample
from digit.synthetic.interaction import face_cameras, pose_frame
from digit.synthetic.lighting import vary
from digit.synthetic.photograph import encode_jpeg, photograph
from digit.synthetic.plan import FRAME_STREAM, Capture, Frame, generator, make_capture, plan_split
from digit.synthetic.poses import sample_hands
from digit.synthetic.release import file_name, verify, write_split, write_tables
from digit.synthetic.rich import person_of, stage_frame, take_picture
from digit.synthetic.scene import build_surface, light_surface

FRAMES_PER_TASK = 4


def synthesize(config: Config, processes: int | None = None) -> None:
    """Write the embedded data set under ``Layout.of(config).dataset``, all of it or nothing.

    The bytes depend on ``run.seed`` and ``synthetic`` only, not on the number of processes.

    Args:
        config: the resolved configuration.
        processes: workers; by default one for each core that this process may use.

    Raises:
        UserError: an image could not be written.
    """
    settings, seed = config.synthetic, config.run.seed
    frames = [frame for split in SPLITS for frame in plan_split(seed, split, settings)]
    workers = min(processes or len(os.sched_getaffinity(0)), -(-len(frames) // FRAMES_PER_TASK))
    with replacing(Layout.of(config).dataset) as root:
        record = functools.partial(record_frame, config, root)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
            results = track(pool.map(record, frames, chunksize=FRAMES_PER_TASK), "synthesize frames", total=len(frames))
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


def record_frame(config: Config, root: Path, frame: Frame) -> tuple[FrameTruth, tuple[Sample, ...]]:
    """Pose, light and photograph one frame: write its JPEGs below ``root`` and return its annotations."""
    rng, capture, hands = (
        generator(config.run.seed, frame.split, FRAME_STREAM, frame.number),
        _capture(config, frame),
        _hands(),
    )
    settings = config.synthetic
    rich, views = settings.variety == "rich", settings.views
    cameras = [capture.rig[number] for number in frame.cameras]
    if rich:
        posed = pose_frame(rng, hands, capture.subject.shape, frame.hand_type)
        posed = face_cameras(rng, hands, posed, np.stack([camera.position_mm for camera in cameras]))
    else:
        posed = sample_hands(rng, hands, capture.subject.shape, frame.hand_type, views)
    truth = annotate_frame(rng, hands, posed)
    if rich:
        person = person_of(config.run.seed, frame.split, frame.capture, settings)
        lit, photos = stage_frame(rng, hands, posed, person, cameras), photo_files(settings.photos, frame.split)
    else:
        lit = light_surface(build_surface(rng, hands, posed, capture.subject), vary(rng, capture.studio))
    samples = []
    for camera in cameras:
        samples.append(annotate_sample(rng, truth, camera))
        path = root / "images" / frame.split / file_name(frame, camera)
        path.parent.mkdir(parents=True, exist_ok=True)
        if rich:
            path.write_bytes(take_picture(rng, lit, camera, photos))
        else:
            path.write_bytes(encode_jpeg(photograph(rng, lit, camera, capture.backdrop, capture.darkness)))
    return truth, tuple(samples)


def _capture(config: Config, frame: Frame) -> Capture:
    return make_capture(config.run.seed, frame.split, frame.capture, config.synthetic)


@functools.cache
def _hands() -> Hands:
    return load_hands("open")


def _start_worker() -> None:
    """One thread per worker, and an end with the parent even when that is killed."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
