"""Scoring saved predictions: arrays over all samples against loops over samples and joints."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from bench import fabricate
from bench.measure import Goal, Result, alternate, command, in_fresh_process, use_one_core
from bench.plain import evaluate as plain
from bench.plain import index as plain_index
from digit import metrics, scoring
from digit.config import Config, ModelSettings
from digit.model.inference import Outputs
from digit.run.layout import Layout
from digit.samples.index import open_index
from digit.skeleton import JOINT_COUNT, LABEL_COUNT
from digit.stages.index import index

FASTER = 100
SECONDS_FOR_100_000 = 10


def run(
    folder: Path,
    samples: Annotated[int, typer.Option(help="Predictions to score.")] = 50_000,
    samples_plain: Annotated[int, typer.Option(help="Predictions to score the plain way.")] = 1000,
    repetitions: Annotated[int, typer.Option(help="Of each side.")] = 5,
) -> Result:
    """Score made-up predictions for ``samples`` samples, the plain way for ``samples_plain`` of them."""
    root = folder / f"evaluate-release-{samples}"
    data = {"source": "interhand", "root": str(root)}
    config = fabricate.configuration(folder, f"evaluate-{samples}", data=data)
    fabricate.write_annotations(root, samples)
    index(config, fabricate.SPLIT)
    return in_fresh_process(_measure, config, folder / "evaluate-pickles", samples_plain, repetitions)


def _measure(config: Config, pickles: Path, samples_plain: int, repetitions: int) -> Result:
    use_one_core()
    layout, settings = Layout.of(config), ModelSettings()
    table, space = open_index(layout.index(fabricate.SPLIT)), metrics.Space.of(settings)
    outputs = made_up_outputs(table.protocol_order())
    plain_index.pickle_annotations(layout.dataset, fabricate.SPLIT, pickles)
    plain_index.pickle_fits([], np.empty((0, 2)), pickles)
    places = np.linspace(0, len(table) - 1, samples_plain).astype(int)
    everything = plain_index.open_split(pickles)
    chosen, some = [everything[place] for place in places], take(outputs, places)
    del everything
    # Also compiles our loops, which is not timed: they are compiled once an installation.
    require_equal(scoring.scalars_of(some, table, "gt", space), plain.score(chosen, some, settings))
    sides = {
        "ours": lambda: scoring.scalars_of(outputs, table, "gt", space),
        "plain": lambda: plain.score(chosen, some, settings),
    }
    best = {side: min(times) for side, times in alternate(sides, repetitions).items()}
    ours, theirs = best["ours"] / len(table), best["plain"] / len(chosen)
    goals = (
        Goal("times faster than plain", theirs / ours, FASTER),
        Goal("seconds for 100,000 samples", ours * 1e5, SECONDS_FOR_100_000, at_least=False),
    )
    extra = {"samples_per_second": 1 / ours}
    return Result("evaluate", "ms a sample", ours * 1e3, theirs * 1e3, None, len(table), len(chosen), goals, extra)


def made_up_outputs(rows: np.ndarray, seed: int = 0) -> Outputs:
    """Predictions for index rows (n,) that could be a network's, but know nothing."""
    rng, count, parts = np.random.default_rng(seed), len(rows), LABEL_COUNT - 1
    scale = rng.uniform(0.8, 1.4, count)
    maps = np.zeros((count, 2, 3), np.float32)
    maps[:, 0, 0], maps[:, 1, 1], maps[:, :, 2] = scale, scale, rng.uniform(0, 100, (count, 2))
    union = rng.integers(0, 300, (count, parts))
    return Outputs(
        row=rows,
        joint_coord=rng.uniform(0, 64, (count, JOINT_COUNT, 3)).astype(np.float32),
        rel_root_depth=rng.uniform(0, 64, (count, 1)).astype(np.float32),
        hand_type=rng.random((count, 2), np.float32),
        inv_trans=maps,
        segm_confusion=np.zeros((LABEL_COUNT, LABEL_COUNT), np.int64),
        overlap_px=(union * rng.random((count, parts))).astype(np.int64),
        union_px=union,
    )


def take(outputs: Outputs, places: np.ndarray) -> Outputs:
    """The predictions at ``places``."""
    per_sample = [field.name for field in fields(Outputs) if field.name != "segm_confusion"]
    return replace(outputs, **{name: getattr(outputs, name)[places] for name in per_sample})


def require_equal(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Stop unless both sides give the same numbers."""
    for name, value in theirs.items():
        assert np.isclose(ours[name], value, rtol=1e-4), f"{name}: {ours[name]} here, {value} the plain way"


if __name__ == "__main__":
    command(run)
