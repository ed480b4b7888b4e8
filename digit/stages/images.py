"""images: the JPEG files of one shard, byte for byte, as one LMDB file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digit.config import Config
from digit.console import log, track
from digit.data import original
from digit.data.ahead import map_ahead
from digit.data.earlier import Earlier, keep
from digit.data.index import SplitIndex, open_index
from digit.data.interhand import Release
from digit.data.jpeg import find_damage, read_file
from digit.data.store import write_shard
from digit.errors import UserError
from digit.layout import Layout

LISTED = 50


def images(config: Config, split: str, shard: int) -> None:
    """Write ``images/<split>/<shard>.lmdb``: the files of the shard's rows, keyed by file name.

    With ``data.image_lmdb`` they come from the original's store and are PNG.

    A file that is missing, cut off or of another size than annotated fails the stage, or with
    ``data.damaged_images: exclude`` is left out and listed in the header under ``excluded`` with its reason.

    Raises:
        UserError: naming every such file of the shard; then nothing is written.
    """
    layout = Layout.of(config)
    index = open_index(layout.index(split))
    rows = index.shard_rows(config.data.shards, shard)
    path = layout.images(split, shard)
    excluded: dict[str, str] = {}
    header = {
        "stage": "images",
        "split": split,
        "shard": shard,
        "shards": config.data.shards,
        "key": f"path of the image below images/{split}/",
        "value": "the bytes of the JPEG file" if config.data.image_lmdb is None else "PNG, from the original's store",
        "excluded": excluded,
    }
    earlier = Earlier(path)
    items = _sound_images(config, index, rows, earlier, excluded)
    count = write_shard(path, items, lambda: header)
    keep(path)
    for name, reason in excluded.items():
        log.warning("images %s: left out %s: %s", split, name, reason)
    megabytes = path.stat().st_size / 1e6
    words = f"{count} images, {earlier.used} of them from before, {len(excluded)} left out, {megabytes:.1f} MB"
    log.info("images %s shard %d: %s", split, shard, words)


def _sound_images(
    config: Config, index: SplitIndex, rows: np.ndarray, earlier: Earlier, excluded: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of ``rows`` in the order of their names, and note damaged ones in ``excluded``."""
    exclude = config.data.damaged_images == "exclude"
    rows = rows[np.argsort(index.file_name[rows], kind="stable")]
    names = index.keys(rows)
    contents = _contents(config, index, rows, names, earlier)
    for name, content in zip(names, track(contents, f"images {index.split}", len(names)), strict=True):
        if isinstance(content, str):
            excluded[name] = content
        elif exclude or not excluded:
            yield name, content
    if excluded and not exclude:
        raise UserError(_explain(excluded, len(names), config, index.split))


def _contents(
    config: Config, index: SplitIndex, rows: np.ndarray, names: list[str], earlier: Earlier
) -> Iterator[bytes | str]:
    """Files of sound images, and of the others what is wrong with them; those stored before come from there."""
    widths, heights = index.width[rows].tolist(), index.height[rows].tolist()
    if config.data.image_lmdb is not None:
        store = original.OriginalStore(Path(config.data.image_lmdb), index.split, "images")
        yield from original.read_images(store, names, widths, heights)
        return
    folder = Release.of(config).images(index.split)

    def read(name: str) -> bytes | str:
        path = f"{folder}/{name}"
        return earlier.unchanged(name, path) or read_file(path)

    files = map_ahead(read, names)
    for content, width, height in zip(files, widths, heights, strict=True):
        yield find_damage(content, width, height) or content


def _explain(damaged: dict[str, str], count: int, config: Config, split: str) -> str:
    release = Release.of(config)
    folder = config.data.image_lmdb or release.images(split)
    remedy = release.remedy("images") if config.data.image_lmdb is None else original.IMAGES_REMEDY
    lines = [f"  - {folder}/{name}: {reason}" for name, reason in list(damaged.items())[:LISTED]]
    if len(damaged) > LISTED:
        lines.append(f"  ... and {len(damaged) - LISTED} more")
    return (
        f"{len(damaged)} of {count} images of split {split} are missing or damaged:\n" + "\n".join(lines) + "\n"
        f"{remedy}, or set data.damaged_images: exclude to leave these samples out"
    )
