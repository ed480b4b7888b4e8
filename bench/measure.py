"""Timing that is fair to all sides, private memory, and how a result is shown."""

import contextlib
import inspect
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import cv2
import numba
import torch
import typer
from rich.console import Console
from rich.table import Table

from bench import fabricate


@dataclass(frozen=True)
class Goal:
    """A promise of issue 4 and what was measured."""

    what: str
    measured: float
    bound: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{self.what}: {self.measured:.3g}, goal {sign} {self.bound:g}, {'met' if self.met else 'goal missed'}"


@dataclass(frozen=True)
class Result:
    """What one benchmark measured: costs in ``unit``, less is better."""

    name: str
    unit: str
    ours: float
    plain: float | None
    limit: float | None
    n: int
    """Items that our side, and the limit, worked on."""
    n_plain: int
    goals: tuple[Goal, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times as long the plain way takes, item for item; None if it was not measured."""
        return None if self.plain is None else self.plain / self.ours

    def document(self) -> dict[str, Any]:
        """As one JSON object."""
        goals = [asdict(goal) | {"met": goal.met} for goal in self.goals]
        return {
            "name": self.name,
            "ours": self.ours,
            "plain": self.plain,
            "ratio": self.ratio,
            "limit": self.limit,
            "unit": self.unit,
            "n": self.n,
            "n_plain": self.n_plain,
            "goals": goals,
            **self.extra,
        }


def show(result: Result) -> None:
    """Print a table for people and, as the last line, the result as JSON."""
    table = Table(title=result.name, title_justify="left")
    for heading in ("side", result.unit, "items", "times ours"):
        table.add_column(heading, justify="left" if heading == "side" else "right")
    for side, cost, n in (
        ("ours", result.ours, result.n),
        ("plain", result.plain, result.n_plain),
        ("limit", result.limit, result.n),
    ):
        if cost is not None:
            table.add_row(side, f"{cost:.4g}", f"{n:,}", f"{cost / result.ours:.3g}")
    console = Console()
    console.print(table)
    for name, value in result.extra.items():
        console.print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}", highlight=False)
    for goal in result.goals:
        console.print(str(goal), style="green" if goal.met else "bold red", highlight=False)
    sys.stdout.write(json.dumps(result.document()) + "\n")
    sys.stdout.flush()


def alternate(
    sides: Mapping[str, Callable[[], Any]], repetitions: int = 3, before: Callable[[], Any] = lambda: None
) -> dict[str, list[float]]:
    """Time the sides in turns, so that a busy machine disturbs all of them alike.

    Args:
        sides: what to time, by name.
        repetitions: of each.
        before: runs untimed before each of them.

    Returns:
        Seconds of every repetition, by side.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, run in sides.items():
            before()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def typical(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Medians of what :func:`alternate` returned."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def private_mb() -> float:
    """Memory of this process alone, in MB (anonymous pages): what one more process of its kind costs.

    Pages of mapped files, an index's or a library's, are not counted: the kernel keeps one copy for all processes
    and takes it back when memory is short.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e3


@contextlib.contextmanager
def watching_memory(seconds_between_looks: float = 0.01) -> Iterator[dict[str, float]]:
    """Give a dict whose ``peak_mb`` is, after the block, the most memory of its own that the process had."""
    seen, done = {"peak_mb": 0.0}, threading.Event()

    def watch() -> None:
        while True:
            seen["peak_mb"] = max(seen["peak_mb"], private_mb())
            if done.wait(seconds_between_looks):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Result of a module-level function in a process that has done nothing else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def use_one_core(number: int = 0) -> None:
    """Pin this process to one of the cores that it may use, and every library to one thread."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    numba.set_num_threads(1)


def command(run: Callable[..., Result]) -> None:
    """Run a benchmark from the command line and show its result.

    Its parameters are options; the first, the folder to work in, is a temporary one unless given.
    """

    def main(folder: Path | None, **options: Any) -> None:
        with fabricate.workspace(folder) as work:
            show(run(work, **options))

    first, *others = inspect.signature(run).parameters.values()
    help_text = typer.Option(help="Where to work; by default a temporary folder.")
    place = first.replace(annotation=Annotated[Path | None, help_text], default=None)
    main.__signature__ = inspect.Signature([*others, place])  # type: ignore[attr-defined]
    main.__annotations__ = {}
    main.__doc__ = run.__doc__
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
