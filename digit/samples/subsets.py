"""The published subsets of a split (mini, small, tiny), drawn exactly as the original draws them."""

import random
from typing import Literal

import numpy as np

Split = Literal["train", "val", "test"]
SEED = 1
MINI_COUNT = 1000
SHARES = {
    "smalltrain": 0.10,
    "smallval": 0.25,
    "smalltest": 0.25,
    "tinytrain": 0.05,
}
"""Share of the split's samples, rounded down. The original lists ``tinytrain`` but never applies it; here it does."""
SUBSETS = {f"{size}{split}": split for split in ("train", "val", "test") for size in ("", "mini", "small")} | {
    "tinytrain": "train"
}
"""The split that each subset is drawn from."""


def subset_places(subset: str, count: int) -> np.ndarray:
    """Places (n,) int64 of a subset's samples among ``count`` samples in annotation order, in the drawn order.

    The order matters: evaluation of a subset goes through it in the drawn order. A split with fewer samples than the
    subset asks for is taken whole.

    Args:
        subset: a key of :data:`SUBSETS`.
        count: number of samples of the split.
    """
    if subset not in SUBSETS:
        raise ValueError(f"subset {subset!r}: choose one of {', '.join(SUBSETS)}")
    if subset == SUBSETS[subset]:
        return np.arange(count)
    wanted = int(count * SHARES[subset]) if subset in SHARES else MINI_COUNT
    if wanted >= count:
        return np.arange(count)
    generator = random.Random(SEED)
    generator.randint(0, 100)  # the original checks this draw (17) before sampling
    return np.array(generator.sample(range(count), wanted))


def subset_rows(subset: str, annotation_order: np.ndarray, hand_type: np.ndarray | None = None) -> np.ndarray:
    """Index rows (n,) int64 of a subset.

    Args:
        subset: a key of :data:`SUBSETS`.
        annotation_order: (N,) the index's column.
        hand_type: (N, 2) the index's column; given, single-hand samples come first, then interacting ones, each in
            the drawn order, as the protocol wants; otherwise the rows stay in the drawn order.
    """
    rows = np.argsort(annotation_order)[subset_places(subset, len(annotation_order))]
    if hand_type is None:
        return rows
    return rows[np.argsort(hand_type[rows].all(axis=1), kind="stable")]
