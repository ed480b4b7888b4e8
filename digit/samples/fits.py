"""How well the hand fits agree with the annotated joints: errors, what is accepted, and the table on disk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from digit.run.errors import UserError
from digit.run.files import sync
from digit.samples.index import SplitIndex
from digit.skeleton import HANDS, JOINTS_PER_HAND

SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "file_name": pa.string(),
        **{f"fit_{hand}_mm": pa.float64() for hand in HANDS},
        **{f"fitted_{hand}": pa.bool_() for hand in HANDS},
        **{f"valid_{hand}": pa.bool_() for hand in HANDS},
        **{f"pixels_{hand}": pa.int32() for hand in HANDS},
        "drawn_from": pa.uint64(),
        "reason": pa.string(),
    }
)
"""Columns of the table on disk; only ``fit_..._mm`` may be null."""
PAIR = "pair"
"""Where the store's header and the table's metadata have the digest that shows that they were made together."""


@dataclass(frozen=True)
class FittedHands:
    """What a data set must know of the fits of a split's N samples; axes of length 2 are [right, left]."""

    drawn: np.ndarray
    """(N, 2) bool: the hand has a fit, so the mask shows it."""
    accepted: np.ndarray
    """(N, 2) bool: the hand has a fit, and it is good enough to supervise."""
    pairs: list[str | None]
    """Of each shard what its store's header must have under ``PAIR``; None in tables from before there was one."""


@dataclass
class FitTable:
    """What is learnt about the hands of n samples while their masks are drawn; axes of length 2 are [right, left]."""

    fitted: np.ndarray
    """(n, 2) bool: a hand fit exists."""
    error_mm: np.ndarray
    """(n, 2) mean distance between regressed and annotated valid joints; NaN where there is no fit or no joint."""
    pixels: np.ndarray
    """(n, 2) int32 pixels that show the hand."""
    drawn_from: np.ndarray
    """(n,) uint64 digest of what the mask and the errors were made from, see :func:`digests`."""

    @classmethod
    def empty(cls, count: int) -> "FitTable":
        """A table to be filled in."""
        shape = (count, 2)
        return cls(np.zeros(shape, bool), np.full(shape, np.nan), np.zeros(shape, np.int32), np.zeros(count, np.uint64))


def digests(index: SplitIndex, rows: np.ndarray) -> np.ndarray:
    """(n,) uint64 digests of everything in an index that shapes masks and fit errors of ``rows``."""
    frames, frame_of = np.unique(index.frame_row[rows], return_inverse=True)
    cameras, camera_of = np.unique(index.camera_row[rows], return_inverse=True)
    of_frames = digest_rows(
        *(index.mano_pose[frames], index.mano_shape[frames], index.mano_trans_m[frames], index.mano_valid[frames]),
        *(index.joints_world_mm[frames], index.joints_world_valid[frames]),
    )
    of_cameras = digest_rows(
        index.rotation[cameras], index.position_mm[cameras], index.focal_px[cameras], index.princpt_px[cameras]
    )
    own = (index.joint_valid[rows], index.width[rows], index.height[rows])
    return digest_rows(of_frames[frame_of], of_cameras[camera_of], *own)


def digest_rows(*columns: np.ndarray) -> np.ndarray:
    """(n,) uint64 digest of each row of tables (n, ...)."""
    count = len(columns[0])
    flat = [
        np.ascontiguousarray(column).reshape(count, math.prod(column.shape[1:])).view(np.uint8) for column in columns
    ]
    joined = np.concatenate(flat, axis=1)
    return np.array([int.from_bytes(blake2b(row, digest_size=8).digest()) for row in joined], np.uint64)


def pair_digest(digest: blake2b, rows: np.ndarray, table: FitTable) -> str:
    """Add to the digest of a store what the table of its index rows (n,) was made from: what both are to state."""
    digest = digest.copy()
    for column in (rows.astype(np.int64), table.fitted, table.pixels, table.drawn_from):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def mean_over_valid(distances_mm: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean of (n, 42) distances over each hand's valid joints: (n, 2), NaN for a hand without one."""
    valid = valid & np.isfinite(distances_mm)
    counts = valid.reshape(-1, 2, JOINTS_PER_HAND).sum(axis=-1)
    sums = np.where(valid, distances_mm, 0.0).reshape(-1, 2, JOINTS_PER_HAND).sum(axis=-1)
    return np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def judge_fits(table: FitTable, hand_type: np.ndarray, max_fit_error_mm: float | None) -> tuple[np.ndarray, list[str]]:
    """Decide which fits may supervise.

    Args:
        table: the samples' fits.
        hand_type: (n, 2) bool, which hands are annotated as present.
        max_fit_error_mm: largest error of an accepted fit; None accepts all.

    Returns:
        (n, 2) bool; and for each sample what is wrong with its hands, empty if nothing is. A missing fit of a hand
        that is not there is not wrong.
    """
    missing = hand_type & ~table.fitted
    outside = hand_type & table.fitted & (table.pixels == 0)
    limit = np.inf if max_fit_error_mm is None else max_fit_error_mm
    unmeasured = table.fitted & np.isnan(table.error_mm) & (max_fit_error_mm is not None)
    worse = table.fitted & (table.error_mm > limit)
    reasons = [""] * len(hand_type)
    for row, side in np.argwhere(missing | outside | unmeasured | worse):
        notes = [reasons[row]] if reasons[row] else []
        if missing[row, side]:
            notes.append(f"{HANDS[side]}: no fit")
        if outside[row, side]:
            notes.append(f"{HANDS[side]}: not in the picture")
        if unmeasured[row, side]:
            notes.append(f"{HANDS[side]}: fit error unknown, no valid joint")
        if worse[row, side]:
            notes.append(f"{HANDS[side]}: fit error {table.error_mm[row, side]:.1f} mm above {limit:g} mm")
        reasons[row] = "; ".join(notes)
    return table.fitted & ~worse & ~unmeasured, reasons


def write_fits(
    path: Path,
    index: SplitIndex,
    rows: np.ndarray,
    table: FitTable,
    max_fit_error_mm: float | None,
    note: str,
    pair: str,
) -> None:
    """Write the table of fit errors of index rows (n,), one row per sample; an unknown error is null.

    Columns (:data:`SCHEMA`): row (of the index), file_name, fit_right_mm, fit_left_mm, fitted_right, fitted_left (a
    fit exists), valid_right, valid_left (and is accepted), pixels_right, pixels_left (that show the hand), drawn_from
    (digest of what the mask was made from), reason (why something is missing or not accepted). ``note`` is kept in the
    file's metadata, and so is ``pair``, the digest that the store's header has too.
    """
    valid, reasons = judge_fits(table, index.hand_type[rows], max_fit_error_mm)
    columns = {"row": rows, "file_name": index.keys(rows), "drawn_from": table.drawn_from, "reason": reasons}
    for side, name in enumerate(HANDS):
        error = table.error_mm[:, side]
        columns[f"fit_{name}_mm"] = pa.array(error, mask=np.isnan(error))
        for column, values in {"fitted": table.fitted, "valid": valid, "pixels": table.pixels}.items():
            columns[f"{column}_{name}"] = values[:, side]
    content = pa.table(columns, SCHEMA).replace_schema_metadata({"digit": note, PAIR: pair})
    pq.write_table(content, path, compression="zstd", write_page_checksum=True)
    sync(path)


def recall_fits(path: Path, index: SplitIndex, rows: np.ndarray, table: FitTable, pair: str | None) -> np.ndarray:
    """Fill in ``table`` for those of ``rows`` that an earlier table knows and that are still made from the same.

    Args:
        path: the earlier table.
        index: of the split.
        rows: (n,) index rows.
        table: of the n samples, ``drawn_from`` given.
        pair: what the earlier store's header has under ``PAIR``.

    Returns:
        (n,) bool, which samples were filled in; none if there is no sound earlier table that belongs to that store.
    """
    try:
        content = _read(path)
    except UserError:
        return np.zeros(len(rows), bool)
    earlier = content.to_pandas().drop_duplicates("file_name").set_index("file_name")
    if pair is None or _pair(content) != pair or earlier.empty:
        return np.zeros(len(rows), bool)
    places = earlier.index.get_indexer(pd.Index(index.keys(rows)))
    known = (places >= 0) & (earlier["drawn_from"].to_numpy()[places] == table.drawn_from)
    for column, values in {"fitted": table.fitted, "pixels": table.pixels}.items():
        values[known] = earlier[[f"{column}_{name}" for name in HANDS]].to_numpy()[places[known]]
    table.error_mm[known] = earlier[[f"fit_{name}_mm" for name in HANDS]].to_numpy(float)[places[known]]
    return known


def read_fits(paths: Sequence[Path], count: int) -> pd.DataFrame:
    """Join the tables of all shards: one row per sample, labelled with its index row; unknown errors are NaN.

    Raises:
        UserError: a table is missing or damaged, or together they do not cover the ``count`` samples of the index.
    """
    table = pd.concat([_read(path).to_pandas() for path in paths]).set_index("row").sort_index()
    _require_cover(np.array_equal(table.index, np.arange(count)), len(table), count, paths)
    return table


def read_hands(paths: Sequence[Path], count: int) -> FittedHands:
    """Which hands of the ``count`` samples of a split have a fit, and an accepted one; reads only what says so.

    Raises:
        UserError: as :func:`read_fits`.
    """
    columns = ["row", *(f"{column}_{name}" for column in ("fitted", "valid") for name in HANDS)]
    hands = FittedHands(np.zeros((count, 2), bool), np.zeros((count, 2), bool), [])
    covered, total = np.zeros(count, bool), 0
    for path in paths:
        content = _read(path, columns)
        rows, *values = (content[name].to_numpy() for name in columns)
        total += len(rows)
        _require_cover(bool(((rows >= 0) & (rows < count)).all()), total, count, paths)
        hands.drawn[rows], hands.accepted[rows] = np.stack(values[:2], axis=1), np.stack(values[2:], axis=1)
        covered[rows] = True
        hands.pairs.append(_pair(content))
    _require_cover(bool(covered.all()) and total == count, total, count, paths)
    pa.default_memory_pool().release_unused()
    return hands


def _read(path: Path, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    remedy = "run `digit parts` for this shard again"
    try:
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            content = file.read(list(columns), use_threads=False)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise UserError(f"{path}: missing or damaged ({error}); {remedy}") from error
    for name in columns:
        if name not in content.column_names or content.schema.field(name).type != SCHEMA.field(name).type:
            raise UserError(f"{path}: has no column {name} of {SCHEMA.field(name).type}; {remedy}")
        if content[name].null_count and not name.startswith("fit_"):
            raise UserError(f"{path}: has nothing in some rows of column {name}; {remedy}")
    return content


def _pair(content: pa.Table) -> str | None:
    """The digest in a table's metadata."""
    pair = (content.schema.metadata or {}).get(PAIR.encode())
    return None if pair is None else pair.decode(errors="replace")


def _require_cover(covered: bool, rows: int, count: int, paths: Sequence[Path]) -> None:
    if not covered:
        raise UserError(
            f"{paths[0]} and the other tables of the split cover {rows} rows, the index has {count}; "
            "run parts again, all shards"
        )


def describe_fits(fits: pd.DataFrame) -> list[str]:
    """Say in a few lines how large the errors are and how many samples lack a fit, and why."""
    lines = []
    for name in HANDS:
        errors = fits[f"fit_{name}_mm"].dropna()
        if len(errors):
            middle, high = errors.quantile(0.5), errors.quantile(0.95)
            lines.append(
                f"fit error, {name} hand: median {middle:.1f} mm, 95 % below {high:.1f} mm, worst {errors.max():.1f} mm"
                f" ({len(errors):,} hands)"
            )
    pieces = fits["reason"][fits["reason"] != ""].str.split("; ").explode()
    counts = pieces.str.replace(r"error [\d.]+ mm", "error", regex=True).value_counts(sort=False).sort_index()
    lines.append(",  ".join(f"{number:,} x {reason}" for reason, number in counts.items()) or "every hand has a fit")
    return lines


def summary(table: FitTable) -> str:
    """Describe fit errors in a few words."""
    known = [errors[~np.isnan(errors)] for errors in table.error_mm.T]
    words = [f"{name} {np.median(e):.1f} mm" for name, e in zip(HANDS, known, strict=True) if len(e)]
    return f"median fit error {', '.join(words)}" if words else "no fit could be measured"
