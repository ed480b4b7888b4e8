"""InterHand2.6M as it is released: the contents of its files as checked columns.

The files' names are in :mod:`digit.run.layout`; the layout is described in ``docs/formats/release.md``. Everything that
refers to something that is not there, or is not what it should be, becomes an entry in a list of problems that names
file, record and remedy; nothing is guessed.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit.config import Config
from digit.release.fields import (
    INT32_MAX,
    Field,
    box,
    flags,
    hand_type,
    integer,
    numbers,
    read_fields,
    relative_path,
    text,
)
from digit.release.json_records import TWINS_REMEDY, scan
from digit.release.problems import Problems
from digit.run.layout import Layout, annotation_path, rootnet_paths
from digit.skeleton import HANDS, JOINT_COUNT

RELEASE_IMAGES = {"train": 1_361_062, "val": 380_125, "test": 849_160}
"""Images of InterHand2.6M 5 fps, v1.0."""

LARGEST_IMAGE_PX = 65_535
"""Longest side of a JPEG file."""

PAGE = "https://mks0601.github.io/InterHand2.6M/"
Columns = dict[str, np.ndarray]

IMAGE_FIELDS = (
    integer("id"),
    relative_path("file_name"),
    integer("width", 1, LARGEST_IMAGE_PX),
    integer("height", 1, LARGEST_IMAGE_PX),
    integer("capture", 0, INT32_MAX),
    text("camera"),
    integer("frame_idx", 0, INT32_MAX),
)
ANNOTATION_FIELDS = (
    integer("id"),
    integer("image_id"),
    box("bbox"),
    flags("joint_valid", JOINT_COUNT, 1),
    hand_type("hand_type"),
    flags("hand_type_valid"),
)
CAMERA_FIELDS = (
    numbers("camrot", 3, 3),
    numbers("campos", 3),
    numbers("focal", 2, positive=True),
    numbers("princpt", 2),
)
JOINT_FIELDS = (numbers("world_coord", JOINT_COUNT, 3), flags("joint_valid", JOINT_COUNT, 1))
MANO_FIELDS = (numbers("pose", 48), numbers("shape", 10), numbers("trans", 3))
ROOTNET_FIELDS = (integer("annot_id"), box("bbox"), numbers("abs_depth", 2))


@dataclass(frozen=True)
class Release:
    """A data folder in InterHand2.6M's layout."""

    root: Path
    synthetic: bool = False

    @classmethod
    def of(cls, config: Config) -> "Release":
        """Return the data folder of a run."""
        return cls(Layout.of(config).dataset, config.data.source == "synthetic")

    def images(self, split: str) -> Path:
        """Folder below which the file names of a split lie."""
        return self.root / "images" / split

    def annotation(self, split: str, kind: str) -> Path:
        """Annotation file; ``kind`` is one of :data:`digit.run.layout.ANNOTATION_KINDS`."""
        return annotation_path(self.root, split, kind)

    def rootnet(self, split: str) -> Path | None:
        """RootNet's results under either name, or None when there are none."""
        return next((path for path in rootnet_paths(self.root, split) if path.is_file()), None)

    def remedy(self, what: str) -> str:
        """Say what to do about broken or missing ``what``: annotations, images or rootnet_output."""
        if self.synthetic:
            return "delete the data set and run `digit synthesize` again"
        folder = {"images": "images/", "annotations": "annotations/", "rootnet_output": "rootnet_output/"}[what]
        release = "RootNet's results for InterHand2.6M" if what == "rootnet_output" else f"the {what} of the 5 fps v1.0"
        return f"download {release} from {PAGE} and unpack them to {folder} below data.root ({self.root})"


def read_samples(release: Release, split: str, problems: Problems) -> Columns:
    """Read ``data.json`` as one row per annotation, in annotation order.

    Returns:
        Columns of the samples table, except those of frames and cameras rows and RootNet; ``camera`` as text.
    """
    path, remedy = release.annotation(split, "data"), release.remedy("annotations")
    document = scan(path, remedy)
    lists = document.keyed()
    tables = {}
    for section, fields in (("images", IMAGE_FIELDS), ("annotations", ANNOTATION_FIELDS)):
        parts = []
        chunks = document.chunks(lists[section]) if section in lists else iter(())
        for chunk in chunks:
            records = list(chunk)
            names = [f"id {record.get('id')}" if isinstance(record, dict) else str(record)[:40] for record in records]
            parts.append(read_fields(records, names, fields, path, remedy, problems)[0])
        tables[section] = _concatenate(parts, fields)
        if not parts:
            problems.error(path, f"{section}[] is missing or empty", remedy)
        ids = tables[section]["id"]
        unique, counts = np.unique(ids, return_counts=True)
        if len(unique) < len(ids):
            problems.error(path, f"{section}[].id occurs more than once", remedy, unique[counts > 1].tolist())
    return _join_images(tables["images"], tables["annotations"], path, remedy, problems)


def _join_images(images: Columns, annotations: Columns, path: Path, remedy: str, problems: Problems) -> Columns:
    """Bring the image of each annotation beside it."""
    place, found = lookup(images["id"], annotations["image_id"])
    if not found.all():
        missing = [f"annotation {a}: image_id {i}" for a, i in _pairs(annotations, ~found, "id", "image_id")]
        problems.error(path, "annotations[].image_id is not the id of an image", remedy, missing)
    unused = ~np.isin(images["id"], annotations["image_id"])
    if unused.any():
        problems.warn(path, "images without an annotation are not used", "", texts(images["file_name"][unused]))
    annotated = {name: array[found] for name, array in annotations.items()}
    pictures = {name: array[place[found]] for name, array in images.items()}
    names, counts = np.unique(pictures["file_name"], return_counts=True)
    if (counts > 1).any():
        problems.error(path, "file_name belongs to several annotations", remedy, texts(names[counts > 1]))
    x, y, width, height = annotated["bbox"].T
    beside = (x > pictures["width"]) | (y > pictures["height"]) | (x + width < 0) | (y + height < 0)
    if beside.any():
        wrong = [f"id {number}: {box_px}" for number, box_px in _pairs(annotated, beside, "id", "bbox")]
        problems.warn(path, "bbox lies outside its image, so its crop is empty", remedy, wrong)
    return {
        "annot_id": annotated["id"],
        "annotation_order": np.flatnonzero(found).astype(np.int32),
        "capture": pictures["capture"].astype(np.int32),
        "frame": pictures["frame_idx"].astype(np.int32),
        "camera": pictures["camera"],
        "width": pictures["width"].astype(np.int32),
        "height": pictures["height"].astype(np.int32),
        "box_px": annotated["bbox"],
        "joint_valid": annotated["joint_valid"][..., 0],
        "hand_type": annotated["hand_type"],
        "hand_type_valid": annotated["hand_type_valid"],
        "file_name": pictures["file_name"],
    }


def read_cameras(release: Release, split: str, problems: Problems) -> Columns:
    """Read ``camera.json``: capture and name (C,), rotation, position, focal length, principal point."""
    path, remedy = release.annotation(split, "camera"), release.remedy("annotations")
    document = scan(path, remedy).whole()
    records: list[dict[str, Any]] = []
    names, owners = [], []
    for capture, entry in (document if isinstance(document, dict) else {}).items():
        raw = {field.name: entry.get(field.name) if isinstance(entry, dict) else None for field in CAMERA_FIELDS}
        tables = {name: table if isinstance(table, dict) else {} for name, table in raw.items()}
        for camera in sorted(set().union(*tables.values())):
            records.append({name: table.get(camera) for name, table in tables.items()})
            names.append(f"capture {capture} camera {camera}")
            owners.append((capture, camera))
    if not records:
        problems.error(path, "holds no camera", remedy)
    columns, sound = read_fields(records, names, CAMERA_FIELDS, path, remedy, problems)
    columns = columns or _concatenate([], CAMERA_FIELDS)
    numbered = Counter((_decimal(owners[k][0]), owners[k][1]) for k in sound)
    twins = [f"capture {c} camera {name}" for (c, name), count in numbered.items() if count > 1 and c >= 0]
    if twins:
        problems.error(path, "holds cameras more than once", f"{TWINS_REMEDY}, or {remedy}", twins)
    return {
        "camera_capture": np.array([_decimal(owners[k][0]) for k in sound], np.int32),
        "camera_name": np.array([owners[k][1].encode() for k in sound] or [b""])[: len(sound)],
        "rotation": columns["camrot"],
        "position_mm": columns["campos"],
        "focal_px": columns["focal"],
        "princpt_px": columns["princpt"],
    }


def read_joints(release: Release, split: str, wanted: set[tuple[int, int]], problems: Problems) -> Columns:
    """Read ``joint_3d.json`` for the ``wanted`` (capture, frame): their number and joints in world mm."""
    path, remedy = release.annotation(split, "joint_3d"), release.remedy("annotations")
    owners, parts = [np.empty((0, 2), np.int32)], []
    for capture, frames in _frames(path, remedy):
        kept = {frame: record for frame, record in frames.items() if (capture, _decimal(frame)) in wanted}
        names = [f"capture {capture} frame {frame}" for frame in kept]
        columns, sound = read_fields(list(kept.values()), names, JOINT_FIELDS, path, remedy, problems)
        parts.append(columns)
        owners.append(np.array([(capture, _decimal(f)) for f in kept], np.int32).reshape(-1, 2)[sound])
    columns, numbers_of = _concatenate([part for part in parts if part], JOINT_FIELDS), np.concatenate(owners)
    _, first, counts = np.unique(numbers_of, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        twins = [f"capture {capture} frame {frame}" for capture, frame in numbers_of[first[counts > 1]]]
        problems.error(path, "holds frames more than once", f"{TWINS_REMEDY}, or {remedy}", twins)
        columns, numbers_of = {name: array[first] for name, array in columns.items()}, numbers_of[first]
    return {
        "frame_capture": numbers_of[:, 0],
        "frame_number": numbers_of[:, 1],
        "joints_world_mm": columns["world_coord"],
        "joints_world_valid": columns["joint_valid"][..., 0],
    }


def read_mano(release: Release, split: str, frames: dict[tuple[int, int], int], problems: Problems) -> Columns:
    """Read the hand fits of ``frames``, a row number for each (capture, frame); axis 1 is right, left.

    A capture, a frame or a hand may be missing or null: it has no fit.
    """
    path, remedy = release.annotation(split, "MANO_NeuralAnnot"), release.remedy("annotations")
    count = len(frames)
    pose, shape, trans = (np.zeros((count, 2, size), np.float32) for size in (48, 10, 3))
    valid = np.zeros((count, 2), bool)
    for capture, chunk in _frames(path, remedy):
        rows = {frame: frames[capture, _decimal(frame)] for frame in chunk if (capture, _decimal(frame)) in frames}
        for side, hand in enumerate(HANDS):
            fits = {f: chunk[f][hand] for f in rows if isinstance(chunk[f], dict) and chunk[f].get(hand) is not None}
            names = [f"capture {capture} frame {frame} {hand}" for frame in fits]
            columns, sound = read_fields(list(fits.values()), names, MANO_FIELDS, path, remedy, problems)
            if columns:
                places = np.array([rows[frame] for frame in fits])[sound]
                again = valid[places, side] | (np.bincount(places, minlength=count)[places] > 1)
                twins = [names[k] for k in sound[again]]
                if twins:
                    problems.error(path, "holds fits more than once", f"{TWINS_REMEDY}, or {remedy}", twins)
                pose[places, side], shape[places, side] = columns["pose"], columns["shape"]
                trans[places, side], valid[places, side] = columns["trans"], True
    return {"mano_pose": pose, "mano_shape": shape, "mano_trans_m": trans, "mano_valid": valid}


def read_rootnet(path: Path, release: Release, problems: Problems) -> Columns:
    """Read RootNet's results: annot_id (R,), bbox (R, 4) px, abs_depth (R, 2) mm; the last of equal ids counts."""
    remedy = release.remedy("rootnet_output")
    document = scan(path, remedy)
    parts = []
    for chunk in document.chunks():
        records = chunk if isinstance(chunk, list) else []
        names = [f"annot_id {record.get('annot_id')}" if isinstance(record, dict) else "?" for record in records]
        parts.append(read_fields(records, names, ROOTNET_FIELDS, path, remedy, problems)[0])
    if not any(parts):
        problems.error(path, "holds no result", remedy)
    columns = _concatenate([part for part in parts if part], ROOTNET_FIELDS)
    ids, counts = np.unique(columns["annot_id"], return_counts=True)
    if (counts > 1).any():
        problems.warn(path, "annot_id occurs more than once, the last result counts", remedy, ids[counts > 1].tolist())
    return columns


def texts(names: np.ndarray) -> list[str]:
    """Decode names (n,) of UTF-8 bytes."""
    return [name.decode() for name in names.tolist()]


def lookup(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find each of ``wanted`` (n,) in ``keys`` (m,): its place (n,), 0 if absent, and whether it is there (n,)."""
    if len(keys) == 0:
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    order = np.argsort(keys, kind="stable")
    place = order[np.clip(np.searchsorted(keys, wanted, side="right", sorter=order) - 1, 0, None)]
    found = keys[place] == wanted
    return np.where(found, place, 0), found


def _frames(path: Path, remedy: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Capture number and some frames at a time of a {capture: {frame: record}} file."""
    document = scan(path, remedy)
    for row in document.members():
        capture = _decimal(document.key(row))
        for chunk in document.chunks(row):
            yield capture, chunk if isinstance(chunk, dict) else {}


def _decimal(name: str) -> int:
    """Return the number of a capture or frame; -1, which matches nothing, for other names and larger numbers."""
    number = int(name) if name.isdecimal() and len(name) <= len(str(INT32_MAX)) else -1
    return number if number <= INT32_MAX else -1


def _concatenate(parts: list[Columns], fields: tuple[Field, ...]) -> Columns:
    """Chunks of columns as one, or empty columns of the right shape."""
    parts = [part for part in parts if part]
    if not parts:
        return {field.name: field.empty() for field in fields}
    return {field.name: np.concatenate([part[field.name] for part in parts]) for field in fields}


def _pairs(columns: Columns, mask: np.ndarray, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(columns[name][mask].tolist() for name in names), strict=True))
