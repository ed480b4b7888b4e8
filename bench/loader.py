"""Feeding training at 256 px with the paper's augmentation, on one core; the limit is decoding the JPEGs alone."""

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from torch.utils.data import default_collate

from bench import fabricate
from bench.measure import Goal, Result, alternate, command, in_fresh_process, use_one_core
from bench.plain import images as plain_images
from bench.plain import index as plain_index
from bench.plain.loader import PlainDataset, pack_masks
from digit.config import AugmentSettings, Config, ModelSettings
from digit.run.layout import Layout
from digit.samples.augment import draw_augmentation
from digit.samples.dataset import DECODE_COLOR, HandDataset
from digit.samples.opening import open_dataset
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts

FASTER, OF_DECODING = 6, 2.5
BATCH = 32
SEED = 1
EXACT = ("root_valid", "hand_type", "hand_type_valid")
CLOSE = {"joint_coord": ("joint_valid", 1e-3), "rel_root_depth": ("root_valid", 1e-3), "inv_trans": ("", 1e-2)}
"""Where they count, and within what, both sides' targets must agree."""


def run(
    folder: Path,
    samples: Annotated[int, typer.Option(help="Samples to fetch.")] = 512,
    samples_plain: Annotated[int, typer.Option(help="Samples to fetch the plain way.")] = 128,
    repetitions: Annotated[int, typer.Option(help="Of each side.")] = 5,
) -> Result:
    """Fetch ``samples`` samples in batches, the plain way ``samples_plain`` of them."""
    config = fabricate.pictures(folder, samples)
    index(config, fabricate.SPLIT)
    images(config, fabricate.SPLIT, 0)
    parts(config, fabricate.SPLIT, 0)
    return in_fresh_process(_measure, config, folder, samples_plain, repetitions)


def _measure(config: Config, folder: Path, samples_plain: int, repetitions: int) -> Result:
    use_one_core()
    ours, _ = open_dataset(config, fabricate.SPLIT, ModelSettings(), augment=AugmentSettings(), seed=SEED)
    places = np.linspace(0, len(ours) - 1, samples_plain).astype(int)
    theirs = _plain(config, ours, folder, places)
    jpegs = [np.frombuffer(ours.images.get(name), np.uint8) for name in ours.index.keys(ours.rows)]
    require_equal(ours.__getitems__(places), default_collate([theirs[k] for k in range(len(theirs))]))
    sides = {
        "ours": lambda: [ours.__getitems__(keys) for keys in _batches(len(ours))],
        "plain": lambda: [default_collate([theirs[key] for key in keys]) for keys in _batches(len(theirs))],
        "limit": lambda: [cv2.imdecode(jpeg, DECODE_COLOR) for jpeg in jpegs],
    }
    best = {side: min(times) for side, times in alternate(sides, repetitions).items()}
    cost, limit, plain = best["ours"] / len(ours), best["limit"] / len(ours), best["plain"] / len(theirs)
    goals = (
        Goal("times faster than plain", plain / cost, FASTER),
        Goal("times as long as bare JPEG decoding", cost / limit, OF_DECODING, at_least=False),
    )
    extra = {"samples_per_second": 1 / cost, "plain_samples_per_second": 1 / plain}
    n, n_plain = len(ours), len(theirs)
    return Result("loader", "ms a sample", cost * 1e3, plain * 1e3, limit * 1e3, n, n_plain, goals, extra)


def _batches(count: int) -> list[range]:
    return [range(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]


def _plain(config: Config, ours: HandDataset, folder: Path, places: np.ndarray) -> PlainDataset:
    """Samples at ``places`` of our data set, packed and opened the plain way with the same draws."""
    layout, pickles = Layout.of(config), folder / "loader-pickles"
    plain_index.pickle_annotations(layout.dataset, fabricate.SPLIT, pickles)
    plain_index.pickle_fits([], np.empty((0, 2)), pickles)
    everything = plain_index.open_split(pickles)
    samples = [everything[place] for place in places]
    names = [sample["path"] for sample in samples]
    assert names == ours.index.keys(ours.rows[places]), "the samples or their order differ"
    pngs, masks = folder / "loader-images.lmdb", folder / "loader-masks.lmdb"
    plain_images.pack(layout.jpeg_folder() / fabricate.SPLIT, names, pngs)
    assert ours.masks is not None
    pack_masks(samples, [ours.masks.store.find(name) for name in names], masks)
    draws = draw_augmentation(AugmentSettings(), SEED, np.zeros(len(places), int), ours.rows[places])
    return PlainDataset(samples, pngs, masks, draws, ModelSettings())


def require_equal(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Stop unless both sides made the same batch; pixels may differ a little, as each side rounds in its own order."""
    for name in EXACT:
        assert torch.equal(ours[name], theirs[name]), f"{name} differs"
    differing = (ours["joint_valid"] != theirs["joint_valid"]).float().mean().item()
    assert differing < 1e-3, f"joint_valid differs for {differing:.1%} of the joints"
    for name, (validity, tolerance) in CLOSE.items():
        counted = ours[validity] > 0 if validity else slice(None)
        off = (ours[name] - theirs[name])[counted].abs().max().item()
        assert off < tolerance, f"{name} differs by {off}"
    colored = (ours["image"] * ours["color"][:, None, None]).clamp(0, 255)
    off = (colored - theirs["image"].permute(0, 2, 3, 1) * 255).abs().mean().item()
    assert off < 1, f"pixels differ by {off:.2f} grey levels on average"
    shown = ours["segm_valid"] > 0
    assert shown.float().mean() > 0.5, "most samples should have a mask"
    differing = (ours["segm"][shown] != theirs["segm"][shown, 0]).float().mean().item()
    assert differing < 5e-3, f"masks differ for {differing:.2%} of the pixels"


if __name__ == "__main__":
    command(run)
