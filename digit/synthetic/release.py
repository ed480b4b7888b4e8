"""The files of InterHand2.6M's release, written from planned frames and their annotations."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from digit.run.errors import UserError
from digit.run.layout import annotation_path, rootnet_paths
from digit.skeleton import HANDS, JOINT_NAMES, PARENTS
from digit.synthetic.annotate import FrameTruth, Sample
from digit.synthetic.cameras import Camera
from digit.synthetic.plan import Capture, Frame
from digit.synthetic.poses import PosedHand
from digit.synthetic.subjects import Subject

Annotated = tuple[Frame, FrameTruth, tuple[Sample, ...]]


def file_name(frame: Frame, camera: Camera) -> str:
    """Path of an image below ``images/<split>/``."""
    return f"Capture{frame.capture}/{frame.sequence}/cam{camera.name}/image{frame.frame_idx}.jpg"


def write_split(root: Path, split: str, annotated: list[Annotated], captures: dict[int, Capture]) -> None:
    """Write the four annotation files of a split and, for val and test, the RootNet file.

    Args:
        root: the data set's folder.
        split: ``train``, ``val`` or ``test``.
        annotated: frames with their annotations and one sample for each of the frame's cameras.
        captures: the captures that the frames name.
    """
    data, rootnet = _data_tables(annotated, captures)
    tables = {
        "data": data,
        "camera": {str(number): _camera_table(capture) for number, capture in captures.items()},
        "joint_3d": _by_frame(annotated, _joint_record),
        "MANO_NeuralAnnot": _by_frame([item for item in annotated if item[1].fits is not None], _fit_record),
    }
    for kind, table in tables.items():
        _write(annotation_path(root, split, kind), table)
    if split != "train":
        _write(rootnet_paths(root, split)[0], rootnet)


def write_tables(root: Path, subjects: list[Subject]) -> None:
    """Write skeleton.txt and subject.txt."""
    joints = [f"{name} {k} {parent}" for k, (name, parent) in enumerate(zip(JOINT_NAMES, PARENTS, strict=True))]
    people = [f"{subject.number} right {subject.gender}" for subject in subjects]
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "skeleton.txt").write_text("\n".join(["# joint_name joint_id parent_joint_id", *joints]) + "\n")
    (folder / "subject.txt").write_text("\n".join(["# subject_id hand gender", *people]) + "\n")


def verify(root: Path, split: str, annotated: list[Annotated], captures: dict[int, Capture]) -> None:
    """Check that every image of a split was written.

    Raises:
        UserError: naming the first file that is not there or empty.
    """
    for frame, _, _ in annotated:
        for camera in frame.cameras:
            path = root / "images" / split / file_name(frame, captures[frame.capture].rig[camera])
            if not path.is_file() or path.stat().st_size == 0:
                raise UserError(f"{path}: was not written; is the disk full? Free some space and run synthesize again")


def _data_tables(
    annotated: list[Annotated], captures: dict[int, Capture]
) -> tuple[dict[str, list], list[dict[str, Any]]]:
    """data.json and the RootNet list, in the order capture, sequence, camera, frame."""
    rows = []
    for frame, truth, samples in annotated:
        for number, sample in zip(frame.cameras, samples, strict=True):
            camera = captures[frame.capture].rig[number]
            rows.append((frame.capture, frame.sequence, camera.name, frame.frame_idx, frame, truth, sample, camera))
    images, annotations, rootnet = [], [], []
    for identity, (*_, frame, truth, sample, camera) in enumerate(sorted(rows, key=lambda row: row[:4])):
        images.append(
            {
                "id": identity,
                "file_name": file_name(frame, camera),
                "width": camera.width,
                "height": camera.height,
                "capture": frame.capture,
                "subject": captures[frame.capture].subject.number,
                "seq_name": frame.sequence,
                "camera": camera.name,
                "frame_idx": frame.frame_idx,
            }
        )
        annotations.append(
            {
                "id": identity,
                "image_id": identity,
                "bbox": sample.box_px.tolist(),
                "joint_valid": truth.joint_valid.astype(int)[:, None].tolist(),
                "hand_type": frame.hand_type,
                "hand_type_valid": int(truth.hand_type_valid),
            }
        )
        rootnet.append(
            {
                "annot_id": identity,
                "bbox": sample.rootnet_box_px.tolist(),
                "abs_depth": sample.rootnet_depth_mm.tolist(),
            }
        )
    return {"images": images, "annotations": annotations}, rootnet


def _camera_table(capture: Capture) -> dict[str, dict[str, Any]]:
    values = {
        "campos": lambda camera: camera.position_mm,
        "camrot": lambda camera: camera.rotation,
        "focal": lambda camera: camera.focal_px,
        "princpt": lambda camera: camera.princpt_px,
    }
    return {key: {camera.name: get(camera).tolist() for camera in capture.rig} for key, get in values.items()}


def _by_frame(annotated: list[Annotated], record: Any) -> dict[str, dict[str, Any]]:
    """{capture: {frame: record}} with text keys."""
    table: dict[str, dict[str, Any]] = {}
    for frame, truth, _ in annotated:
        table.setdefault(str(frame.capture), {})[str(frame.frame_idx)] = record(frame, truth)
    return table


def _joint_record(frame: Frame, truth: FrameTruth) -> dict[str, Any]:
    return {
        "world_coord": truth.joints_world_mm.tolist(),
        "joint_valid": truth.joint_valid[:, None].tolist(),
        "hand_type": frame.hand_type,
        "hand_type_valid": truth.hand_type_valid,
    }


def _fit_record(frame: Frame, truth: FrameTruth) -> dict[str, Any]:
    assert truth.fits is not None, "frames without fits are not listed"
    return {side: _fit(truth.fits[side]) for side in HANDS}


def _fit(hand: PosedHand | None) -> dict[str, list[float]] | None:
    if hand is None:
        return None
    values = {"pose": hand.pose, "shape": hand.shape, "trans": hand.trans_m}
    return {key: np.asarray(value).tolist() for key, value in values.items()}


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, allow_nan=False))
