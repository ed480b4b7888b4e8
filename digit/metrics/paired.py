"""Differences between two predictors on the same samples, and how sure they are.

Both are resampled together: each bootstrap resample draws the same units (frames) for both. What makes a frame hard
is then hard for both and cancels, which is why these intervals are narrower than those of the two values. Where a
predictor was trained several times, its seeds are resampled, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from digit.metrics.summary import SCALARS, UNITS, Tally, scalars

LOWER_IS_BETTER = tuple(name for name, unit in UNITS.items() if unit == "mm")
"""Errors, which are in mm; of the others, which are shares, more is better."""
Verdict = Literal["better", "worse", "undecided"]
LEAST_UNITS = 20
"""With fewer, a bootstrap says little: nothing is called better or worse."""
_RESAMPLES_AT_ONCE = 64


@dataclass(frozen=True)
class Difference:
    """One metric of a predictor minus that of the reference."""

    value: float | None
    """None where either is undefined."""
    interval: tuple[float, float] | None
    """Paired bootstrap interval; None without resamples, or with fewer than two units."""
    verdict: Verdict
    """Better or worse where the interval leaves 0 out, and ``LEAST_UNITS`` were measured."""


def differences(
    tallied: Sequence[Tally], reference: Sequence[Tally], resamples: int, seed: int, level: float = 0.95
) -> dict[str, Difference]:
    """Every scalar metric minus the reference's, with percentile intervals of a paired bootstrap over units and seeds.

    Of s > 1 seeds each resample draws s - 1 with replacement, for each of the two on its own: the variance of a mean
    over few is then not underestimated (Rao and Wu, *Resampling inference with complex survey data*, JASA 1988).

    Args:
        tallied: Of the predictor, one for each seed that it was trained with; values are of all together.
        reference: Of the predictor it is compared with; row for row the same units.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        level: Of the intervals.

    Raises:
        ValueError: when they were not all measured on equally many units.
    """
    units = len(reference[0].sums)
    others = [len(each.sums) for each in (*tallied, *reference) if len(each.sums) != units]
    if others:
        raise ValueError(f"paired differences need the same units: {others[0]} and {units}")
    ours, theirs = (np.stack([each.sums for each in some]) for some in (tallied, reference))
    values = _differences(ours.sum(axis=(0, 1)), theirs.sum(axis=(0, 1)))
    if resamples < 1 or units < 2:
        return {name: _judge(name, float(values[name]), np.empty(0), level) for name in SCALARS}
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in SCALARS}
    for start in range(0, resamples, _RESAMPLES_AT_ONCE):
        size = min(_RESAMPLES_AT_ONCE, resamples - start)
        frames = np.stack([np.bincount(rng.integers(0, units, units), minlength=units) for _ in range(size)])
        blocks = [_resampled(sums, frames.astype(np.float64), rng) for sums in (ours, theirs)]
        for name, block in _differences(*blocks).items():
            drawn[name].append(block)
    found = {name: _judge(name, float(values[name]), np.concatenate(drawn[name]), level) for name in SCALARS}
    return found if units >= LEAST_UNITS else {name: replace(each, verdict="undecided") for name, each in found.items()}


def _resampled(sums: np.ndarray, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sums (s, units, columns) of s seeds under (r, units) counts of each unit and newly drawn seeds: (r, columns)."""
    of_seeds = frames @ sums
    seeds = len(sums)
    if seeds == 1:
        return of_seeds[0]
    counts = rng.multinomial(seeds - 1, np.full(seeds, 1 / seeds), len(frames))
    return np.einsum("rs,src->rc", counts, of_seeds)


def _differences(sums: np.ndarray, reference_sums: np.ndarray) -> dict[str, np.ndarray]:
    ours, theirs = scalars(sums), scalars(reference_sums)
    return {name: ours[name] - theirs[name] for name in SCALARS}


def _judge(name: str, value: float, resampled: np.ndarray, level: float) -> Difference:
    if not np.isfinite(value):
        return Difference(None, None, "undecided")
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return Difference(value, None, "undecided")
    low, high = (float(edge) for edge in np.quantile(finite, [(1 - level) / 2, (1 + level) / 2]))
    if low <= 0 <= high:
        return Difference(value, (low, high), "undecided")
    return Difference(value, (low, high), "better" if (high < 0) == (name in LOWER_IS_BETTER) else "worse")
