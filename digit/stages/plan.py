"""What a run will cost: jobs, core-hours, GPU-hours, disk and longest path, as an estimate with its inputs.

The work of a stage is samples times seconds a sample, plus a start of every job. Both come from the benchmark files
that Snakemake left in finished runs (``<folder>/*/benchmarks``), where these ran on enough samples; else from the
documented rates below.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich import box
from rich.console import Console, Group
from rich.table import Table

from digit.config import SPLITS, Config, Experiment, Split, to_dict
from digit.data.index import HEADER_NAME
from digit.files import read_json
from digit.layout import Layout

RELEASE = {"train": 1_361_062, "val": 380_125, "test": 849_160}
"""Images of InterHand2.6M v1.0 at 5 fps."""

START_SECONDS = 10.0
"""Starting Snakemake on the node and importing the libraries."""

DEFAULT_SECONDS = {
    "synthesize": (0.06, "demo of 2026-11-22, two cores"),
    "check": (0.001, "looking for a file on a network file system"),
    "index": (26e-6, "docs/benchmarks.md: 35 s for 1,361,062 annotations"),
    "images": (0.0002, "20 kB an image at 100 MB/s; docs/benchmarks.md: 0.09 ms without the disk"),
    "parts": (0.000724, "docs/benchmarks.md"),
    "contact sheet": (0.0, "seconds, whatever the size"),
    "report": (0.0, "seconds, whatever the size"),
}
"""Seconds a sample and core, and where they come from."""

FORWARD_GFLOP = 47.7
"""One sample through the paper's network at 256 px; training costs three times as much."""

GPU_TFLOPS = 30.0
"""Sustained by one GPU in mixed precision: an assumption, between a V100 and an A100."""

DISK_BYTES = {
    "synthesize": (26_000, "demo"),
    "index": (800, "demo"),
    "images": (20_500, "release: JPEG files of 12 to 27 kB"),
    "parts": (3_600, "demo"),
    "evaluate": (900, "predictions.npz"),
}
"""Bytes a sample, and where they come from."""

TRAINING_BYTES = 1_000_000_000
"""Checkpoints of one training of the paper's size."""

ENOUGH_SAMPLES = 200
"""Benchmarks of fewer samples measure how long a job takes to start, not its rate."""

REMEDY = "remove it, so that it is not read, or make it again"

SUBSETS = {"minitrain": 1000, "minival": 1000, "smalltrain": 0.1, "tinytrain": 0.05, "smallval": 0.25}
"""Samples (int) or share (float) of the training and validation subsets."""


@dataclass(frozen=True)
class Rate:
    """How long a job takes: ``start_s + seconds * samples``."""

    seconds: float
    start_s: float
    source: str


@dataclass(frozen=True)
class Cost:
    """One line of the plan.

    Attributes:
        jobs: how many jobs the stage has.
        samples: images that all of them work on together.
        core_hours: of the cores that the jobs ask for.
        gpu_hours: of the GPUs that the jobs ask for.
        disk_bytes: size of what the stage leaves.
        longest_s: seconds of its longest job.
        rate: what the estimate rests on.
    """

    stage: str
    jobs: int
    samples: float
    core_hours: float
    gpu_hours: float
    disk_bytes: float
    longest_s: float
    rate: Rate


def plan(config: Config) -> list[Cost]:
    """Estimate the stages of a run, in the order of the pipeline."""
    counts, _ = sample_counts(config)
    trained = {name: e for name, e in config.experiments.items() if e.load_ckpt is None}
    splits = [s for s in SPLITS if s in config.evaluate.splits or (trained and s in ("train", "val"))]
    sizes = [counts[split] for split in splits]
    shards = [size / config.data.shards for size in sizes for _ in range(config.data.shards)]
    folder = Path(config.run.folder)
    costs = []
    if config.data.source == "synthetic":
        costs.append(_cost("synthesize", [sum(counts.values())], _rate(folder, "synthesize")))
    for stage, jobs in (("check", sizes), ("index", sizes), ("images", shards), ("parts", shards)):
        costs.append(_cost(stage, jobs, _rate(folder, stage)))
    costs.append(_cost("contact sheet", [0.0] * len(splits), _rate(folder, "contact sheet")))
    costs += [_training(folder, name, experiment, counts) for name, experiment in trained.items()]
    costs += [_evaluation(config, name, experiment, counts) for name, experiment in config.experiments.items()]
    costs.append(_cost("report", [0.0], _rate(folder, "report")))
    return costs


def longest_path_s(costs: list[Cost]) -> float:
    """Seconds from the first job to the last with a node for every job; images and parts run side by side."""
    by_stage: dict[str, float] = {}
    for cost in costs:
        stage = cost.stage.split()[0]
        by_stage[stage] = max(by_stage.get(stage, 0.0), cost.longest_s)
    data = max(by_stage.pop("images"), by_stage.pop("parts"))
    by_stage.pop("contact")
    return data + sum(by_stage.values())


def sample_counts(config: Config) -> tuple[dict[Split, int], dict[Split, str]]:
    """Samples of each split, and where each number comes from: an index, the configuration or the release."""
    counts: dict[Split, int] = {}
    sources: dict[Split, str] = {}
    for split in SPLITS:
        header = Layout.of(config).index(split) / HEADER_NAME
        if header.is_file():
            counts[split], sources[split] = _samples(header), str(header.parent)
        elif config.data.source == "synthetic":
            counts[split], sources[split] = getattr(config.synthetic, f"{split}_images"), "the configuration"
        else:
            counts[split], sources[split] = RELEASE[split], "InterHand2.6M v1.0, 5 fps"
    return counts, sources


def show(config: Config, console: Console) -> None:
    """Print the estimate and what it rests on."""
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


def _cost(
    stage: str, jobs: Sequence[float], rate: Rate, cores: int = 1, gpus: int = 0, disk: float | None = None
) -> Cost:
    """Cost of jobs, each given by its samples."""
    seconds = [rate.start_s + rate.seconds * samples for samples in jobs]
    hours = sum(seconds) / 3600
    bytes_each = DISK_BYTES.get(stage.split()[0], (0, ""))[0]
    size = sum(jobs) * bytes_each if disk is None else disk
    return Cost(stage, len(jobs), sum(jobs), hours * cores, hours * gpus, size, max(seconds), rate)


def _training(folder: Path, name: str, experiment: Experiment, counts: dict[Split, int]) -> Cost:
    training = experiment.training
    samples = _subset(training.trainsplit, counts["train"]) * training.max_epoch
    # An evaluated sample costs a third of a trained one.
    evaluated = _subset(training.valsplit, counts["val"]) * (training.max_epoch // training.eval_every_epoch)
    processes = training.devices * training.nodes
    measured = _measured_training(folder, experiment)
    if measured:
        rate, gpus = measured
    else:
        rate, gpus = _by_flop(experiment, 3, processes), processes
    work = samples + (0 if measured else evaluated / 3)
    cores = processes * (1 + training.num_workers)
    return _cost(f"train {name}", [work], rate, cores, gpus, TRAINING_BYTES * _share(experiment))


def _evaluation(config: Config, name: str, experiment: Experiment, counts: dict[Split, int]) -> Cost:
    jobs = [float(counts[split]) for split in config.evaluate.splits for _ in config.evaluate.root_depth]
    measured = _measured_evaluation(Path(config.run.folder), experiment)
    rate, gpus = measured or (_by_flop(experiment, 1, 1), 1)
    return _cost(f"evaluate {name}", jobs, rate, 1 + config.evaluate.num_workers, gpus)


def _by_flop(experiment: Experiment, passes: int, gpus: int) -> Rate:
    gflop = FORWARD_GFLOP * _share(experiment) * passes
    source = f"{gflop:.3g} GFLOP a sample, {gpus} GPU(s) with {GPU_TFLOPS:g} TFLOP/s each (assumed)"
    return Rate(gflop / (GPU_TFLOPS * 1e3 * gpus), 3 * START_SECONDS, source)


def _share(experiment: Experiment) -> float:
    """Size of the network's computation relative to the paper's: by pixels; a smaller backbone is not counted."""
    return (experiment.model.input_size / 256) ** 2


def _subset(name: str, size: int) -> float:
    subset = SUBSETS.get(name, 1.0)
    return min(subset, size) if isinstance(subset, int) else subset * size


def _same_networks(folder: Path, experiment: Experiment) -> list[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """Folder, training settings and provenance of every finished experiment with the same network."""
    found, wanted = [], to_dict(experiment.model)
    for record_path in sorted(folder.glob("*/experiments/*/train/provenance.json")):
        settings_path = record_path.with_name("config.yaml")
        if settings_path.is_file():
            settings = yaml.safe_load(settings_path.read_text())
            # Keys that an older version did not know had today's default.
            if all(wanted.get(key) == value for key, value in settings["model"].items() if key != "pretrained"):
                found.append((record_path.parents[1], settings["training"], read_json(record_path, REMEDY)))
    return found


def _measured_training(folder: Path, experiment: Experiment) -> tuple[Rate, int] | None:
    """Rate of a finished training of the same network by as many processes, and the GPUs that it used."""
    wanted = experiment.training.devices, experiment.training.nodes
    for place, training, record in _same_networks(folder, experiment):
        enough = record.get("samples_seen", 0) >= ENOUGH_SAMPLES and record.get("seconds")
        if enough and (training["devices"], training.get("nodes", 1)) == wanted:
            gpu = record.get("hardware", {}).get("gpu")
            source = f"measured: {place.relative_to(folder)}, {gpu or 'no GPU'}, evaluation included"
            rate = Rate(record["seconds"] / record["samples_seen"], 3 * START_SECONDS, source)
            return rate, wanted[0] * wanted[1] if gpu else 0
    return None


def _measured_evaluation(folder: Path, experiment: Experiment) -> tuple[Rate, int] | None:
    """Rate of finished evaluations of the same network, and the GPUs that each used."""
    for place, _, record in _same_networks(folder, experiment):
        run = place.parents[1]
        points = []
        for tsv in sorted(run.glob(f"benchmarks/evaluate/{place.name}-*.tsv")):
            samples = _samples_of(run, "evaluate", tsv.stem.removeprefix(f"{place.name}-"))
            if samples is not None:
                points.append((samples, _seconds_of(tsv)))
        line = _line(points) if points and max(samples for samples, _ in points) >= ENOUGH_SAMPLES else None
        if line:
            gpu = record.get("hardware", {}).get("gpu")
            source = f"measured: {len(points)} job(s) of {place.relative_to(folder)}, {gpu or 'no GPU'}"
            return Rate(*line, source), int(bool(gpu))
    return None


def _seconds_of(tsv: Path) -> float:
    return float(pd.read_csv(tsv, sep="\t")["s"].iloc[-1])


def _rate(folder: Path, stage: str) -> Rate:
    """Rate of a stage from finished runs, else the default."""
    runs, points = set(), []
    for file in sorted(folder.glob(f"*/benchmarks/{stage.replace(' ', '_')}*")):
        for tsv in [file] if file.is_file() else sorted(file.glob("*.tsv")):
            run = folder / tsv.relative_to(folder).parts[0]
            samples = _samples_of(run, stage, tsv.stem)
            if samples is not None:
                runs.add(run.name)
                points.append((samples, _seconds_of(tsv)))
    source = f"measured: {len(points)} job(s) of {', '.join(sorted(runs))}"
    seconds, default = DEFAULT_SECONDS[stage]
    if points and not seconds:
        return Rate(0.0, max(START_SECONDS, max(measured for _, measured in points)), source)
    line = _line(points) if points and max(samples for samples, _ in points) >= ENOUGH_SAMPLES else None
    return Rate(*line, source) if line else Rate(seconds, START_SECONDS, f"default: {default}")


def _samples_of(run: Path, stage: str, name: str) -> float | None:
    """Samples that a finished job worked on; None where its run has no index to tell."""
    headers = {p.parent.name: _samples(p) for p in run.glob(f"index/*/{HEADER_NAME}")}
    if stage in ("contact sheet", "report"):
        return 0.0
    if stage == "synthesize":
        return float(sum(headers.values())) if headers else None
    split = name.split("-")[0]
    if split not in headers:
        return None
    shards = len(list(run.glob(f"{stage}/{split}/*.lmdb"))) if stage in ("images", "parts") else 1
    return headers[split] / shards if shards else None


def _samples(header: Path) -> int:
    return int(read_json(header, REMEDY)["counts"]["samples"])


def _line(points: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Seconds a sample and seconds of a start, through the quickest of the smallest and of the largest measured jobs.

    None where the jobs are too alike, or too small, to tell a rate from a start.
    """
    few, many = min(samples for samples, _ in points), max(samples for samples, _ in points)
    at_few = min(seconds for samples, seconds in points if samples == few)
    at_many = min(seconds for samples, seconds in points if samples == many)
    if many >= 2 * few and at_many > at_few:
        slope = (at_many - at_few) / (many - few)
        return slope, max(START_SECONDS, at_few - slope * few)
    if at_many > 2 * START_SECONDS:
        return (at_many - START_SECONDS) / many, START_SECONDS
    return None


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
        return f"{rate.start_s:.0f} s a job"
    if rate.seconds < 0.0001:
        return f"{rate.seconds * 1e6:.0f} us a sample"
    return f"{rate.seconds * 1e3:.2g} ms a sample"
