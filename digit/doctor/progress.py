"""How far a run is, which locks are held, and which jobs ended with an error."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from digit.config import SPLITS, Config
from digit.doctor.fact import Fact
from digit.run.layout import Layout
from digit.run.processes import is_held

TAIL_BYTES = 1 << 14
LONGEST_WORDS = 300
"""Characters of an error that are shown."""


def progress_facts(config: Config) -> Iterator[Fact]:
    """Yield which outputs of each stage exist."""
    layout, shards = Layout.of(config), range(config.data.shards)
    if not layout.run.is_dir():
        yield Fact("run", f"{layout.run} does not exist yet")
        return
    if config.data.source == "synthetic":
        yield Fact("synthesize", _splits(lambda split: [layout.annotations(split)[0]]))
    yield Fact("check", _splits(lambda split: [layout.check(split)]))
    yield Fact("index", _splits(lambda split: [layout.index(split)]))
    yield Fact("images", _splits(lambda split: [layout.images(split, shard) for shard in shards]))
    yield Fact("parts", _splits(lambda split: [layout.parts(split, shard) for shard in shards]))
    for name in config.experiments:
        yield Fact(f"train {name}", _training(layout.train(name)))
        measured = [(s, r) for s in config.evaluate.splits for r in config.evaluate.root_depth]
        done = [f"{s}-{r}" for s, r in measured if (layout.evaluation(name, s, r) / "metrics.json").is_file()]
        yield Fact(f"evaluate {name}", f"{len(done)} of {len(measured)}" + (f": {', '.join(done)}" if done else ""))
    yield Fact("report", "written" if (layout.report() / "index.html").is_file() else "not written")


def lock_facts(config: Config, state: Path) -> Iterator[Fact]:
    """Yield the locks that are held now.

    Args:
        config: a resolved configuration.
        state: Snakemake's folder ``.snakemake``.
    """
    folder = Layout.of(config).run / ".locks"
    held = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file() and is_held(path)]
    yield Fact("outputs that a process is writing", ", ".join(held) or "none")
    alive = is_held(state / "digit.lock")
    locked = (state / "locks").is_dir() and any((state / "locks").iterdir())
    remedy = "the next run on the same machine removes it; after one on another machine, add --unlock once"
    yield Fact("workflow", "one is running in this folder" if alive else "none is running in this folder")
    yield Fact("Snakemake's lock", "set" if locked else "not set", remedy if locked and not alive else "")


def error_facts(config: Config) -> Iterator[Fact]:
    """Yield the last words of jobs whose logs end with an error."""
    folder = Layout.of(config).run / "logs"
    for path in sorted(folder.rglob("*.log")):
        words = last_error(path)
        if words:
            yield Fact(f"log {path.relative_to(folder)}", words[:LONGEST_WORDS])


def last_error(path: Path) -> str | None:
    """The message that ends a log, in one line; None where the job did not end with one."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
        lines = file.read().decode(errors="replace").splitlines()
    for number in reversed(range(len(lines))):
        if lines[number].startswith("digit: "):
            return " ".join(line.strip() for line in lines[number:])
        if lines[number].startswith("Traceback (most recent call last)"):
            return "a defect of digit: " + next((line for line in reversed(lines) if line.strip()), "")
    return None


def _splits(paths: Callable[[str], Sequence[Path]]) -> str:
    told: list[str] = []
    for split in SPLITS:
        wanted = paths(split)
        there = sum(path.exists() for path in wanted)
        if there == len(wanted):
            told.append(split)
        elif there:
            told.append(f"{split} ({there} of {len(wanted)})")
    return ", ".join(told) or "nothing yet"


def _training(folder: Path) -> str:
    told = ["finished" if (folder / "best.ckpt").is_file() else "not finished"]
    unfinished = sorted(folder.glob(".progress/*/resume.ckpt"))
    told += [f"unfinished state {path.parent.name}{_epochs(path.parent / 'history.csv')}" for path in unfinished]
    return ", ".join(told) + ("" if unfinished else _epochs(folder / "history.csv"))


def _epochs(history: Path) -> str:
    try:
        with history.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return ""
    return f" (epoch {rows[-1].get('epoch')})" if rows else ""
