"""Data to measure with: annotation files of any size, and pictures from the embedded data set."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from digit.config import Config, merge, resolve
from digit.run.layout import Layout, annotation_path
from digit.samples.fits import PAIR, FitTable, write_fits
from digit.samples.index import SplitIndex, open_index
from digit.skeleton import HAND_TYPES, JOINT_COUNT
from digit.store.shards import write_shard

SPLIT = "train"
CAMERAS = 80
FRAMES_PER_CAPTURE = 640
"""About 51,000 images a capture, as in the training split of the release."""
SEQUENCES = ("0007_thumbup_normal", "0266_dh_pray", "0390_dh_touchROM", "ROM03_LT_No_Occlusion")
LANDSCAPE, PORTRAIT = (512, 334), (334, 512)


@contextlib.contextmanager
def workspace(folder: Path | None) -> Iterator[Path]:
    """``folder``, which stays, or a temporary one, which does not."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="digit-bench-") as temporary:
        yield Path(temporary)


def configuration(folder: Path, name: str, **sections: dict[str, Any]) -> Config:
    """Resolve a run called ``name`` below ``folder``; without ``data.root`` its data set is the embedded one."""
    return resolve(merge({"run": {"name": name, "folder": str(folder)}, "data": {"shards": 1}}, sections))


def pictures(folder: Path, images: int) -> Config:
    """Make (or find) an embedded data set whose training split has about ``images`` images, 8 views a frame."""
    sizes = {"train_images": images, "val_images": 8, "test_images": 8, "cameras": 8, "captures": 4}
    config = configuration(folder, f"pictures-{images}", synthetic=sizes)
    if not Layout.of(config).dataset.is_dir():
        from digit.stages.synthesize import synthesize

        synthesize(config)
    return config


def image_size(camera: int) -> tuple[int, int]:
    """Width and height of the pictures of a fabricated camera."""
    return PORTRAIT if camera % 2 else LANDSCAPE


def write_annotations(root: Path, samples: int, seed: int = 0) -> None:
    """Write the annotation files of a training split with ``samples`` samples in the release's layout.

    Samples come in the release's order (capture, sequence, camera, frame), numbers with as many digits as there.
    Memory does not depend on ``samples``.
    """
    rng = np.random.default_rng(seed)
    frames = -(-samples // CAMERAS)
    captures = -(-frames // FRAMES_PER_CAPTURE)
    for kind in ("data", "camera", "joint_3d", "MANO_NeuralAnnot"):
        annotation_path(root, SPLIT, kind).parent.mkdir(parents=True, exist_ok=True)
    with _writing(root, "camera") as write:
        write("{" + ", ".join(f'"{k}": {json.dumps(_cameras(rng))}' for k in range(captures)) + "}")
    for kind, record in (("joint_3d", _joints), ("MANO_NeuralAnnot", _fits)):
        with _writing(root, kind) as write:
            for capture in range(captures):
                write(f'{", " if capture else "{"}"{capture}": {{')
                numbers = _frames_of(capture, frames)
                write(", ".join(f'"{_released_frame(frame)}": {json.dumps(record(rng, frame))}' for frame in numbers))
                write("}")
            write("}")
    with _writing(root, "data") as write:
        write('{"images": [')
        write_rows(write, frames, samples, _image)
        write('], "annotations": [')
        write_rows(write, frames, samples, _Annotations(rng))
        write("]}")


def write_rows(write: Callable[[str], int], frames: int, samples: int, record: Callable[..., str]) -> None:
    """Write one JSON record a sample, a camera's at a time."""
    for block, (first, rows) in enumerate(_order(frames, samples)):
        write((", " if block else "") + ", ".join(record(first + k, *row) for k, row in enumerate(rows)))


def _order(frames: int, samples: int) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """Number of the first sample, and (capture, camera, frame) of all samples, of each camera and sequence."""
    first = 0
    for capture in range(-(-frames // FRAMES_PER_CAPTURE)):
        numbers = np.array(_frames_of(capture, frames))
        for sequence in range(len(SEQUENCES)):
            shown = numbers[numbers % len(SEQUENCES) == sequence].tolist()
            for camera in range(CAMERAS):
                rows = [(capture, camera, frame) for frame in shown][: samples - first]
                if rows:
                    yield first, rows
                    first += len(rows)


def _frames_of(capture: int, frames: int) -> list[int]:
    return list(range(capture * FRAMES_PER_CAPTURE, min((capture + 1) * FRAMES_PER_CAPTURE, frames)))


def _released_frame(frame: int) -> int:
    """Frame number in the release: every third frame of a capture's video."""
    return 4000 + 3 * (frame % FRAMES_PER_CAPTURE)


@contextlib.contextmanager
def _writing(root: Path, kind: str) -> Iterator[Callable[[str], int]]:
    with annotation_path(root, SPLIT, kind).open("w") as file:
        yield file.write


def _image(place: int, capture: int, camera: int, frame: int) -> str:
    width, height = image_size(camera)
    sequence, name, number = SEQUENCES[frame % len(SEQUENCES)], 400_000 + camera, _released_frame(frame)
    return (
        f'{{"id": {place}, "file_name": "Capture{capture}/{sequence}/cam{name}/image{number}.jpg", "width": {width}, '
        f'"height": {height}, "capture": {capture}, "subject": {capture % 7}, "seq_name": "{sequence}", '
        f'"camera": "{name}", "frame_idx": {number}}}'
    )


class _Annotations:
    """Annotation records; what belongs to the frame is drawn once."""

    def __init__(self, rng: np.random.Generator) -> None:
        valid = rng.random((64, JOINT_COUNT, 1)) < 0.97
        self.valid = [json.dumps(flags.astype(int).tolist()) for flags in valid]
        middles, sides = rng.uniform(-20, 20, (997, 2)), rng.uniform(150, 220, (997, 2))
        self.boxes = [
            [json.dumps(box) for box in np.hstack([middles + np.array(size) / 2 - sides / 2, sides]).round(3).tolist()]
            for size in (LANDSCAPE, PORTRAIT)
        ]

    def __call__(self, place: int, _capture: int, camera: int, frame: int) -> str:
        return (
            f'{{"id": {place}, "image_id": {place}, "bbox": {self.boxes[camera % 2][place % 997]}, '
            f'"joint_valid": {self.valid[frame % 64]}, "hand_type": "{HAND_TYPES[frame % 3]}", "hand_type_valid": 1}}'
        )


def _cameras(rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Cameras 1 m from the origin that look at it."""
    table: dict[str, dict[str, Any]] = {"campos": {}, "camrot": {}, "focal": {}, "princpt": {}}
    for camera in range(CAMERAS):
        forward = rng.normal(size=3)
        forward /= np.linalg.norm(forward)
        across = np.cross([0.0, 1.0, 0.1], forward)
        across /= np.linalg.norm(across)
        width, height = image_size(camera)
        name = str(400_000 + camera)
        table["campos"][name] = (-1000 * forward).tolist()
        table["camrot"][name] = np.stack([across, np.cross(forward, across), forward]).tolist()
        table["focal"][name] = rng.uniform(1250, 1300, 2).tolist()
        table["princpt"][name] = [width / 2 + 0.25, height / 2 - 0.75]
    return table


def _joints(rng: np.random.Generator, frame: int) -> dict[str, Any]:
    return {
        "world_coord": rng.uniform(-60, 60, (JOINT_COUNT, 3)).astype(np.float32).tolist(),
        "joint_valid": (rng.random((JOINT_COUNT, 1)) < 0.97).tolist(),
        "hand_type": HAND_TYPES[frame % 3],
        "hand_type_valid": True,
    }


def _fits(rng: np.random.Generator, frame: int) -> dict[str, Any]:
    def fit() -> dict[str, list[float]]:
        sizes = {"pose": (48, 0.3), "shape": (10, 0.3), "trans": (3, 0.05)}
        return {name: rng.normal(0, spread, size).astype(np.float32).tolist() for name, (size, spread) in sizes.items()}

    kind = HAND_TYPES[frame % 3]
    return {"right": None if kind == "left" else fit(), "left": None if kind == "right" else fit()}


def write_stores(config: Config) -> None:
    """Write image and part stores with the names of an index, and the tables of fit errors, but without contents.

    What they hold is enough to open a split, not to read an image. One image in 10,000 is left out.
    """
    layout = Layout.of(config)
    index: SplitIndex = open_index(layout.index(SPLIT))
    for shard in range(config.data.shards):
        rows = index.shard_rows(config.data.shards, shard)
        names = sorted(index.keys(rows))
        excluded = dict.fromkeys(names[5000::10_000], "missing")
        header = {"split": SPLIT, "shard": shard, "shards": config.data.shards, "excluded": excluded}
        pair = f"shard {shard}"
        masked = header | {"stage": "parts", "excluded": {}, PAIR: pair}
        kept = [name for name in names if name not in excluded]
        write_shard(layout.images(SPLIT, shard), ((name, b"\xff") for name in kept), header | {"stage": "images"})
        write_shard(layout.parts(SPLIT, shard), ((name, b"\xff") for name in names), masked)
        table, shown = FitTable.empty(len(rows)), np.array(index.hand_type[rows])
        table.fitted[:], table.pixels[:] = shown, 900 * shown
        table.error_mm[shown] = 3.0
        write_fits(layout.fit(SPLIT, shard), index, rows, table, None, "fabricated", pair)
