"""Predictions of a split: their file, and their scores against an index as ``metrics.json`` holds them.

It joins :mod:`digit.model`, :mod:`digit.samples` and :mod:`digit.metrics`; training, evaluation and report use it.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from digit import metrics
from digit.config import RootDepth
from digit.model.inference import Outputs
from digit.run.errors import UserError
from digit.run.files import finite, replacing
from digit.samples.index import SplitIndex
from digit.skeleton import LABEL_NAMES, ROOT_JOINTS

BLOCK = 1 << 11
"""Samples measured at once: few enough that their arrays stay in the cache."""
LEVEL = 0.95
YARDSTICK_NOTE = (
    "baseline_mean_pose: root-relative mean joints, mean relative root and most frequent hand type of the training "
    "split, all hand types pooled, whatever the picture shows; it draws no mask, so its part_iou is null"
)


def truth_of(index: SplitIndex, rows: np.ndarray, root_depth: RootDepth) -> metrics.Truth:
    """Annotations of index rows (n,), with absolute root depths from their source."""
    cameras, (joints_cam_mm, joint_valid) = index.camera_row[rows], index.seen_joints(rows)
    annotated_mm = joints_cam_mm[:, list(ROOT_JOINTS), 2]
    return metrics.Truth(
        joints_cam_mm=joints_cam_mm,
        joint_valid=joint_valid,
        hand_type=index.hand_type[rows],
        hand_type_valid=index.hand_type_valid[rows],
        focal_px=index.focal_px[cameras],
        princpt_px=index.princpt_px[cameras],
        abs_depth_mm=index.rootnet_depth_mm[rows] if root_depth == "rootnet" else annotated_mm,
    )


def predictions_of(outputs: Outputs, block: slice = slice(None)) -> metrics.Predictions:
    """The poses of ``outputs``, or of a block of its samples."""
    return metrics.Predictions(
        joint_cells=outputs.joint_coord[block],
        rel_root_bins=outputs.rel_root_depth[block, 0],
        hand_probability=outputs.hand_type[block],
        crop_to_image=outputs.inv_trans[block],
    )


def tally_outputs(outputs: Outputs, index: SplitIndex, root_depth: RootDepth, space: metrics.Space) -> metrics.Tally:
    """Summed errors of predictions, one row per frame: all cameras of a frame are resampled together."""
    measured = [
        metrics.measure(predictions_of(outputs, block), truth_of(index, outputs.row[block], root_depth), space)
        for block in _blocks(len(outputs.row))
    ]
    units = index.frame_row[outputs.row]
    return metrics.tally(metrics.Errors.concatenate(measured), units, outputs.overlap_px, outputs.union_px)


def tally_constant(constant: metrics.ConstantPose, index: SplitIndex, rows: np.ndarray) -> metrics.Tally:
    """Summed errors of the mean-pose baseline on index rows (n,), one row per frame."""
    measured = [metrics.measure_constant(constant, truth_of(index, rows[block], "gt")) for block in _blocks(len(rows))]
    return metrics.tally(metrics.Errors.concatenate(measured), index.frame_row[rows])


def constant_of(index: SplitIndex) -> metrics.ConstantPose:
    """The mean pose of a whole split."""
    rows = np.arange(len(index))
    return metrics.fit_constant(truth_of(index, rows[block], "gt") for block in _blocks(len(index)))


def scalars_of(outputs: Outputs, index: SplitIndex, root_depth: RootDepth, space: metrics.Space) -> dict[str, float]:
    """The scalar metrics alone, NaN where nothing is valid."""
    tallied = tally_outputs(outputs, index, root_depth, space)
    return {name: float(value) for name, value in metrics.scalars(tallied.sums.sum(axis=0)).items()}


def score(
    outputs: Outputs,
    index: SplitIndex,
    root_depth: RootDepth,
    space: metrics.Space,
    constant: metrics.ConstantPose | None,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Every metric of saved predictions, as ``metrics.json`` holds them; an undefined number is None.

    Args:
        outputs: Predictions for rows of ``index``.
        index: Of the split.
        root_depth: Source of the absolute root depths.
        space: Units of the predictions.
        constant: The mean-pose baseline, None to leave it out.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    tallied = tally_outputs(outputs, index, root_depth, space)
    described = _describe(tallied, resamples, seed)
    notes = _notes(described, tallied)
    baseline = None
    if constant is None:
        notes.append("baseline_mean_pose: null, because the index of the training split is missing")
    else:
        baseline = _describe(tally_constant(constant, index, outputs.row), resamples, seed)
        notes.append(YARDSTICK_NOTE)
    return {
        "samples": {
            "all": len(outputs.row),
            "single_hand": int(tallied.samples[0]),
            "interacting": int(tallied.samples[1]),
            "with_mask": int((outputs.union_px.sum(axis=1) > 0).sum()),
            "frames": len(tallied.sums),
        },
        **described,
        "part_iou": {
            name: finite(value) for name, value in zip(LABEL_NAMES[1:], metrics.part_iou(tallied), strict=True)
        },
        "baseline_mean_pose": baseline,
        "skipped_joints": metrics.skipped_joints(tallied),
        "notes": notes,
    }


def save_outputs(path: Path, outputs: Outputs, index: SplitIndex) -> None:
    """Write predictions.npz: the arrays of :class:`Outputs` and ``im_path``, "<split>/<file name>" of each row."""
    arrays = dict(vars(outputs))
    arrays |= {name: arrays[name].astype(np.int32) for name in ("overlap_px", "union_px")}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, im_path=np.array(_image_paths(index, outputs.row)), **arrays)


def load_outputs(path: Path, index: SplitIndex) -> Outputs:
    """Read predictions.npz, to score it again or to show it.

    Raises:
        UserError: when the file is missing, damaged or belongs to another index.
    """
    remedy = "run `digit evaluate` again"
    try:
        with np.load(path, allow_pickle=False) as saved:
            names = saved["im_path"].tolist()
            outputs = Outputs(**{name: saved[name] for name in saved.files if name != "im_path"})
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: is not a readable predictions file ({error}); {remedy}") from error
    if outputs.row.max(initial=-1) >= len(index) or _image_paths(index, outputs.row) != names:
        raise UserError(f"{path}: was made with another index; {remedy}")
    return outputs


def _image_paths(index: SplitIndex, rows: np.ndarray) -> list[str]:
    return [f"{index.split}/{name}" for name in index.keys(rows)]


def _blocks(count: int) -> Iterator[slice]:
    """Slices of bounded size; one empty slice when there is nothing."""
    return (slice(start, min(start + BLOCK, count)) for start in range(0, max(count, 1), BLOCK))


def _describe(tallied: metrics.Tally, resamples: int, seed: int) -> dict[str, Any]:
    """Metrics, intervals, per-joint errors and PCK curve, ready for JSON."""
    ranges = metrics.intervals(tallied, resamples, seed, LEVEL)
    return {
        "metrics": {name: finite(v) for name, v in metrics.scalars(tallied.sums.sum(axis=0)).items()},
        "interval_95": {
            name: [float(low), float(high)] if np.isfinite(low) else None for name, (low, high) in ranges.items()
        },
        "per_joint": {
            joint: {name: finite(mean) for name, (mean, _) in row.items()}
            for joint, row in metrics.per_joint(tallied).items()
        },
        "pck": {
            "thresholds_mm": metrics.PCK_THRESHOLDS_MM.tolist(),
            **{name: [finite(share) for share in curve] for name, curve in metrics.pck(tallied).items()},
        },
    }


def _notes(described: dict[str, Any], tallied: metrics.Tally) -> list[str]:
    undefined = [name for name, value in described["metrics"].items() if value is None]
    reasons = {"part_iou": "no sample with a mask, or a network that draws no parts"}
    notes = [f"{name}: null, {reasons.get(name, 'no valid sample')}" for name in undefined]
    for name, joints in metrics.skipped_joints(tallied).items():
        if joints:
            notes.append(f"mpjpe_{name}: {len(joints)} joints without a valid sample are left out")
    return notes
