"""From errors per sample to metrics, their intervals and their curves.

Every scalar metric is a ratio of sums. So the errors are added up once per resampling unit (a frame: the
cameras that see one moment are not independent), and a bootstrap resample is a row of counts times those sums.
"""

from dataclasses import dataclass

import numpy as np

from digit.metrics import kernel
from digit.metrics.measure import Errors
from digit.skeleton import JOINT_COUNT, JOINT_NAMES, LABEL_COUNT, ROOT_JOINTS

PCK_LIMIT_MM = 50
PCK_THRESHOLDS_MM = np.arange(PCK_LIMIT_MM + 1)
PARTS = LABEL_COUNT - 1
SETS = ("sh", "ih", "all")
UNITS = {
    "mpjpe_sh": "mm", "mpjpe_ih": "mm", "mpjpe_all": "mm",
    "mpjpe_sh_no_wrist": "mm", "mpjpe_ih_no_wrist": "mm", "mpjpe_all_no_wrist": "mm",
    "pa_mpjpe_sh": "mm", "pa_mpjpe_ih": "mm", "pa_mpjpe_all": "mm",
    "mrrpe": "mm", "handedness_accuracy": "share", "part_iou": "share", "pck_auc": "share",
}  # fmt: skip
"""Every scalar metric and its unit."""
SCALARS = tuple(UNITS)
FINGER_JOINTS = np.setdiff1d(np.arange(JOINT_COUNT), ROOT_JOINTS)
"""(40,) all joints but the wrists, whose root-relative error is 0 by definition."""

_WIDTHS = {
    "error_sh": JOINT_COUNT, "error_ih": JOINT_COUNT, "count_sh": JOINT_COUNT, "count_ih": JOINT_COUNT,
    "aligned_sh": JOINT_COUNT, "aligned_ih": JOINT_COUNT, "aligned_count_sh": JOINT_COUNT,
    "aligned_count_ih": JOINT_COUNT, "area": 1, "area_count": 1, "root": 1, "root_count": 1, "hand": 1, "hand_count": 1,
    "overlap": PARTS, "union": PARTS,
}  # fmt: skip
_ENDS = np.cumsum(list(_WIDTHS.values()))
_COLUMNS = {name: slice(end - width, end) for (name, width), end in zip(_WIDTHS.items(), _ENDS, strict=True)}
_RESAMPLES_AT_ONCE = 64


@dataclass(frozen=True)
class Tally:
    """Sums of errors and of what they are divided by."""

    sums: np.ndarray
    """(units, columns) float64, one row per resampling unit."""
    pck_counts: np.ndarray
    """(2, 52) finger joints of single-hand and interacting samples, by error rounded up to 1 mm; last: > 50 mm."""
    samples: np.ndarray
    """(2,) single-hand and interacting samples."""


def tally(
    errors: Errors,
    units: np.ndarray | None = None,
    overlap_px: np.ndarray | None = None,
    union_px: np.ndarray | None = None,
) -> Tally:
    """Add up errors per resampling unit.

    Args:
        errors: Of n samples.
        units: (n,) any integers; samples with the same one are resampled together. None: each by itself.
        overlap_px: (n, 32) pixels where predicted and annotated part agree; 0 for a sample without a mask.
        union_px: (n, 32) pixels that have the part in either; 0 for a sample without a mask.
    """
    n = len(errors)
    unit_rows = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1]
    sums = np.zeros((int(unit_rows.max(initial=-1)) + 1, _ENDS[-1]))
    pck_counts = np.zeros((2, PCK_LIMIT_MM + 2), dtype=np.int64)
    by_kind = (len(sums), 2, JOINT_COUNT)
    for error, count, errors_mm, valid in (
        ("error", "count", errors.joint_mm, errors.joint_valid),
        ("aligned", "aligned_count", errors.aligned_mm, errors.aligned_valid),
    ):
        kernel.add_errors(
            errors_mm,
            valid,
            errors.interacting,
            unit_rows,
            _columns(sums, f"{error}_sh", f"{error}_ih").reshape(by_kind, copy=False),
            _columns(sums, f"{count}_sh", f"{count}_ih").reshape(by_kind, copy=False),
        )
    area = _columns(sums, "area", "area_count")
    kernel.add_pck(errors.joint_mm, errors.joint_valid, errors.interacting, unit_rows, PCK_LIMIT_MM, area, pck_counts)
    correct = errors.hand_correct & errors.hand_valid
    others = np.stack([errors.root_mm, errors.root_valid, correct, errors.hand_valid], axis=1)
    kernel.add_rows(others, unit_rows, _columns(sums, "root", "hand_count"))
    if overlap_px is not None and union_px is not None:
        kernel.add_rows(overlap_px, unit_rows, _columns(sums, "overlap", "overlap"))
        kernel.add_rows(union_px, unit_rows, _columns(sums, "union", "union"))
    interacting = int(errors.interacting.sum())
    return Tally(sums=sums, pck_counts=pck_counts, samples=np.array([n - interacting, interacting]))


def scalars(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scalar metrics of summed columns (..., columns): {name: (...)}, NaN where nothing was valid.

    MPJPE, aligned or not, is the mean over joints of each joint's mean over its valid samples; a joint without any is
    left out.
    """
    part = {name: sums[..., columns] for name, columns in _COLUMNS.items()}
    result = {}
    for joints, suffix in ((slice(None), ""), (FINGER_JOINTS, "_no_wrist")):
        for name in SETS:
            error, count = _joint_sums(part, name)
            result[f"mpjpe_{name}{suffix}"] = _mean_present(error[..., joints], count[..., joints])
    for name in SETS:
        result[f"pa_mpjpe_{name}"] = _mean_present(*_joint_sums(part, name, "aligned", "aligned_count"))
    result["mrrpe"] = _ratio(part["root"], part["root_count"])[..., 0]
    result["handedness_accuracy"] = _ratio(part["hand"], part["hand_count"])[..., 0]
    result["part_iou"] = _mean_present(part["overlap"], part["union"])
    result["pck_auc"] = _ratio(part["area"], part["area_count"])[..., 0]
    return {name: result[name] for name in SCALARS}


def intervals(tallied: Tally, resamples: int, seed: int, level: float = 0.95) -> dict[str, np.ndarray]:
    """Percentile bootstrap intervals of the scalar metrics: {name: (2,) low and high}, NaN where undefined.

    Units are drawn with replacement; with fewer than two units or no resamples every interval is NaN.
    """
    units = len(tallied.sums)
    if resamples < 1 or units < 2:
        return {name: np.full(2, np.nan) for name in SCALARS}
    rng = np.random.default_rng(seed)
    resampled = np.empty((resamples, tallied.sums.shape[1]))
    for start in range(0, resamples, _RESAMPLES_AT_ONCE):
        size = min(_RESAMPLES_AT_ONCE, resamples - start)
        drawn = rng.integers(0, units, (size, units)) + np.arange(size)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        resampled[start : start + size] = counts.astype(np.float64) @ tallied.sums
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    return {name: _quantiles(values, tails) for name, values in scalars(resampled).items()}


def per_joint(tallied: Tally) -> dict[str, dict[str, tuple[float, int]]]:
    """Mean error in mm (NaN without samples) and number of samples: {joint: {sh | ih | all: (mean, count)}}."""
    total = tallied.sums.sum(axis=0)
    part = {name: total[columns] for name, columns in _COLUMNS.items()}
    table: dict[str, dict[str, tuple[float, int]]] = {joint: {} for joint in JOINT_NAMES}
    for name in SETS:
        error, count = _joint_sums(part, name)
        for joint, mean, number in zip(JOINT_NAMES, _ratio(error, count), count, strict=True):
            table[joint][name] = (float(mean), int(number))
    return table


def skipped_joints(tallied: Tally) -> dict[str, list[str]]:
    """Joints without a valid sample, left out of the means: {sh | ih | all: [joint, ...]}."""
    table = per_joint(tallied)
    return {name: [joint for joint in JOINT_NAMES if not table[joint][name][1]] for name in SETS}


def pck(tallied: Tally) -> dict[str, np.ndarray]:
    """Share of finger joints (wrists left out) with an error of at most 0, 1, ..., 50 mm: {sh | ih | all: (51,)}."""
    counts = np.vstack([tallied.pck_counts, tallied.pck_counts.sum(axis=0)])
    shares = _ratio(np.cumsum(counts, axis=1), counts.sum(axis=1, keepdims=True))[:, :-1]
    return dict(zip(SETS, shares, strict=True))


def part_iou(tallied: Tally) -> np.ndarray:
    """Intersection over union of each part (32,) over all pixels; NaN for a part that never occurs."""
    total = tallied.sums.sum(axis=0)
    return _ratio(total[_COLUMNS["overlap"]], total[_COLUMNS["union"]])


def _columns(sums: np.ndarray, first: str, last: str) -> np.ndarray:
    """View of neighbouring columns."""
    return sums[:, _COLUMNS[first].start : _COLUMNS[last].stop]


def _joint_sums(
    part: dict[str, np.ndarray], name: str, error: str = "error", count: str = "count"
) -> tuple[np.ndarray, np.ndarray]:
    """Summed errors and their numbers per joint (..., 42) of one of :data:`SETS`."""
    if name == "all":
        return part[f"{error}_sh"] + part[f"{error}_ih"], part[f"{count}_sh"] + part[f"{count}_ih"]
    return part[f"{error}_{name}"], part[f"{count}_{name}"]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def _mean_present(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the ratios whose denominator is not 0; NaN when all are."""
    present = denominator > 0
    ratios = np.where(present, numerator / np.where(present, denominator, 1), 0)
    return _ratio(ratios.sum(axis=-1), present.sum(axis=-1))


def _quantiles(values: np.ndarray, tails: np.ndarray) -> np.ndarray:
    finite = values[np.isfinite(values)]
    return np.quantile(finite, tails) if len(finite) else np.full(2, np.nan)
