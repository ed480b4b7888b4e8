"""The cost of a run as a table, and below it what the estimate rests on."""

import math
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table

from digit.config import SPLITS, Config
from digit.planning.costs import longest_path_s, plan, sample_counts
from digit.planning.rates import Rate


def show(config: Config, console: Console) -> None:
    """Print the estimate and what it rests on.

    Raises:
        UserError: when the run has an index that does not say how many samples there are.
    """
    costs = plan(config)
    counts, sources = sample_counts(config)
    style: dict[str, Any] = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD}
    table = Table(title=f"Estimate for run {config.run.name}", **style)
    table.add_column("stage")
    for name in ("jobs", "core-hours", "GPU-hours", "disk", "longest job"):
        table.add_column(name, justify="right")
    for cost in costs:
        table.add_row(
            cost.stage,
            f"{cost.jobs}",
            _hours(cost.core_hours),
            _hours(cost.gpu_hours),
            _size(cost.disk_bytes),
            _duration(cost.longest_s),
        )
    table.add_section()
    table.add_row(
        "all",
        f"{sum(c.jobs for c in costs)}",
        _hours(sum(c.core_hours for c in costs)),
        _hours(sum(c.gpu_hours for c in costs)),
        _size(sum(c.disk_bytes for c in costs)),
        f"path {_duration(longest_path_s(costs))}",
        style="bold",
    )
    inputs = Table(title="It rests on", show_header=False, **style)
    inputs.add_column(no_wrap=True)
    inputs.add_column(justify="right", no_wrap=True)
    inputs.add_column()
    for split in SPLITS:
        inputs.add_row(f"{split} images", f"{counts[split]:,}", sources[split])
    for cost in costs:
        inputs.add_row(cost.stage, _pace(cost.rate), cost.rate.source)
    note = (
        "Core-hours are those of the cores that jobs ask for. The longest path has a node for every job and no queue;\n"
        "images and parts run side by side. Rates of another machine, disk or load give other hours."
    )
    console.print(Group("", table, "", inputs, "", note))


def _hours(hours: float) -> str:
    if not hours:
        return ""
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}" if hours >= 0.01 else "< 0.01"


def _size(size: float) -> str:
    if size < 1e5:
        return ""
    unit, name = (1e12, "TB") if size >= 1e12 else (1e9, "GB") if size >= 1e8 else (1e6, "MB")
    return f"{size / unit:.1f} {name}" if size / unit < 10 else f"{size / unit:.0f} {name}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def _pace(rate: Rate) -> str:
    if not rate.seconds:
        return f"{rate.start_s:.0f} s per job"
    if rate.seconds < 0.0001:
        return f"{rate.seconds * 1e6:.0f} us per sample"
    return f"{rate.seconds * 1e3:.2g} ms per sample"
