"""What a run will cost: jobs, core-hours, GPU-hours, disk and longest path, as an estimate with its inputs.

The work of a stage is samples times seconds a sample, plus a start of every job (:mod:`digit.planning.rates`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from digit.config import SPLITS, Config, Experiment, Split
from digit.planning.rates import Rate, evaluation_rate, samples_in, stage_rate, training_rate
from digit.run.layout import Layout
from digit.samples.index import HEADER_NAME

RELEASE = {"train": 1_361_062, "val": 380_125, "test": 849_160}
"""Images of InterHand2.6M v1.0 at 5 fps."""

DISK_BYTES = {
    "synthesize": (26_000, "demo"),
    "index": (800, "demo"),
    "images": (33_000, "release: 2,590,347 images in an archive of 81.7 GB, as a store 1.07 times that"),
    "parts": (5_000, "demo: 3.6 kB a mask, as a store 1.4 times that"),
    "evaluate": (900, "predictions.npz"),
}
"""Bytes a sample, and where they come from."""

PNG_OVER_JPEG = 9
"""Size of an image in the original's store over that of its JPEG file: 9.0 to 9.6 for four frames of the release."""

TRAINING_BYTES = 1_000_000_000
"""Checkpoints of one training of the paper's size."""

SYNTHESIZE_CORES, CHECK_CORES = 8, 4
"""That their rules ask for; the embedded data are checked on one."""

SUBSETS = {"minitrain": 1000, "minival": 1000, "smalltrain": 0.1, "tinytrain": 0.05, "smallval": 0.25}
"""Samples (int) or share (float) of the training and validation subsets."""


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
    """Estimate the stages of a run, in the order of the pipeline.

    Raises:
        UserError: when the run has an index that does not say how many samples there are.
    """
    counts, _ = sample_counts(config)
    trained = {name: e for name, e in config.experiments.items() if e.load_ckpt is None}
    splits = [s for s in SPLITS if s in config.evaluate.splits or (trained and s in ("train", "val"))]
    sizes = [counts[split] for split in splits]
    shards = [size / config.data.shards for size in sizes for _ in range(config.data.shards)]
    folder = Path(config.run.folder)
    costs, check_cores = [], CHECK_CORES
    if config.data.source == "synthetic":
        check_cores = 1
        costs.append(_cost("synthesize", [sum(counts.values())], stage_rate(folder, "synthesize"), SYNTHESIZE_CORES))
    costs.append(_cost("check", sizes, stage_rate(folder, "check"), check_cores))
    costs.append(_cost("index", sizes, stage_rate(folder, "index")))
    costs.append(_images(config, shards, stage_rate(folder, "images")))
    costs.append(_cost("parts", shards, stage_rate(folder, "parts")))
    costs.append(_cost("contact sheet", [0.0] * len(splits), stage_rate(folder, "contact sheet")))
    costs += [_training(folder, name, experiment, counts) for name, experiment in trained.items()]
    costs += [_evaluation(config, name, experiment, counts) for name, experiment in config.experiments.items()]
    costs.append(_cost("report", [0.0], stage_rate(folder, "report")))
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
    """Samples of each split, and where each number comes from: an index, the configuration or the release.

    Raises:
        UserError: as :func:`plan`.
    """
    counts: dict[Split, int] = {}
    sources: dict[Split, str] = {}
    for split in SPLITS:
        header = Layout.of(config).index(split) / HEADER_NAME
        if header.is_file():
            counts[split], sources[split] = samples_in(header), str(header.parent)
        elif config.data.source == "synthetic":
            counts[split], sources[split] = getattr(config.synthetic, f"{split}_images"), "the configuration"
        else:
            counts[split], sources[split] = RELEASE[split], "InterHand2.6M v1.0, 5 fps"
    return counts, sources


def _cost(
    stage: str, jobs: Sequence[float], rate: Rate, cores: int = 1, gpus: int = 0, disk: float | None = None
) -> Cost:
    """Cost of jobs, each given by its samples."""
    seconds = [rate.start_s + rate.seconds * samples for samples in jobs]
    hours = sum(seconds) / 3600
    bytes_each = DISK_BYTES.get(stage.split()[0], (0, ""))[0]
    size = sum(jobs) * bytes_each if disk is None else disk
    return Cost(stage, len(jobs), sum(jobs), hours * cores, hours * gpus, size, max(seconds), rate)


def _images(config: Config, shards: Sequence[float], rate: Rate) -> Cost:
    """Copying image files; from the original's store they are PNG."""
    if config.data.image_lmdb is None:
        return _cost("images", shards, rate)
    if rate.source.startswith("default"):
        rate = Rate(PNG_OVER_JPEG * rate.seconds, rate.start_s, f"{rate.source}, {PNG_OVER_JPEG} times that as PNG")
    return _cost("images", shards, rate, disk=sum(shards) * DISK_BYTES["images"][0] * PNG_OVER_JPEG)


def _training(folder: Path, name: str, experiment: Experiment, counts: dict[Split, int]) -> Cost:
    training, rate = experiment.training, training_rate(folder, experiment)
    samples = _subset(training.trainsplit, counts["train"]) * training.max_epoch
    # An evaluated sample costs a third of a trained one; a measured training has its evaluations in it.
    evaluated = _subset(training.valsplit, counts["val"]) * (training.max_epoch // training.eval_every_epoch)
    work = samples if rate.source.startswith("measured") else samples + evaluated / 3
    processes = training.devices * training.nodes
    disk = TRAINING_BYTES * (experiment.model.input_size / 256) ** 2
    return _cost(f"train {name}", [work], rate, processes * (1 + training.num_workers), processes, disk)


def _evaluation(config: Config, name: str, experiment: Experiment, counts: dict[Split, int]) -> Cost:
    jobs = [float(counts[split]) for split in config.evaluate.splits for _ in config.evaluate.root_depth]
    rate = evaluation_rate(Path(config.run.folder), experiment)
    return _cost(f"evaluate {name}", jobs, rate, 1 + config.evaluate.num_workers, gpus=1)


def _subset(name: str, size: int) -> float:
    subset = SUBSETS.get(name, 1.0)
    return min(subset, size) if isinstance(subset, int) else subset * size
