"""What a run's files say: audits, counts, times, provenance, histories and metrics."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digit.config import SPLITS, Config, Experiment, RootDepth, Split
from digit.metrics import SCALARS
from digit.run import provenance
from digit.run.errors import UserError
from digit.run.files import finite, read_json
from digit.run.layout import Layout
from digit.samples.index import open_index

STAGES = ("synthesize", "check", "index", "images", "parts", "contact_sheet", "train", "evaluate", "report")
PROTOCOL_PREFERENCE: tuple[tuple[Split, RootDepth], ...] = (
    ("test", "rootnet"),
    ("test", "gt"),
    ("val", "rootnet"),
    ("val", "gt"),
)
ROOT_NAMES = {"rootnet": "RootNet", "gt": "ground truth"}


@dataclass(frozen=True)
class StageTime:
    """Jobs of one stage, added up."""

    stage: str
    jobs: int
    seconds: float
    memory_mb: float | None


@dataclass(frozen=True)
class SplitCounts:
    """Size of one split."""

    split: str
    samples: int
    single: int
    interacting: int
    frames: int
    captures: int


@dataclass(frozen=True)
class Evaluation:
    """One metrics.json."""

    split: Split
    root_depth: RootDepth
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """Split and root depth, for people."""
        return f"{self.split}, {ROOT_NAMES[self.root_depth]} root"


@dataclass(frozen=True)
class Trained:
    """One experiment: how it was trained and what was measured."""

    name: str
    settings: Experiment
    provenance: dict[str, Any]
    history: dict[str, list[float | None]]
    """Column by column; empty for given weights."""
    evaluations: list[Evaluation]
    """Most telling first: test before val, RootNet before ground truth."""


def read_trained(config: Config, layout: Layout, name: str) -> Trained:
    """Read what training and evaluation of one experiment left behind.

    Raises:
        UserError: when a file is missing or damaged, or an evaluation is of other weights than the present ones.
    """
    folder = layout.train(name)
    best = folder / "best.ckpt"
    if not best.is_file():
        raise UserError(f"{best}: no such file; run `snakemake --cores all train`")
    weights = provenance.sha256(best)
    wanted = {(s, r) for s in config.evaluate.splits for r in config.evaluate.root_depth}
    order = [pair for pair in PROTOCOL_PREFERENCE if pair in wanted]
    order += sorted(wanted - set(order))
    evaluations = [
        Evaluation(s, r, _read_metrics(layout.evaluation(name, s, r) / "metrics.json", best, weights)) for s, r in order
    ]
    return Trained(
        name=name,
        settings=config.experiments[name],
        provenance=read_json(folder / "provenance.json", "run `snakemake --cores all train`"),
        history={} if config.experiments[name].load_ckpt else read_history(folder / "history.csv"),
        evaluations=evaluations,
    )


def _read_metrics(path: Path, best: Path, weights: str) -> dict[str, Any]:
    """One metrics.json, which must be of the weights whose SHA-256 is given."""
    document = read_json(path, "run `snakemake --cores all evaluate`")
    if document.get("protocol", {}).get("checkpoint_sha256") != weights:
        raise UserError(
            f"{path}: was not measured with the weights that are now in {best}; run `snakemake --cores all evaluate`, "
            "or `digit evaluate` for this experiment, split and root depth"
        )
    lacking = [name for name in SCALARS if name not in document["metrics"]]
    if lacking:
        raise UserError(
            f"{path}: lacks {', '.join(lacking)}, because an earlier version wrote it; delete it and run "
            "`snakemake --cores all evaluate`"
        )
    return document


def read_history(path: Path) -> dict[str, list[float | None]]:
    """Columns of a training history; an empty field is None.

    Raises:
        UserError: when the file is missing or is no table of numbers.
    """
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) if row[name] else None for row in rows] for name in (rows[0] if rows else ())}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: is not a training history ({error}); run `snakemake --cores all train`") from error


def read_times(folder: Path) -> list[StageTime]:
    """Wall-clock times of all stages, from Snakemake's benchmark files, in pipeline order."""
    rows: dict[str, list[tuple[float, float | None]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        stage = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                seconds, memory = finite(row.get("s")), finite(row.get("max_rss"))
                if seconds is not None:
                    rows.setdefault(stage, []).append((seconds, memory))
    place = {stage: number for number, stage in enumerate(STAGES)}
    return [
        StageTime(
            stage=stage,
            jobs=len(jobs),
            seconds=sum(seconds for seconds, _ in jobs),
            memory_mb=max((memory for _, memory in jobs if memory is not None), default=None),
        )
        for stage, jobs in sorted(rows.items(), key=lambda item: place.get(item[0], len(place)))
    ]


def read_counts(layout: Layout) -> list[SplitCounts]:
    """Sizes of the splits that have been indexed."""
    counts = []
    for split in SPLITS:
        if not layout.index(split).is_dir():
            continue
        index = open_index(layout.index(split))
        interacting = int(index.hand_type.all(axis=1).sum())
        captures = len(set(index.frame_capture.tolist()))
        frames = len(index.joints_world_mm)
        counts.append(SplitCounts(split, len(index), len(index) - interacting, interacting, frames, captures))
    return counts


def read_warnings(layout: Layout, splits: Sequence[str]) -> list[str]:
    """What the audit warned about."""
    found = []
    for split in splits:
        if layout.check(split).is_file():
            audit = read_json(layout.check(split), "run `snakemake --cores all check`")
            found += [f"{split}: {_line(warning)}" for warning in audit.get("warnings", [])]
    return found


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def _line(warning: Any) -> str:
    text = warning if isinstance(warning, str) else " ".join(str(part) for part in warning.values())
    return re.sub(r"\s+", " ", text)
