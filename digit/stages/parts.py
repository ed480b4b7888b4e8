"""parts: which part of which hand every pixel shows, and how well the hand fits agree with the joints.

The masks go to ``parts/<split>/<shard>.lmdb``, the fit errors to ``parts/<split>/<shard>.fit.parquet``.
"""

import heapq
import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from digit.config import Config
from digit.hand.mano import hand_digest, load_hands
from digit.original.reading import read_fit_cache
from digit.parts.drawing import draw_masks, label_mask_of
from digit.parts.mask import noted
from digit.parts.takeover import take_masks
from digit.run.console import log, track
from digit.run.files import replacing
from digit.run.layout import Layout
from digit.samples.fits import PAIR, FitTable, digest_rows, digests, pair_digest, recall_fits, summary, write_fits
from digit.samples.index import SplitIndex, open_index
from digit.skeleton import LABEL_NAMES
from digit.store.shard_cache import ShardCache
from digit.store.shards import write_shard

LABELS_VERSION = 1
"""Version of the table that gives mask values their meaning: ``digit.skeleton.LABEL_NAMES``."""


def parts(config: Config, split: str, shard: int) -> None:
    """Write the masks and the fit errors of one shard of a split.

    A mask is a one-channel PNG of the labels 0..32, as large as its image, under the image's file name; a sample
    has one if at least one of its hands has a fit, annotated as present or not. Fits that are worse than
    ``data.max_fit_error_mm`` are drawn but marked invalid, with the reason, in the table of fit errors.

    Raises:
        UserError: the index, the hand model or the renderer is missing or unusable.
    """
    layout, index = Layout.of(config), open_index(Layout.of(config).index(split))
    rows = index.shard_rows(config.data.shards, shard)
    store, fits, table = layout.parts(split, shard), layout.fit(split, shard), FitTable.empty(len(rows))
    cache = ShardCache(store, fits)
    header = {
        "stage": "parts",
        "split": split,
        "shard": shard,
        "shards": config.data.shards,
        "key": f"path of the image below images/{split}/",
        "value": "PNG, one channel of uint8 labels, width and height of the image; none where no hand has a fit",
        "labels": list(LABEL_NAMES),
        "labels_version": LABELS_VERSION,
    }
    if config.data.mask_lmdb is None:
        masks, kept = _drawn(config, index, rows, table, header, cache, fits)
    else:
        masks, kept = _taken(config, index, rows, table, header), 0
    digest = blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
    limit = config.data.max_fit_error_mm
    note = f"fits of split {split}, shard {shard}: {json.dumps(header['hand_model'])}, accepted up to {limit} mm"
    with replacing(fits) as temporary:

        def finish() -> dict[str, Any]:
            """Header of the store; the table is written before either file is put in place."""
            pair = pair_digest(digest, rows, table)
            write_fits(temporary, index, rows, table, limit, note, pair)
            return header | {PAIR: pair}

        named = ((index.file_name[rows[place]].decode(), png) for place, png in masks)
        count = write_shard(store, _digesting(named, digest), finish)
    cache.keep()
    cache.forget_surplus(config.data.shards)
    words = f"{count} masks of {len(rows)} samples, {kept} kept from before, {summary(table)}"
    log.info("parts %s shard %d: %s", split, shard, words)


def _drawn(
    config: Config,
    index: SplitIndex,
    rows: np.ndarray,
    table: FitTable,
    header: dict[str, Any],
    cache: ShardCache,
    fits: Path,
) -> tuple[Iterator[tuple[int, bytes]], int]:
    """Place and PNG of the masks of ``rows``, drawn or kept from before, and how many were kept.

    Adds to ``header``; fills in ``table`` while the masks are drawn.
    """
    hands = load_hands(config.data.hand_model, config.data.sealed_faces, config.data.joint_regressor)
    name = "open" if config.data.hand_model == "open" else "MANO"
    header |= {"backend": config.parts.backend, "hand_model": {"name": name, "sha256": hand_digest(hands)}}
    table.drawn_from[:] = digests(index, rows)
    kept = _recall(cache, fits, header, index, rows, table)
    places = np.array([place for place in range(len(rows)) if place not in kept], dtype=np.int64)
    drawn = draw_masks(index, rows, places, hands, label_mask_of(config))
    drawn = track(drawn, f"parts {index.split}", len(places))
    recalled = ((place, png) for place, png in sorted(kept.items()) if png is not None)
    return heapq.merge(noted(drawn, table), recalled, key=lambda item: item[0]), len(kept)


def _taken(
    config: Config, index: SplitIndex, rows: np.ndarray, table: FitTable, header: dict[str, Any]
) -> Iterator[tuple[int, bytes]]:
    """Place and PNG of the original's masks of ``rows``; adds to ``header``; fills in ``table`` on the way."""
    header |= {"backend": "the original's store", "hand_model": {"name": "MANO"}}
    names, sizes_px = index.keys(rows), np.stack([index.width[rows], index.height[rows]], axis=1)
    cache = read_fit_cache(Path(str(config.data.fit_cache)), index.split, names)
    table.drawn_from[:] = digest_rows(cache.fitted, cache.error_mm)
    return noted(take_masks(Path(str(config.data.mask_lmdb)), cache, index.split, names, sizes_px), table)


def _recall(
    cache: ShardCache, fits: Path, header: dict[str, Any], index: SplitIndex, rows: np.ndarray, table: FitTable
) -> dict[int, bytes | None]:
    """Masks of an earlier run of this job whose inputs are the same, by place in ``rows``; fills in ``table`` for them.

    None stands for a sample that has no mask because no hand has a fit.
    """
    if any(cache.header.get(key) != header[key] for key in ("backend", "hand_model", "labels_version", "value")):
        return {}
    known = np.flatnonzero(recall_fits(cache.kept(fits), index, rows, table, cache.header.get(PAIR)))
    names = index.keys(rows[known])
    masks = {place: cache.find(name) for place, name in zip(known.tolist(), names, strict=True)}
    return {place: mask for place, mask in masks.items() if mask is not None or not table.fitted[place].any()}


def _digesting(masks: Iterable[tuple[str, bytes]], digest: blake2b) -> Iterator[tuple[str, bytes]]:
    """Pass masks on and add them to a digest."""
    for name, png in masks:
        digest.update(name.encode() + b"\0" + png)
        yield name, png
