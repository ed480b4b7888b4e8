"""images: the JPEG files of one shard, byte for byte, as one LMDB file."""

from collections.abc import Iterator

import numpy as np

from digit.config import Config
from digit.console import log, track
from digit.data.index import SplitIndex, open_index
from digit.data.interhand import Release
from digit.data.jpeg import find_damage, read_ahead
from digit.data.store import write_shard
from digit.errors import UserError
from digit.layout import Layout

LISTED = 50


def images(config: Config, split: str, shard: int) -> None:
    """Write ``images/<split>/<shard>.lmdb``: the files of the shard's rows, keyed by file name.

    A file that is missing, cut off or of another size than annotated fails the stage, or with
    ``data.damaged_images: exclude`` is left out and listed in the header under ``excluded`` with its reason.

    Raises:
        UserError: naming every such file of the shard; then nothing is written.
    """
    layout, release = Layout.of(config), Release.of(config)
    index = open_index(layout.index(split))
    if not 0 <= shard < config.data.shards:
        raise UserError(
            f"shard {shard}: data.shards is {config.data.shards}, so shards are 0..{config.data.shards - 1}"
        )
    first, past = (int(bound) for bound in index.shard_bounds(config.data.shards)[shard : shard + 2])
    excluded: dict[str, str] = {}
    header = {
        "stage": "images",
        "split": split,
        "shard": shard,
        "shards": config.data.shards,
        "rows": [first, past],
        "key": f"path of the image below images/{split}/",
        "value": "the bytes of the JPEG file",
        "excluded": excluded,
    }
    items = _sound_images(index, first, past, release, config.data.damaged_images == "exclude", excluded)
    path = layout.images(split, shard)
    count = write_shard(path, items, lambda: header)
    for name, reason in excluded.items():
        log.warning("images %s: left out %s: %s", split, name, reason)
    megabytes = path.stat().st_size / 1e6
    log.info("images %s shard %d: %d images, %d left out, %.1f MB", split, shard, count, len(excluded), megabytes)


def _sound_images(
    index: SplitIndex, first: int, past: int, release: Release, exclude: bool, excluded: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of rows first..past in the order of their names, and note damaged ones in ``excluded``."""
    split, rows = index.split, np.arange(first, past)
    rows = rows[np.argsort(index.file_name[first:past], kind="stable")]
    names, folder = index.keys(rows), release.images(split)
    sizes = zip(index.width[rows].tolist(), index.height[rows].tolist(), strict=True)
    contents = track(read_ahead(folder, names), f"images {split}", len(names))
    for name, (width, height), content in zip(names, sizes, contents, strict=True):
        damage = find_damage(content, width, height)
        if damage is not None:
            excluded[name] = damage
        elif isinstance(content, bytes) and (exclude or not excluded):
            yield name, content
    if excluded and not exclude:
        raise UserError(_explain(excluded, len(names), release, split))


def _explain(damaged: dict[str, str], count: int, release: Release, split: str) -> str:
    lines = [f"  - {release.images(split)}/{name}: {reason}" for name, reason in list(damaged.items())[:LISTED]]
    if len(damaged) > LISTED:
        lines.append(f"  ... and {len(damaged) - LISTED} more")
    return (
        f"{len(damaged)} of {count} images of split {split} are missing or damaged:\n" + "\n".join(lines) + "\n"
        f"{release.remedy('images')}, or set data.damaged_images: exclude to leave these samples out"
    )
