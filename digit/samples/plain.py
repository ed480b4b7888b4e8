"""A prepared split for other programs: samples one by one, for any DataLoader."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from digit.config import Config, ModelSettings, RootDepth, load_config, resolve
from digit.run.errors import UserError
from digit.samples import opening
from digit.samples.dataset import Batch, HandDataset
from digit.samples.index import SplitIndex
from digit.samples.subsets import SUBSETS


class Samples(Dataset[dict[str, Tensor]]):
    """Samples of a split, without augmentation; a batch is still fetched as a whole, so that geometry is cheap.

    A sample has ``image`` (S, S, 3) uint8 RGB, the targets of :func:`digit.samples.targets.pose_targets`, ``segm``
    (S/2, S/2) uint8 labels with ``segm_valid``, ``inv_trans`` (2, 3) from crop to image px, and ``row`` of the index.
    """

    def __init__(self, batches: HandDataset) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self.__getitems__([place % len(self)])[0]

    def __getitems__(self, places: Sequence[int]) -> list[dict[str, Tensor]]:
        """Samples as a DataLoader asks for them, to be collated."""
        batch = self.batch(places)
        return [{name: values[k] for name, values in batch.items()} for k in range(len(places))]

    def batch(self, places: Sequence[int]) -> Batch:
        """Several samples, stacked."""
        return self._batches.__getitems__(places)

    @property
    def names(self) -> list[str]:
        """File names, in order."""
        return list(self.index.keys(self.rows))

    @property
    def index(self) -> SplitIndex:
        """Annotations of the split; ``rows`` says which of them are samples."""
        return self._batches.index

    @property
    def rows(self) -> np.ndarray:
        """(n,) rows of the index, in the order of the samples."""
        return self._batches.rows

    @property
    def settings(self) -> ModelSettings:
        """Sizes of crops and heat maps."""
        return self._batches.settings

    @property
    def root_depth(self) -> RootDepth:
        """Where boxes and absolute root depths come from."""
        return self._batches.root_depth


def open_dataset(
    config: Config | Mapping[str, Any] | str | Path,
    split: str,
    experiment: str | None = None,
    root_depth: RootDepth = "gt",
) -> Samples:
    """Open a split that the stages index, images and parts have prepared.

    Args:
        config: a configuration file, its content, or a resolved configuration.
        split: ``train``, ``val``, ``test`` or a published subset (``minival``, ...).
        experiment: whose network the crops are for; None takes the first one.
        root_depth: ``gt`` or ``rootnet``, whose boxes are cropped.

    Raises:
        UserError: when the configuration has mistakes, or a stage's files are missing or damaged; the message says
            which command makes them.

    Examples:
        >>> dataset = digit.open_dataset("config.yaml", "val")
        >>> batch = next(iter(DataLoader(dataset, batch_size=8, shuffle=True)))
        >>> batch["image"].shape, batch["joint_coord"].shape
    """
    if isinstance(config, str | Path):
        config = load_config(Path(config))
    elif not isinstance(config, Config):
        config = resolve(dict(config))
    if split not in SUBSETS:
        raise UserError(f"split {split!r}: there is none; choose one of {', '.join(SUBSETS)}")
    if root_depth not in ("gt", "rootnet"):
        raise UserError(f"root_depth {root_depth!r}: choose gt or rootnet")
    if experiment is None:
        experiment = next(iter(config.experiments), None)
    if experiment not in config.experiments:
        known = ", ".join(config.experiments) or "none; name one under experiments"
        raise UserError(f"experiments.{experiment}: no such experiment; the configuration has {known}")
    return Samples(opening.open_dataset(config, split, config.experiments[experiment].model, root_depth)[0])
