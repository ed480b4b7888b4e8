"""How long jobs take: from the benchmark files of finished runs where these suffice, else documented defaults."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from digit.config import Experiment, to_dict
from digit.model.flops import forward_gflop
from digit.run.console import counted, log
from digit.run.errors import UserError
from digit.run.files import finite, read_json
from digit.samples.index import HEADER_NAME

START_SECONDS = 10.0
"""Starting Snakemake on the node and importing the libraries."""

DEFAULT_SECONDS = {
    "synthesize": (0.015, "demo of 2026-11-22: 0.06 s on two cores; eight are asked for"),
    "check": (0.001, "finding and decoding a file on a network file system, four cores"),
    "index": (26e-6, "docs/benchmarks.md: 35 s for 1,361,062 annotations"),
    "images": (0.0003, "31 kB per image at 100 MB/s; docs/benchmarks.md: 0.07 ms without the disk"),
    "parts": (0.000692, "docs/benchmarks.md"),
    "contact sheet": (0.0, "seconds, whatever the size"),
    "report": (0.0, "seconds, whatever the size"),
}
"""Seconds per sample, and where they come from; of one core but for ``synthesize`` and ``check``."""

GPU_TFLOPS = 30.0
"""Sustained by one GPU in mixed precision: an assumption, between a V100 and an A100."""

ENOUGH_SAMPLES = 10_000
"""Smaller jobs measure how long a job takes to start, and the machine's other work, not a rate."""

REMEDY = "remove it, so that it is not read, or make it again"


@dataclass(frozen=True)
class Rate:
    """How long a job takes: ``start_s + seconds * samples``."""

    seconds: float
    start_s: float
    source: str


def stage_rate(folder: Path, stage: str) -> Rate:
    """Rate of a stage's jobs from the finished runs in ``folder``, else the default."""
    runs, points = set(), []
    for file in sorted(folder.glob(f"*/benchmarks/{stage.replace(' ', '_')}*")):
        for tsv in [file] if file.suffix == ".tsv" else sorted(file.glob("*.tsv")):
            run = folder / tsv.relative_to(folder).parts[0]
            samples, seconds = _samples_of(run, stage, tsv.stem), _seconds_of(tsv)
            if samples is not None and seconds is not None:
                runs.add(run.name)
                points.append((samples, seconds))
    source = f"measured: {counted(len(points), 'job')} of {', '.join(sorted(runs))}"
    seconds, default = DEFAULT_SECONDS[stage]
    if points and not seconds:
        return Rate(0.0, max(START_SECONDS, max(measured for _, measured in points)), source)
    line = _line(points)
    return Rate(*line, source) if line else Rate(seconds, START_SECONDS, f"default: {default}")


def training_rate(folder: Path, experiment: Experiment) -> Rate:
    """Rate of a training from a finished one of the same network by as many processes, else by its arithmetic."""
    wanted = experiment.training.devices, experiment.training.nodes
    for place, training, record in _same_networks(folder, experiment):
        samples, seconds = finite(record.get("samples_seen")), finite(record.get("seconds"))
        alike = (training.get("devices"), training.get("nodes", 1)) == wanted
        if alike and seconds and seconds > 0 and samples and samples >= ENOUGH_SAMPLES:
            source = f"measured: {place.relative_to(folder)}, {_hardware(record)}, evaluation included"
            return Rate(seconds / samples, 3 * START_SECONDS, source)
    return _by_arithmetic(experiment, 3, wanted[0] * wanted[1])


def evaluation_rate(folder: Path, experiment: Experiment) -> Rate:
    """Rate of an evaluation from finished ones of the same network, else by its arithmetic."""
    for place, _, record in _same_networks(folder, experiment):
        run, points = place.parents[1], []
        for tsv in sorted(run.glob(f"benchmarks/evaluate/{place.name}-*.tsv")):
            samples, seconds = _samples_of(run, "evaluate", tsv.stem.removeprefix(f"{place.name}-")), _seconds_of(tsv)
            if samples is not None and seconds is not None:
                points.append((samples, seconds))
        line = _line(points)
        if line:
            source = f"measured: {counted(len(points), 'job')} of {place.relative_to(folder)}, {_hardware(record)}"
            return Rate(*line, source)
    return _by_arithmetic(experiment, 1, 1)


def samples_in(header: Path) -> int:
    """Samples of the index with this header.

    Raises:
        UserError: when the header does not say.
    """
    document = read_json(header, REMEDY)
    count = document.get("counts", {}).get("samples") if isinstance(document, dict) else None
    if not isinstance(count, int) or count < 0:
        raise UserError(f"{header}: does not say how many samples there are; {REMEDY}")
    return count


def _by_arithmetic(experiment: Experiment, passes: int, gpus: int) -> Rate:
    """A training step costs three forward passes."""
    gflop = forward_gflop(experiment.model) * passes
    source = f"{gflop:.3g} GFLOP per sample, {counted(gpus, 'GPU')} with {GPU_TFLOPS:g} TFLOP/s each (assumed)"
    return Rate(gflop / (GPU_TFLOPS * 1e3 * gpus), 3 * START_SECONDS, source)


def _same_networks(folder: Path, experiment: Experiment) -> list[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """Folder, training settings and provenance of every finished experiment with the same network."""
    found, wanted = [], to_dict(experiment.model)
    for record_path in sorted(folder.glob("*/experiments/*/train/provenance.json")):
        settings_path = record_path.with_name("config.yaml")
        if not settings_path.is_file():
            continue
        try:
            settings, record = yaml.safe_load(settings_path.read_text()), read_json(record_path, REMEDY)
            model, training = dict(settings["model"]), dict(settings["training"])
            # Keys that an older version did not know had today's default.
            if all(wanted.get(key) == value for key, value in model.items() if key != "pretrained"):
                found.append((record_path.parents[1], training, dict(record)))
        except (yaml.YAMLError, UserError, KeyError, TypeError, ValueError):
            log.warning("%s: does not say how long its training took; ignored", record_path.parent)
    return found


def _hardware(record: dict[str, Any]) -> str:
    hardware = record.get("hardware")
    return (hardware.get("gpu") if isinstance(hardware, dict) else None) or "no GPU"


def _samples_of(run: Path, stage: str, name: str) -> float | None:
    """Samples that a finished job worked on; None where its run has no index to tell."""
    if stage in ("contact sheet", "report"):
        return 0.0
    try:
        headers = {path.parent.name: samples_in(path) for path in run.glob(f"index/*/{HEADER_NAME}")}
    except UserError as error:
        log.warning("%s; ignored", error)
        return None
    if stage == "synthesize":
        return float(sum(headers.values())) if headers else None
    split = name.split("-")[0]
    if split not in headers:
        return None
    shards = len(list(run.glob(f"{stage}/{split}/*.lmdb"))) if stage in ("images", "parts") else 1
    return headers[split] / shards if shards else None


def _seconds_of(tsv: Path) -> float | None:
    """The last attempt's seconds; None where the file does not tell."""
    try:
        with tsv.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        seconds = finite(rows[-1].get("s")) if rows else None
    except (OSError, UnicodeDecodeError, csv.Error):
        seconds = None
    if seconds is None or seconds <= 0:
        log.warning("%s: is no benchmark file of Snakemake; ignored", tsv)
        return None
    return seconds


def _line(points: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Seconds per sample and seconds of a start, through the quickest of the smallest and of the largest measured jobs.

    None where the jobs are too alike, or too small, to tell a rate from a start.
    """
    if not points:
        return None
    few, many = min(samples for samples, _ in points), max(samples for samples, _ in points)
    at_few = min(seconds for samples, seconds in points if samples == few)
    at_many = min(seconds for samples, seconds in points if samples == many)
    if many < ENOUGH_SAMPLES:
        return None
    if many >= 2 * few and at_many - at_few > START_SECONDS:
        slope = (at_many - at_few) / (many - few)
        return slope, max(START_SECONDS, at_few - slope * few)
    if at_many > 2 * START_SECONDS:
        return (at_many - START_SECONDS) / many, START_SECONDS
    return None
