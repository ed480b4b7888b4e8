"""Experiments against the first one: differences on the same frames, from the predictions that evaluation saved."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digit import metrics, scoring
from digit.config import Config
from digit.report.facts import Evaluation, Trained
from digit.run.errors import UserError
from digit.run.files import replacing
from digit.run.layout import Layout
from digit.samples.index import open_index

COLUMNS = (
    "experiment", "reference", "split", "root_depth", "metric", "value", "reference_value", "difference", "low", "high",
    "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Experiments minus the first one, under one protocol."""

    reference: str
    """Name of the first experiment."""
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
    if len(trained) < 2:
        return None
    evaluation = trained[0].evaluations[0]
    split, root_depth = evaluation.split, evaluation.root_depth
    index = open_index(layout.index(split))
    paths = [layout.evaluation(item.name, split, root_depth) / "predictions.npz" for item in trained]

    def read(number: int) -> tuple[np.ndarray, metrics.Tally]:
        outputs = scoring.load_outputs(paths[number], index)
        space = metrics.Space.of(trained[number].settings.model)
        return outputs.row, scoring.tally_outputs(outputs, index, root_depth, space)

    rows, reference = read(0)
    found = {}
    for number, item in enumerate(trained[1:], start=1):
        own_rows, tallied = read(number)
        if not np.array_equal(own_rows, rows):
            raise UserError(f"{paths[number]}: holds other samples than {paths[0]}; evaluate both again")
        found[item.name] = metrics.differences(tallied, reference, config.evaluate.bootstrap, config.run.seed)
    return Comparison(trained[0].name, evaluation, len(reference.sums), config.evaluate.bootstrap, found)


def write_comparison(path: Path, comparison: Comparison, trained: Sequence[Trained]) -> None:
    """Write every difference as one line of a CSV file; what is undefined stays empty."""
    values = {item.name: item.evaluations[0].document["metrics"] for item in trained}
    evaluation = comparison.evaluation
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, differences in comparison.differences.items():
            for metric, difference in differences.items():
                numbers = (
                    values[name][metric],
                    values[comparison.reference][metric],
                    difference.value,
                    *(difference.interval or (None, None)),
                )
                where = (name, comparison.reference, evaluation.split, evaluation.root_depth, metric)
                shown = ["" if number is None else f"{number:.6g}" for number in numbers]
                writer.writerow([*where, *shown, difference.verdict])
