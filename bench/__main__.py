"""Run every benchmark, one after the other, and rewrite the table in docs/benchmarks.md."""

import datetime
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from bench import fabricate
from digit.run.files import replacing

BENCHMARKS = ("index", "images", "archive", "parts", "loader", "evaluate", "meshes")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- table: written by make bench -->", "<!-- end of table -->"
PACKAGES = ("numpy", "torch", "opencv-python-headless", "numba", "lmdb", "orjson", "pyarrow", "pyrender")


def run(name: str, folder: Path) -> dict[str, Any]:
    """Run a benchmark in its own process, show what it prints, and return its result."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{name}", "--folder", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    last = ""
    for last in process.stdout:
        if not last.startswith("{"):
            sys.stdout.write(last)
            sys.stdout.flush()
    if process.wait():
        raise SystemExit(f"bench.{name} failed")
    return json.loads(last)


def table(results: list[dict[str, Any]]) -> str:
    """Results as Markdown, with the machine, the versions and the date."""
    lines = [
        "| job | unit | digit | plain | limit | faster than plain | items (plain) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        cells = [result["name"], result["unit"], *(_shown(result[side]) for side in ("ours", "plain", "limit"))]
        cells += [f"{_shown(result['ratio'])} x", f"{result['n']:,} ({result['n_plain']:,})"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| job | target | measured | |", "| --- | --- | --- | --- |"]
    for result in results:
        for target in result["targets"]:
            sign = ">=" if target["at_least"] else "<="
            verdict = "met" if target["met"] else "**missed**"
            row = (result["name"], f"{target['what']} {sign} {target['bound']:g}", _shown(target["measured"]), verdict)
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join([machine(), "", *lines])


def machine() -> str:
    """One line on what was measured where and when."""
    memory_gb = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    return (
        f"{today}, {_processor()}, {cores} cores, {memory_gb:.0f} GB; Python {platform.python_version()}, {versions}."
    )


def rewrite(page: Path, text: str) -> None:
    """Replace what stands between the markers of ``page``."""
    content = page.read_text()
    before, rest = content.split(BEGIN)
    after = rest.split(END)[1]
    with replacing(page) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main(
    write: Annotated[bool, typer.Option(help="Rewrite the table in docs/benchmarks.md.")] = True,
    folder: Annotated[Path | None, typer.Option(help="Where to work; by default a temporary folder.")] = None,
) -> None:
    """Run all benchmarks."""
    with fabricate.workspace(folder) as work:
        results = [run(name, work) for name in BENCHMARKS]
    text = table(results)
    sys.stdout.write(text + "\n")
    if write:
        rewrite(PAGE, text)


if __name__ == "__main__":
    typer.run(main)
