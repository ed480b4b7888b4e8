"""images: the JPEG files of one shard, byte for byte, as one LMDB file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from digit.config import Config
from digit.original import reading as original
from digit.release.interhand import Release
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.index import SplitIndex, open_index
from digit.store.earlier import Earlier
from digit.store.image_files import MOST_LEFT_OUT, ImageFiles, doubt, found_by_check
from digit.store.shards import write_shard

LISTED = 50
JPEG_VALUE = "the bytes of the JPEG file"
PNG_VALUE = "the bytes of the PNG file in the original's store, which has red and blue swapped"


def images(config: Config, split: str, shard: int) -> None:
    """Write ``images/<split>/<shard>.lmdb``: the files of the shard's rows, keyed by file name.

    With ``data.image_lmdb`` they come from the original's store and are its PNG files, with red and blue swapped.

    A file that is missing, cut off, of another size than annotated, or damaged inside as ``digit check`` found, fails
    the stage, or with ``data.damaged_images: exclude`` is left out and listed in the header under ``excluded`` with
    its reason. What has not changed since an earlier run of the job is taken from there.

    Raises:
        UserError: naming every such file of the shard, or what keeps a file from being read; when there is no folder
            of images, or too many would be left out. Then nothing is written.
    """
    layout, index = Layout.of(config), open_index(Layout.of(config).index(split))
    rows = index.shard_rows(config.data.shards, shard)
    rows = rows[np.argsort(index.file_name[rows], kind="stable")]
    path = layout.images(split, shard)
    earlier = Earlier(path)
    header: dict[str, Any] = {
        "stage": "images",
        "split": split,
        "shard": shard,
        "shards": config.data.shards,
        "key": f"path of the image below images/{split}/",
        "value": JPEG_VALUE if config.data.image_lmdb is None else PNG_VALUE,
        "excluded": {},
    }
    suspects = _suspects(config, split)
    files = _files(config, index, rows, suspects, earlier)
    if files and files.unchanged() and _allows(config, earlier.header, header) and earlier.restore():
        header, words = earlier.header, "nothing has changed"
        earlier.keep(earlier.sources)
    else:
        items = _sound_images(config, index, rows, files, suspects, header["excluded"])
        count = write_shard(path, items, lambda: header)
        words = f"{count} images, {files.used if files else 0} of them from before"
        earlier.keep(files.sources if files else None)
    earlier.forget_surplus(config.data.shards)
    for name, reason in header["excluded"].items():
        log.warning("images %s: left out %s: %s", split, name, reason)
    megabytes = path.stat().st_size / 1e6
    log.info("images %s shard %d: %s, %d left out, %.1f MB", split, shard, words, len(header["excluded"]), megabytes)


def _files(
    config: Config, index: SplitIndex, rows: np.ndarray, suspects: set[str], earlier: Earlier
) -> ImageFiles | None:
    """JPEG files of ``rows``, or None where images come from the original's store."""
    if config.data.image_lmdb is not None:
        return None
    return ImageFiles(Release.of(config).images(index.split), index.keys(rows), suspects, earlier)


def _suspects(config: Config, split: str) -> set[str]:
    """Names of the images that ``check`` found damaged, as far as it has looked."""
    audit = Layout.of(config).check(split)
    suspects = found_by_check(audit)
    if suspects is None:
        log.info("images %s: %s is not there, so damage inside files goes unnoticed", split, audit)
    return suspects or set()


def _allows(config: Config, earlier: dict[str, Any], header: dict[str, Any]) -> bool:
    """Say whether an earlier shard with this header is what a job with ``header`` may leave."""
    same = all(earlier.get(key) == value for key, value in header.items() if key != "excluded")
    return same and (config.data.damaged_images == "exclude" or not earlier["excluded"])


def _sound_images(
    config: Config,
    index: SplitIndex,
    rows: np.ndarray,
    files: ImageFiles | None,
    suspects: set[str],
    excluded: dict[str, str],
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of ``rows``, and note damaged ones in ``excluded``."""
    exclude = config.data.damaged_images == "exclude"
    names, sizes = index.keys(rows), (index.width[rows].tolist(), index.height[rows].tolist())
    if files is None:
        store = original.OriginalStore(Path(str(config.data.image_lmdb)), index.split, "images")
        original.require_pictures(store, index.keys())
        contents = original.read_images(store, names, *sizes, suspects)
    else:
        contents = files.read(*sizes)
    for name, content in zip(names, track(contents, f"images {index.split}", len(names)), strict=True):
        if isinstance(content, str):
            excluded[name] = content
        elif exclude or not excluded:
            yield name, content
    if excluded and (not exclude or len(excluded) > MOST_LEFT_OUT * len(names)):
        raise UserError(_explain(excluded, len(names), config, index.split))


def _explain(damaged: dict[str, str], count: int, config: Config, split: str) -> str:
    release = Release.of(config)
    folder = config.data.image_lmdb or release.images(split)
    remedy = release.remedy("images") if config.data.image_lmdb is None else original.IMAGES_REMEDY
    lines = [f"  - {folder}/{name}: {reason}" for name, reason in list(damaged.items())[:LISTED]]
    if len(damaged) > LISTED:
        lines.append(f"  ... and {len(damaged) - LISTED} more")
    if len(damaged) > MOST_LEFT_OUT * count:
        remedy += f"; {doubt(release.root)}"
    elif config.data.damaged_images == "fail":
        remedy += ", or set data.damaged_images: exclude to leave these samples out"
    return f"{len(damaged)} of {count} images of split {split} are missing or damaged:\n" + "\n".join([*lines, remedy])
