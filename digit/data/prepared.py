"""Opening what the index, images and parts stages prepared."""

from collections import Counter

import numpy as np

from digit.config import AugmentSettings, Config, ModelSettings, RootDepth
from digit.data.dataset import HandDataset, Masks
from digit.data.index import open_index
from digit.data.store import Store
from digit.data.subsets import SUBSETS, subset_rows
from digit.errors import UserError
from digit.layout import Layout


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
        the data set, and how many samples the images stage left out for each reason.

    Raises:
        UserError: when an earlier stage's files are missing, damaged or empty.
    """
    layout, shards, split = Layout.of(config), range(config.data.shards), SUBSETS[subset]
    index = open_index(layout.index(split))
    images = Store([layout.images(split, shard) for shard in shards])
    parts = Store([layout.parts(split, shard) for shard in shards])
    masks = Masks.open(parts, [layout.fit(split, shard) for shard in shards], len(index))
    rows, reasons = subset_rows(subset, index.annotation_order, index.hand_type), images.excluded()
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
