"""Opening what the index, images and parts stages prepared."""

from collections import Counter

import numpy as np

from digit.config import AugmentSettings, Config, ModelSettings, RootDepth
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.dataset import HandDataset, Masks
from digit.samples.fits import PAIR, read_hands
from digit.samples.index import SplitIndex, open_index
from digit.samples.subsets import SUBSETS, subset_rows
from digit.store.shards import Store


def open_dataset(
    config: Config,
    subset: str,
    settings: ModelSettings,
    root_depth: RootDepth = "gt",
    augment: AugmentSettings | None = None,
    seed: int = 0,
) -> tuple[HandDataset, dict[str, int]]:
    """Open a split or a published subset of it, in protocol order.

    Returns:
        the data set, whose stores are closed again so that each process opens its own, and how many samples the
        images stage left out for each reason.

    Raises:
        UserError: when an earlier stage's files are missing, damaged or empty, or do not belong together.
    """
    layout, split = Layout.of(config), SUBSETS[subset]
    index = open_index(layout.index(split))
    images, masks = open_images(config, index), open_masks(config, index)
    rows, reasons = subset_rows(subset, index.annotation_order, index.hand_type), images.excluded()
    images.close()
    masks.store.close()
    left_out = np.zeros(len(index), dtype=bool)
    left_out[index.rows_of(reasons)] = True
    left_out = left_out[rows]
    excluded = Counter(reasons[name] for name in index.keys(rows[left_out]))
    if left_out.all():
        raise UserError(
            f"{layout.images(split, 0).parent}: no sample of {subset} is left; see `excluded` in its headers"
        )
    dataset = HandDataset(index, images, settings, rows[~left_out], masks, root_depth, augment, seed)
    return dataset, dict(sorted(excluded.items()))


def open_images(config: Config, index: SplitIndex) -> Store:
    """Open the image stores of a split and compare their headers with its index.

    Raises:
        UserError: a store is missing, damaged, or not the one that belongs there.
    """
    layout, shards = Layout.of(config), range(config.data.shards)
    store = Store([layout.images(index.split, shard) for shard in shards])
    _require_match(store, "images", index, np.ones(len(index), bool))
    return store


def open_masks(config: Config, index: SplitIndex) -> Masks:
    """Open the mask stores and fit tables of a split, compare headers with the index and stores with tables.

    Raises:
        UserError: a file is missing, damaged, or not the one that belongs there.
    """
    layout, shards = Layout.of(config), range(config.data.shards)
    tables = [layout.fit(index.split, shard) for shard in shards]
    store = Store([layout.parts(index.split, shard) for shard in shards])
    hands = read_hands(tables, len(index))
    _require_match(store, "parts", index, hands.drawn[:, 0] | hands.drawn[:, 1])
    for shard, (header, pair) in enumerate(zip(store.headers, hands.pairs, strict=True)):
        if header.get(PAIR) != pair:
            raise UserError(
                f"{store.paths[shard]} and {tables[shard].name} beside it were not made together; "
                f"{_remedy('parts', index, shard)}"
            )
    return Masks(store, hands)


def _require_match(store: Store, stage: str, index: SplitIndex, stored: np.ndarray) -> None:
    """Compare a split's stores with what the stage makes of the index; ``stored`` (N,): the sample has a file."""
    shards = len(store.paths)
    in_frame = np.bincount(index.frame_row, stored)
    first_rows = np.searchsorted(index.frame_row, np.arange(len(in_frame), dtype=index.frame_row.dtype))
    counts = np.bincount(index.shards_of(first_rows, shards), in_frame, shards).astype(int)
    for shard, (path, header) in enumerate(zip(store.paths, store.headers, strict=True)):
        wanted = {"stage": stage, "split": index.split, "shard": shard, "shards": shards}
        wrong = [f"{key} {header.get(key)}, not {value}" for key, value in wanted.items() if header.get(key) != value]
        if wrong:
            raise UserError(f"{path}: is another store: {', '.join(wrong)}; {_remedy(stage, index, shard)}")
        found = header["count"] + len(header.get("excluded", {}))
        if found != counts[shard]:
            raise UserError(
                f"{path}: knows {found} samples, by the index there are {counts[shard]}, so it was made from other "
                f"annotations; {_remedy(stage, index, shard)}"
            )


def _remedy(stage: str, index: SplitIndex, shard: int) -> str:
    return f"run `digit {stage} --split {index.split} --shard {shard}` again"
