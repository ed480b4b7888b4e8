"""Packing the images of a shard: the bytes as they are, against PNG, against a bare copy of the files."""

import shutil
from pathlib import Path
from typing import Annotated

import cv2
import lmdb
import numpy as np
import typer

from bench import fabricate
from bench.measure import Goal, Result, alternate, command, in_fresh_process
from bench.plain import images as plain
from digit.config import Config
from digit.run.layout import Layout
from digit.samples.index import open_index
from digit.stages.images import images
from digit.stages.index import index
from digit.store.earlier import Earlier
from digit.store.shards import Store

FASTER, OF_COPYING, OF_BYTES = 30, 1.3, 1.11
PICTURES = 256


def run(
    folder: Path,
    samples: Annotated[int, typer.Option(help="Images to pack.")] = 8000,
    samples_plain: Annotated[int, typer.Option(help="Images to pack the plain way.")] = 200,
    repetitions: Annotated[int, typer.Option(help="Of each side.")] = 5,
) -> Result:
    """Pack ``samples`` files, the plain way ``samples_plain`` of them."""
    config = _prepare(folder, samples)
    return in_fresh_process(_measure, config, folder, samples_plain, repetitions)


def _prepare(folder: Path, samples: int) -> Config:
    """Write a fabricated release whose image files are copies of the embedded data set's, and index it."""
    originals = _by_size(fabricate.pictures(folder, PICTURES))
    root = folder / f"images-release-{samples}"
    config = fabricate.configuration(folder, f"images-{samples}", data={"source": "interhand", "root": str(root)})
    fabricate.write_annotations(root, samples)
    index(config, fabricate.SPLIT)
    table = open_index(Layout.of(config).index(fabricate.SPLIT))
    for row, name in enumerate(table.keys()):
        choices = originals[int(table.width[row]), int(table.height[row])]
        path = root / "images" / fabricate.SPLIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(choices[row % len(choices)])
    return config


def _by_size(config: Config) -> dict[tuple[int, int], list[bytes]]:
    """Contents of the embedded data set's training images by width and height."""
    originals: dict[tuple[int, int], list[bytes]] = {}
    for path in sorted((Layout.of(config).jpeg_folder() / fabricate.SPLIT).rglob("*.jpg")):
        height, width = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape[:2]
        originals.setdefault((width, height), []).append(path.read_bytes())
    return originals


def _measure(config: Config, folder: Path, samples_plain: int, repetitions: int) -> Result:
    layout = Layout.of(config)
    source, table = layout.jpeg_folder() / fabricate.SPLIT, open_index(layout.index(fabricate.SPLIT))
    names, subset = table.keys(), table.keys(slice(0, samples_plain))
    store, png, copies = layout.images(fabricate.SPLIT, 0), folder / "plain-images.lmdb", folder / "copies"

    def clear() -> None:
        for path in (store, png, png.with_name(png.name + "-lock")):
            path.unlink(missing_ok=True)
        for path in (copies, Earlier.kept(store).parent):
            shutil.rmtree(path, ignore_errors=True)

    def pack() -> None:
        assert not store.exists() and Earlier(store).header == {}, "an earlier store would spare reading files"
        images(config, fabricate.SPLIT, 0)

    sides = {
        "ours": pack,
        "plain": lambda: plain.pack(source, subset, png),
        "limit": lambda: shutil.copytree(source, copies, copy_function=shutil.copyfile),
    }
    seconds = {}
    for _ in range(repetitions):
        clear()
        for side, times in alternate(sides, 1).items():
            seconds.setdefault(side, []).append(times[0])
    jpeg_bytes = sum((source / name).stat().st_size for name in names)
    require_equal(Store(store), png, source, names, subset)
    best = {side: min(times) for side, times in seconds.items()}
    ours, limit, theirs = best["ours"] / len(names), best["limit"] / len(names), best["plain"] / len(subset)
    size = store.stat().st_size / jpeg_bytes
    clear()
    goals = (
        Goal("times faster than plain", theirs / ours, FASTER),
        Goal("times as long as copying the files", ours / limit, OF_COPYING, at_least=False),
        Goal("store over JPEG bytes", size, OF_BYTES, at_least=False),
    )
    extra = {"mean_jpeg_kb": jpeg_bytes / len(names) / 1e3, "images_per_second": 1 / ours}
    return Result("images", "ms an image", ours * 1e3, theirs * 1e3, limit * 1e3, len(names), len(subset), goals, extra)


def require_equal(store: Store, png: Path, source: Path, names: list[str], subset: list[str]) -> None:
    """Stop unless our store holds every file byte for byte, and the plain one the same pixels."""
    for name in names:
        assert store.get(name) == (source / name).read_bytes(), f"{name}: not the bytes of the file"
    with lmdb.open(str(png), subdir=False, readonly=True) as environment, environment.begin() as transaction:
        assert transaction.stat()["entries"] == len(subset), "the plain store lacks images"
        for name in subset:
            ours, theirs = (
                cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
                for content in (store.get(name), transaction.get(name.encode()))
            )
            assert np.array_equal(ours, theirs), f"{name}: other pixels"


if __name__ == "__main__":
    command(run)
