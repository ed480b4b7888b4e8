"""Columnar tables of one split: written once, then opened memory-mapped by every process that needs them.

An index is a folder with one ``.npy`` file per column and ``index.json``, which names the format, the counts,
each column's type, shape, size and checksum, and the annotation files that the tables were made from. Three tables
share the folder: *samples* (one row per image, sorted by capture, frame, camera), *frames* and *cameras* (only those
that a sample refers to). See ``docs/formats/prepared.md``.

The checksum is of a column's first and last 64 KB, so that it can be compared at every opening: it notices files that
are cut off, zeroed, mixed up or torn by a crash, and any change of a short one, but not a changed bit amid a long one.
"""

import dataclasses
import hashlib
import os
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit import geometry
from digit.run.errors import UserError
from digit.run.files import read_json, replacing, sync, write_json
from digit.skeleton import JOINT_COUNT

FORMAT = "digit-index"
VERSION = 2
HEADER_NAME = "index.json"
ROWS_AT_ONCE = 1 << 16
CHECKED_BYTES = 1 << 16
"""How much of either end of a column its checksum covers."""


@dataclass(frozen=True)
class Column:
    """Table, element type (``S`` = text of any fixed width) and shape of one row."""

    table: str
    kind: str
    shape: tuple[int, ...] = ()


COLUMNS: dict[str, Column] = {
    "annot_id": Column("samples", "int64"),
    "annotation_order": Column("samples", "int32"),
    "frame_row": Column("samples", "int32"),
    "camera_row": Column("samples", "int32"),
    "capture": Column("samples", "int32"),
    "frame": Column("samples", "int32"),
    "width": Column("samples", "int32"),
    "height": Column("samples", "int32"),
    "box_px": Column("samples", "float64", (4,)),
    "joint_valid": Column("samples", "bool", (JOINT_COUNT,)),
    "hand_type": Column("samples", "bool", (2,)),
    "hand_type_valid": Column("samples", "bool"),
    "file_name": Column("samples", "S"),
    "rootnet_box_px": Column("samples", "float64", (4,)),
    "rootnet_depth_mm": Column("samples", "float64", (2,)),
    "rootnet_valid": Column("samples", "bool"),
    "frame_capture": Column("frames", "int32"),
    "frame_number": Column("frames", "int32"),
    "joints_world_mm": Column("frames", "float64", (JOINT_COUNT, 3)),
    "joints_world_valid": Column("frames", "bool", (JOINT_COUNT,)),
    "mano_pose": Column("frames", "float32", (2, 48)),
    "mano_shape": Column("frames", "float32", (2, 10)),
    "mano_trans_m": Column("frames", "float32", (2, 3)),
    "mano_valid": Column("frames", "bool", (2,)),
    "camera_capture": Column("cameras", "int32"),
    "camera_name": Column("cameras", "S"),
    "rotation": Column("cameras", "float64", (3, 3)),
    "position_mm": Column("cameras", "float64", (3,)),
    "focal_px": Column("cameras", "float64", (2,)),
    "princpt_px": Column("cameras", "float64", (2,)),
}
"""Every column of an index. Axes of length 2 are [right, left]; boxes are x, y, width, height."""


@dataclass(frozen=True, eq=False)
class SplitIndex:
    """The tables of one split; N samples, F frames, C cameras. Open with :func:`open_index`.

    Arrays are read-only memory maps shared by all processes. Pickling sends the folder's path, not the data.
    """

    folder: Path
    header: dict[str, Any]
    annot_id: np.ndarray
    """(N,) id of the annotation."""
    annotation_order: np.ndarray
    """(N,) place of the annotation in ``data.json``."""
    frame_row: np.ndarray
    """(N,) row of the frames table; never decreases."""
    camera_row: np.ndarray
    """(N,) row of the cameras table."""
    capture: np.ndarray
    """(N,) capture number."""
    frame: np.ndarray
    """(N,) frame number within the capture."""
    width: np.ndarray
    """(N,) image width in px."""
    height: np.ndarray
    """(N,) image height in px."""
    box_px: np.ndarray
    """(N, 4) annotated box."""
    joint_valid: np.ndarray
    """(N, 42) the annotation's joint validity."""
    hand_type: np.ndarray
    """(N, 2) which hands are there."""
    hand_type_valid: np.ndarray
    """(N,) whether ``hand_type`` may be trusted."""
    file_name: np.ndarray
    """(N,) image path below ``images/<split>/``, as UTF-8 bytes."""
    rootnet_box_px: np.ndarray
    """(N, 4) RootNet's box, NaN where there is none."""
    rootnet_depth_mm: np.ndarray
    """(N, 2) RootNet's absolute depth of the roots, NaN where there is none."""
    rootnet_valid: np.ndarray
    """(N,) whether the RootNet file has this sample."""
    frame_capture: np.ndarray
    """(F,) capture number."""
    frame_number: np.ndarray
    """(F,) frame number within the capture."""
    joints_world_mm: np.ndarray
    """(F, 42, 3) joints in the world."""
    joints_world_valid: np.ndarray
    """(F, 42) validity of the world joints."""
    mano_pose: np.ndarray
    """(F, 2, 48) global orientation and axis angles, 0 where there is no fit."""
    mano_shape: np.ndarray
    """(F, 2, 10) shape coefficients."""
    mano_trans_m: np.ndarray
    """(F, 2, 3) translation in metres."""
    mano_valid: np.ndarray
    """(F, 2) whether the hand has a fit."""
    camera_capture: np.ndarray
    """(C,) capture number."""
    camera_name: np.ndarray
    """(C,) camera name, as UTF-8 bytes."""
    rotation: np.ndarray
    """(C, 3, 3) world to camera."""
    position_mm: np.ndarray
    """(C, 3) camera centre in the world."""
    focal_px: np.ndarray
    """(C, 2) focal lengths."""
    princpt_px: np.ndarray
    """(C, 2) principal point."""

    @property
    def split(self) -> str:
        """Name of the split."""
        return self.header["split"]

    def __len__(self) -> int:
        return len(self.annot_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_index, (self.folder,)

    def keys(self, rows: np.ndarray | slice | None = None) -> list[str]:
        """File names of ``rows`` (default: all): the keys of the image and part stores."""
        names = self.file_name if rows is None else self.file_name[rows]
        return [name.decode() for name in names.tolist()]

    def rows_of(self, names: Collection[str]) -> np.ndarray:
        """(n,) int64 rows whose file name is one of ``names``; meant for few names among any number of rows."""
        wanted = np.array(sorted(name.encode() for name in names) or [b""])
        found = []
        for start in range(0, len(self) if names else 0, ROWS_AT_ONCE):
            block = self.file_name[start : start + ROWS_AT_ONCE]
            places = np.searchsorted(wanted, block).clip(max=len(wanted) - 1)
            found.append(start + np.flatnonzero(wanted[places] == block))
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def protocol_order(self) -> np.ndarray:
        """(N,) int64 rows: single-hand samples first, then interacting ones, each in annotation order."""
        return np.lexsort((self.annotation_order, self.hand_type.all(axis=1)))

    def shards_of(self, rows: np.ndarray | slice, shards: int) -> np.ndarray:
        """(n,) which of ``shards`` shards holds each of ``rows``; see :meth:`shard_rows`."""
        frames = self.frame_row[rows]
        captures = self.frame_capture[frames]
        return (frames - np.searchsorted(self.frame_capture, captures) + captures) % shards

    def shard_rows(self, shards: int, shard: int) -> np.ndarray:
        """(n,) int64 rows of one of ``shards`` shards, ascending; all samples of a frame stay together.

        The frames of a capture are dealt out in turn, so shards are near-equal, and where a frame belongs does not
        depend on other captures. With few frames some shards are empty.

        Raises:
            UserError: when there is no such shard.
        """
        if not 0 <= shard < shards:
            raise UserError(f"shard {shard}: data.shards is {shards}, so shards are 0..{shards - 1}")
        return np.flatnonzero(self.shards_of(slice(None), shards) == shard)

    def camera_joints_mm(self, rows: np.ndarray | slice) -> np.ndarray:
        """(n, 42, 3) float64 joints of ``rows`` in their own camera, valid or not."""
        cameras = self.camera_row[rows]
        joints_world_mm = self.joints_world_mm[self.frame_row[rows]]
        return geometry.world_to_camera(joints_world_mm, self.rotation[cameras], self.position_mm[cameras])

    def seen_joints(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        """Joints of ``rows`` in their own camera, and which of them count.

        Returns:
            (n, 42, 3) float64 mm, and (n, 42) bool: annotated as valid, and in front of the camera.
        """
        joints_cam_mm = self.camera_joints_mm(rows)
        return joints_cam_mm, self.joint_valid[rows] & geometry.in_front(joints_cam_mm)


def write_index(folder: Path, split: str, columns: dict[str, np.ndarray], sources: list[dict[str, Any]]) -> None:
    """Write the tables as a folder, all or nothing.

    Args:
        folder: where; an earlier index there is replaced.
        split: name of the split.
        columns: an array for every name in :data:`COLUMNS`, rows already in order.
        sources: what the tables were made from, see :func:`describe_source`.

    Raises:
        ValueError: when a column is missing, or has another type, shape or length than its table.
        UserError: when the folder cannot be written.
    """
    described: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    for name, column in COLUMNS.items():
        array = columns[name]
        kind = "S" if array.dtype.kind == "S" else array.dtype.name
        if (kind, array.shape[1:]) != (column.kind, column.shape):
            raise ValueError(f"column {name}: {array.dtype} {array.shape[1:]}, expected {column.kind} {column.shape}")
        if counts.setdefault(column.table, len(array)) != len(array):
            raise ValueError(f"column {name}: {len(array)} rows, its table {column.table} has {counts[column.table]}")
        described[name] = {"table": column.table, "dtype": array.dtype.str, "shape": list(array.shape)}
    header = {"format": FORMAT, "version": VERSION, "split": split, "counts": counts}
    with replacing(folder) as temporary:
        temporary.mkdir()
        for name in COLUMNS:
            path = temporary / f"{name}.npy"
            _write_column(path, np.ascontiguousarray(columns[name]))
            described[name] |= _fingerprint(path)
        write_json(temporary / HEADER_NAME, header | {"columns": described, "sources": sources})
        sync(temporary)


def _write_column(path: Path, array: np.ndarray) -> None:
    """Write the bytes that :func:`numpy.save` writes, which would not say why the system refuses some."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


def _fingerprint(path: Path) -> dict[str, int]:
    """Size of a file and CRC-32 of its first and last :data:`CHECKED_BYTES`, or of all when it is no longer."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        checksum = zlib.crc32(file.read(CHECKED_BYTES))
        file.seek(max(size - CHECKED_BYTES, CHECKED_BYTES))
        return {"bytes": size, "crc32_of_ends": zlib.crc32(file.read(CHECKED_BYTES), checksum)}


def open_index(folder: Path) -> SplitIndex:
    """Open an index in milliseconds; but for the ends of its columns nothing is read until it is used.

    Raises:
        UserError: when the folder is missing, of another version or damaged.
    """
    folder = Path(folder)
    remedy = f"run `digit index --split {folder.name}` again"
    header = _read_header(folder, remedy)
    arrays = {}
    for name in COLUMNS:
        path, stated = folder / f"{name}.npy", header["columns"][name]
        try:
            if stated != stated | _fingerprint(path):
                raise UserError(f"{path}: does not match {HEADER_NAME}, so it is damaged or of another index; {remedy}")
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: missing or damaged ({error}); {remedy}") from error
    return SplitIndex(folder=folder, header=header, **arrays)


def _read_header(folder: Path, remedy: str) -> dict[str, Any]:
    header = read_json(folder / HEADER_NAME, remedy)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError(f"{folder}: is not a digit index; {remedy}")
    if header.get("version") != VERSION:
        raise UserError(f"{folder}: is index version {header.get('version')}, this digit reads {VERSION}; {remedy}")
    kinds = {"split": str, "counts": dict, "columns": dict, "sources": list}
    damaged = [name for name, kind in kinds.items() if not isinstance(header.get(name), kind)]
    if not damaged:
        damaged = [name for name in COLUMNS if not isinstance(header["columns"].get(name), dict)]
    if damaged:
        raise UserError(f"{folder / HEADER_NAME}: does not state {', '.join(damaged)}; {remedy}")
    return header


def describe_source(path: Path, root: Path) -> dict[str, Any]:
    """Name (relative to the data root), size and SHA-256 of a file that an index is made from."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.relative_to(root).as_posix(), "bytes": path.stat().st_size, "sha256": digest}


assert {field.name for field in dataclasses.fields(SplitIndex)} == {*COLUMNS, "folder", "header"}
