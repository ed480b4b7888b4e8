"""Tables and charts that set experiments side by side."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from digit import metrics
from digit.config import Experiment, merge, to_dict
from digit.config.presets import PRESETS
from digit.report import charts
from digit.report.compare import Comparison
from digit.report.facts import Trained, duration
from digit.report.tables import NONE, TITLES, number

DIFFERENCES = ("mpjpe_sh", "mpjpe_ih", "mpjpe_all", "pa_mpjpe_all", "mrrpe", "handedness_accuracy")
"""Metrics in which experiments are compared with the first one."""
COMPARED = ("mpjpe_all", "pa_mpjpe_all", "mrrpe", "handedness_accuracy", "part_iou", "pck_auc")


def comparison(trained: Sequence[Trained]) -> list[dict[str, Any]]:
    """Experiments side by side under the first protocol."""
    values = {name: [item.evaluations[0].document["metrics"][name] for item in trained] for name in COMPARED}
    best = {}
    for name, column in values.items():
        known = [value for value in column if value is not None]
        best[name] = (min if name in metrics.LOWER_IS_BETTER else max)(known, default=None)
    rows = []
    for place, item in enumerate(trained):
        parameters, seconds = item.provenance.get("parameters"), item.provenance.get("seconds")
        rows.append(
            {
                "name": item.name,
                "changes": changes(item.settings, trained[0] if place else None),
                "parameters": f"{parameters / 1e6:.2f}" if parameters else NONE,
                "time": duration(seconds) if seconds else NONE,
                "cells": [
                    {
                        "text": number(column[place], name),
                        "best": column[place] is not None and column[place] == best[name],
                    }
                    for name, column in values.items()
                ],
            }
        )
    return rows


def difference_rows(compared: Comparison) -> list[dict[str, Any]]:
    """Experiments minus the first one: each metric with its interval and verdict."""
    return [
        {
            "name": name,
            "seeds": len(compared.seeds[name]),
            "cells": [_difference_cell(found[metric], metric) for metric in DIFFERENCES],
        }
        for name, found in compared.differences.items()
    ]


def _difference_cell(difference: metrics.Difference, name: str) -> dict[str, str]:
    if difference.value is None:
        return {"text": NONE, "interval": "", "verdict": ""}
    edges = [signed(edge, name) for edge in difference.interval or ()]
    return {
        "text": signed(difference.value, name),
        "interval": f"[{', '.join(edges)}]" if edges else "",
        "verdict": difference.verdict,
    }


def signed(value: float, name: str) -> str:
    """A difference as text, with its sign."""
    text = number(abs(value), name)
    if not float(text):
        return text
    return ("+" if value > 0 else "\N{MINUS SIGN}") + text


def changes(settings: Experiment, reference: Trained | None = None) -> str:
    """What an experiment changes from another one of its preset, or else from the preset."""
    chosen, start, name = to_dict(settings), merge(to_dict(Experiment()), PRESETS[settings.preset]), ""
    if reference and reference.settings.preset == settings.preset:
        start, name = to_dict(reference.settings), reference.name
    changed = ", ".join(
        f"{section}.{key}: {value}"
        for section in ("model", "augment", "losses", "training")
        for key, value in chosen[section].items()
        if value != start[section][key]
    )
    if name:
        return f"as {name}, but {changed}" if changed else f"as {name}"
    return f"preset {settings.preset}" + (f": {changed}" if changed else "")


def difference_charts(compared: Comparison) -> list[dict[str, Any]]:
    """Differences in mm with their intervals, one chart per metric."""
    return [
        {"name": TITLES[metric], "svg": Markup(charts.interval_chart(_intervals(compared, metric), "mm"))}
        for metric in DIFFERENCES
        if metrics.UNITS[metric] == "mm"
    ]


def _intervals(compared: Comparison, metric: str) -> list[charts.Interval]:
    return [
        charts.Interval(name, found[metric].value, found[metric].interval, found[metric].verdict)
        for name, found in compared.differences.items()
    ]
