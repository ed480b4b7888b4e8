"""Opening a split for training, and parsing its annotations once: tables against dictionaries."""

import math
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench import fabricate
from bench.measure import Goal, Result, command, in_fresh_process, private_mb, typical, watching_memory
from bench.plain import index as plain
from digit import geometry
from digit.config import AugmentSettings, Config, ModelSettings
from digit.run.layout import Layout
from digit.samples.dataset import EpochSampler
from digit.samples.fits import read_fits
from digit.samples.index import COLUMNS
from digit.samples.opening import open_dataset
from digit.samples.targets import rooted_validity
from digit.stages.index import index

FASTER, SMALLER = 100, 20
SECONDS, PRIVATE_MB = 1.0, 200
COMPARED = ("path", "box", "cam_coord", "image_coord", "joint_valid", "hand_type", "fitted")
SAMPLES_PER_SHARD = 21_000


def run(
    folder: Path,
    samples: Annotated[int, typer.Option(help="Annotations to fabricate; the release has 1361062.")] = 100_000,
    repetitions: Annotated[int, typer.Option(help="Openings of each side.")] = 3,
    with_plain: Annotated[bool, typer.Option("--plain/--no-plain", help="Also open the plain way.")] = True,
) -> Result:
    """Parse and open a fabricated split of ``samples`` samples; each opening in a process of its own."""
    root = folder / f"release-{samples}"
    fabricate.write_annotations(root, samples)
    shards = -(-samples // SAMPLES_PER_SHARD)
    config = fabricate.configuration(
        folder, f"index-{samples}", data={"source": "interhand", "root": str(root), "shards": shards}
    )
    parsed = {"ours": in_fresh_process(_timed_with_peak, index, config, fabricate.SPLIT)}
    pickles = folder / f"pickles-{samples}"
    if with_plain:
        parsed["plain"] = in_fresh_process(_timed_with_peak, plain.pickle_annotations, root, fabricate.SPLIT, pickles)
    fabricate.write_stores(config)
    if with_plain:
        fits = read_fits([Layout.of(config).fit(fabricate.SPLIT, shard) for shard in range(shards)], samples)
        plain.pickle_fits(fits["file_name"].tolist(), fits[["fit_right_mm", "fit_left_mm"]].to_numpy(), pickles)
    opened: dict[str, list[dict[str, Any]]] = {"ours": [], "plain": []}
    for _ in range(repetitions):
        opened["ours"].append(in_fresh_process(open_ours, config))
        if with_plain:
            opened["plain"].append(in_fresh_process(open_plain, pickles))
    return _result(samples, parsed, opened, _size_mb(root))


def _result(
    samples: int, parsed: dict[str, dict[str, float]], opened: dict[str, list[dict[str, Any]]], json_mb: float
) -> Result:
    seconds = typical({side: [run["seconds"] for run in runs] for side, runs in opened.items() if runs})
    added = typical({side: [run["added_mb"] for run in runs] for side, runs in opened.items() if runs})
    extra: dict[str, Any] = {"json_mb": json_mb, "private_mb_added": added["ours"]}
    extra["private_mb_of_process"] = opened["ours"][0]["private_mb"]
    extra |= {"parse_seconds": parsed["ours"]["seconds"], "parse_peak_mb": parsed["ours"]["peak_mb"]}
    goals = []
    if "plain" in seconds:
        require_equal(opened["ours"][0]["compared"], opened["plain"][0]["compared"])
        extra |= {"plain_private_mb_added": added["plain"]}
        extra |= {"plain_parse_seconds": parsed["plain"]["seconds"], "plain_parse_peak_mb": parsed["plain"]["peak_mb"]}
        goals += [
            Goal("times faster than plain", seconds["plain"] / seconds["ours"], FASTER),
            Goal("plain memory over ours", added["plain"] / max(added["ours"], 0.1), SMALLER),
        ]
    goals += [
        Goal("seconds to open", seconds["ours"], SECONDS, at_least=False),
        Goal("private MB added to a process", added["ours"], PRIVATE_MB, at_least=False),
    ]
    plain_seconds = seconds.get("plain")
    n_plain = samples if plain_seconds else 0
    return Result("index", "s to open", seconds["ours"], plain_seconds, None, samples, n_plain, tuple(goals), extra)


def open_ours(config: Config) -> dict[str, Any]:
    """Open a split for training, up to the geometry of the first batch; afterwards read all of it, as an epoch does."""
    before, start = private_mb(), time.perf_counter()
    dataset, excluded = open_dataset(config, fabricate.SPLIT, ModelSettings(), augment=AugmentSettings())
    keys = list(islice(EpochSampler(len(dataset), 64, seed=1), 64))
    dataset.index.camera_joints_mm(dataset.rows[np.array(keys)])
    seconds = time.perf_counter() - start
    table = dataset.index
    for name in COLUMNS:
        getattr(table, name).view(np.uint8).reshape(-1)[::4096].sum()  # touches every page
    private = private_mb()
    assert sum(excluded.values()) == len(table) - len(dataset), "left-out samples are not all accounted for"
    rows = table.protocol_order()[_places_compared(len(table))]
    joints_cam_mm, cameras = table.camera_joints_mm(rows), table.camera_row[rows]
    compared = {
        "path": np.array(table.keys(rows)),
        "box": table.box_px[rows],
        "cam_coord": joints_cam_mm,
        "image_coord": geometry.project(joints_cam_mm, table.focal_px[cameras], table.princpt_px[cameras]),
        "joint_valid": rooted_validity(table.joint_valid[rows]),
        "hand_type": table.hand_type[rows],
        "fitted": dataset.masks.hands.accepted[rows] if dataset.masks else None,
    }
    return {"seconds": seconds, "added_mb": private - before, "private_mb": private, "compared": compared}


def open_plain(folder: Path) -> dict[str, Any]:
    """Build the plain list of samples."""
    before, start = private_mb(), time.perf_counter()
    samples = plain.open_split(folder)
    seconds, private = time.perf_counter() - start, private_mb()
    chosen = [samples[place] for place in _places_compared(len(samples))]
    for sample in chosen:
        sample["fitted"] = [not math.isnan(error) for error in sample["fit_error"].values()]
    compared = {name: np.array([sample[name] for sample in chosen]) for name in COMPARED}
    return {"seconds": seconds, "added_mb": private - before, "private_mb": private, "compared": compared}


def require_equal(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    """Stop when the two ways disagree about any of the samples that are compared."""
    assert (ours["path"] == theirs["path"]).all(), "the samples or their order differ"
    for name in COMPARED[1:]:
        np.testing.assert_allclose(ours[name].astype(float), theirs[name].astype(float), rtol=1e-6, err_msg=name)


def _places_compared(count: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, 500)).astype(int)


def _timed_with_peak(job: Callable[..., Any], *arguments: Any) -> dict[str, float]:
    start = time.perf_counter()
    with watching_memory() as seen:
        job(*arguments)
    return {"seconds": time.perf_counter() - start} | seen


def _size_mb(root: Path) -> float:
    return sum(path.stat().st_size for path in root.rglob("*.json")) / 1e6


if __name__ == "__main__":
    command(run)
