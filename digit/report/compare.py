"""Experiments against the first one: differences on the same frames, from the predictions that evaluation saved."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digit import metrics, scoring
from digit.config import Config, to_dict
from digit.report.facts import Evaluation, Trained
from digit.run.errors import UserError
from digit.run.files import replacing
from digit.run.layout import Layout
from digit.samples.index import open_index

COLUMNS = (
    "experiment", "seeds", "reference", "reference_seeds", "split", "root_depth", "metric", "value", "reference_value",
    "difference", "low", "high", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Experiments minus the first one, under one protocol; those that differ in their seed alone count as one."""

    reference: str
    """Name of the first experiment."""
    seeds: dict[str, tuple[str, ...]]
    """{experiment: it and its repetitions with other seeds}, the first experiment included."""
    evaluation: Evaluation
    """Of the first experiment."""
    frames: int
    """Bootstrap units."""
    resamples: int
    differences: dict[str, dict[str, metrics.Difference]]
    """{experiment: {metric: difference}}, without the first experiment."""


def compare(config: Config, layout: Layout, trained: Sequence[Trained]) -> Comparison | None:
    """Compare every experiment with the first one under its first protocol; None if there is only one.

    Raises:
        UserError: when predictions are missing, damaged, or of other samples than the first experiment's.
    """
    recipes = _by_recipe(trained)
    if len(recipes) < 2:
        return None
    evaluation = trained[0].evaluations[0]
    split, root_depth = evaluation.split, evaluation.root_depth
    index = open_index(layout.index(split))
    paths = [layout.evaluation(item.name, split, root_depth) / "predictions.npz" for item in trained]
    tallies, rows = {}, None
    for item, path in zip(trained, paths, strict=True):
        outputs = scoring.load_outputs(path, index)
        rows = outputs.row if rows is None else rows
        if not np.array_equal(outputs.row, rows):
            raise UserError(f"{path}: holds other samples than {paths[0]}; evaluate both again")
        space = metrics.Space.of(item.settings.model)
        tallies[item.name] = scoring.tally_outputs(outputs, index, root_depth, space)
    reference, *others = ([tallies[item.name] for item in recipe] for recipe in recipes)
    found = {
        recipe[0].name: metrics.differences(ours, reference, config.evaluate.bootstrap, config.run.seed)
        for recipe, ours in zip(recipes[1:], others, strict=True)
    }
    seeds = {recipe[0].name: tuple(item.name for item in recipe) for recipe in recipes}
    return Comparison(trained[0].name, seeds, evaluation, len(reference[0].sums), config.evaluate.bootstrap, found)


def _by_recipe(trained: Sequence[Trained]) -> list[list[Trained]]:
    """Experiments in their order, those that differ in nothing but ``training.seed`` together."""
    recipes: dict[str, list[Trained]] = {}
    for item in trained:
        settings = to_dict(item.settings)
        del settings["training"]["seed"]
        recipes.setdefault(json.dumps(settings), []).append(item)
    return list(recipes.values())


def write_comparison(path: Path, comparison: Comparison, trained: Sequence[Trained]) -> None:
    """Write every difference as one line of a CSV file; values are means over seeds, what is undefined stays empty."""
    documents = {item.name: item.evaluations[0].document["metrics"] for item in trained}
    evaluation, reference = comparison.evaluation, comparison.reference

    def value(name: str, metric: str) -> float | None:
        values = [documents[one][metric] for one in comparison.seeds[name]]
        return None if None in values else float(np.mean(values))

    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, differences in comparison.differences.items():
            counts = (name, len(comparison.seeds[name]), reference, len(comparison.seeds[reference]))
            for metric, difference in differences.items():
                edges = difference.interval or (None, None)
                numbers = (value(name, metric), value(reference, metric), difference.value, *edges)
                shown = ["" if number is None else f"{number:.6g}" for number in numbers]
                writer.writerow([*counts, evaluation.split, evaluation.root_depth, metric, *shown, difference.verdict])
