"""From a split's annotation files to the sorted columns of its index, with every reference resolved."""

from pathlib import Path

import numpy as np

from digit.release.interhand import (
    Columns,
    Release,
    lookup,
    read_cameras,
    read_joints,
    read_mano,
    read_rootnet,
    read_samples,
)
from digit.release.problems import Problems


def build_tables(release: Release, split: str, problems: Problems) -> tuple[Columns, list[Path]]:
    """Read all annotation files of a split.

    Samples come sorted by capture, frame and camera; of frames and cameras only those that a sample refers to are
    kept. A sample whose camera or frame is missing is an error and left out. Every file is read even when another
    is broken, so that all problems are known at once.

    Returns:
        The columns of the index (see :data:`digit.samples.index.COLUMNS`), and the files that were read. When
        ``problems`` has errors, those of broken files are missing and the samples may be unsorted.
    """
    samples: Columns = {}
    cameras: Columns = {}
    frames: Columns = {}
    with problems.gathering():
        samples = read_samples(release, split, problems)
    with problems.gathering():
        cameras = read_cameras(release, split, problems)
    wanted: set[tuple[int, int]] = set()
    if samples:
        wanted = set(zip(samples["capture"].tolist(), samples["frame"].tolist(), strict=True))
    with problems.gathering():
        frames = read_joints(release, split, wanted, problems)
        order = np.lexsort((frames["frame_number"], frames["frame_capture"]))
        frames = {name: array[order] for name, array in frames.items()}
    fits, fit_files = _read_fits(release, split, frames, problems)
    files = [release.annotation(split, kind) for kind in ("data", "camera", "joint_3d")] + fit_files
    rootnet, rootnet_files = _read_rootnet(release, split, problems)
    if samples and cameras and frames:
        samples, cameras = _link(samples, cameras, frames, release, split, problems)
    if samples:
        samples = samples | _rootnet_columns(samples["annot_id"], rootnet)
    return samples | frames | fits | cameras, files + rootnet_files


def _read_fits(release: Release, split: str, frames: Columns, problems: Problems) -> tuple[Columns, list[Path]]:
    """Hand fits in the rows of ``frames``. Only training needs them, so elsewhere their file may be missing."""
    rows: dict[tuple[int, int], int] = {}
    if frames:
        numbers = zip(frames["frame_capture"].tolist(), frames["frame_number"].tolist(), strict=True)
        rows = {number: row for row, number in enumerate(numbers)}
    path = release.annotation(split, "MANO_NeuralAnnot")
    fits: Columns = {}
    if not path.exists() and split != "train":
        remedy = "evaluation works without; for masks " + release.remedy("annotations")
        problems.warn(path, "is missing, so there are no hand fits and no part masks", remedy)
        fits = {f"mano_{name}": np.zeros((len(rows), 2, size), np.float32) for name, size in _MANO_SIZES.items()}
        return fits | {"mano_valid": np.zeros((len(rows), 2), bool)}, []
    with problems.gathering():
        fits = read_mano(release, split, rows, problems)
    return fits, [path]


_MANO_SIZES = {"pose": 48, "shape": 10, "trans_m": 3}


def _read_rootnet(release: Release, split: str, problems: Problems) -> tuple[Columns, list[Path]]:
    path = release.rootnet(split)
    rootnet: Columns = {}
    if path is None:
        return rootnet, []
    with problems.gathering():
        rootnet = read_rootnet(path, release, problems)
    return rootnet, [path]


def _rootnet_columns(annot_id: np.ndarray, rootnet: Columns) -> Columns:
    """RootNet's results beside the samples (N,), NaN where there is none."""
    count = len(annot_id)
    box_px, depth_mm = np.full((count, 4), np.nan), np.full((count, 2), np.nan)
    found = np.zeros(count, bool)
    if rootnet:
        place, found = lookup(rootnet["annot_id"], annot_id)
        box_px[found], depth_mm[found] = rootnet["bbox"][place[found]], rootnet["abs_depth"][place[found]]
    return {"rootnet_box_px": box_px, "rootnet_depth_mm": depth_mm, "rootnet_valid": found}


def _link(
    samples: Columns, cameras: Columns, frames: Columns, release: Release, split: str, problems: Problems
) -> tuple[Columns, Columns]:
    """Give samples the rows of their frame and camera, sort them, and drop cameras without a sample."""
    remedy = release.remedy("annotations")
    captures = cameras["camera_capture"].tolist()
    camera_of = {key: row for row, key in enumerate(zip(captures, cameras["camera_name"].tolist(), strict=True))}
    seen_by = list(zip(samples["capture"].tolist(), samples["camera"].tolist(), strict=True))
    camera_row = np.array([camera_of.get(key, -1) for key in seen_by], np.int64)
    frame_key = frames["frame_capture"].astype(np.int64) << 32 | frames["frame_number"]
    frame_row, has_frame = lookup(frame_key, samples["capture"].astype(np.int64) << 32 | samples["frame"])
    if (camera_row < 0).any():
        path = release.annotation(split, "camera")
        missing = sorted({f"capture {k[0]} camera {k[1].decode()}" for k in seen_by if k not in camera_of})
        problems.error(path, "lacks cameras that samples were seen by", remedy, missing)
    if not has_frame.all():
        path = release.annotation(split, "joint_3d")
        keys = np.unique(np.stack([samples["capture"], samples["frame"]], 1)[~has_frame], axis=0)
        missing = [f"capture {capture} frame {frame}" for capture, frame in keys]
        problems.error(path, "lacks frames that samples show", remedy, missing)
    used, camera_row_used = np.unique(camera_row[camera_row >= 0], return_inverse=True)
    order_of_names = np.lexsort((cameras["camera_name"][used], cameras["camera_capture"][used]))
    rank = np.empty(len(used), np.int64)
    rank[order_of_names] = np.arange(len(used))
    camera_row[camera_row >= 0] = rank[camera_row_used]
    sound = np.flatnonzero((camera_row >= 0) & has_frame)
    order = sound[np.lexsort((camera_row[sound], frame_row[sound]))]
    rows = {"frame_row": frame_row.astype(np.int32), "camera_row": camera_row.astype(np.int32)}
    sorted_samples = {name: array[order] for name, array in (samples | rows).items() if name != "camera"}
    return sorted_samples, {name: array[used[order_of_names]] for name, array in cameras.items()}
