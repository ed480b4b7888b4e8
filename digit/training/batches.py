"""Training batches of one process, from where an interrupted epoch stood."""

import signal
from multiprocessing import resource_tracker
from typing import Any, cast

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from digit.config import TrainingSettings
from digit.run import provenance
from digit.samples.curriculum import curriculum_of
from digit.samples.dataset import EpochSampler, HandDataset, whole_batch
from digit.training.internals import batches_done


def samples_per_step(training: TrainingSettings) -> int:
    """Samples that one process takes through the network at once."""
    return min(training.iter_batch, training.batch_size // (training.devices * training.nodes))


def accumulated(training: TrainingSettings) -> int:
    """Passes through the network that make one optimiser step."""
    return training.batch_size // (samples_per_step(training) * training.devices * training.nodes)


def steps_of(training: TrainingSettings, samples: int) -> int:
    """Optimiser steps of a whole training on a data set of so many samples."""
    return training.max_epoch * max(samples // training.batch_size // training.epochs_per_pass, 1)


def trained_on(dataset: HandDataset) -> dict[str, Any]:
    """What a training on a data set depends on: annotations, samples, masks, and which of these supervise."""
    found: dict[str, Any] = {"sources": dataset.index.header["sources"], "rows": provenance.array_digest(dataset.rows)}
    if dataset.masks is None:
        return found
    supervised = dataset.masks.supervise(dataset.rows, dataset.index.hand_type[dataset.rows])
    return found | {"masks": dataset.masks.hands.pairs, "supervised": provenance.array_digest(supervised)}


def batch_loader(
    dataset: Dataset, batch_size: int, workers: int, sampler: Sampler[int] | None = None, persistent: bool = False
) -> DataLoader:
    """Whole batches of a data set, fetched by ``workers`` processes; ``persistent`` ones outlive an epoch."""
    return _Loader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=whole_batch,
        num_workers=workers,
        persistent_workers=persistent and workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_live_as_long_as_the_training,
    )


class _Loader(DataLoader):
    """Starts its workers deaf to SIGTERM: schedulers send it to every process, and the training must outlive it.

    A worker that dies takes the training along, so the signal waits until all have started, and is then for the
    training alone: workers, and the server that forks them where Python has one, inherit what is blocked.
    """

    def __iter__(self) -> Any:
        resource_tracker.ensure_running()  # Its start would unblock the signal too early.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live_as_long_as_the_training(_: int) -> None:
    """Let a worker ignore SIGTERM, also one that came before."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Batches(lightning.LightningDataModule):
    """Training batches, shared out among the processes of a run."""

    def __init__(self, dataset: HandDataset, training: TrainingSettings) -> None:
        super().__init__()
        self.dataset, self.training = dataset, training

    def train_dataloader(self) -> DataLoader:
        """This process's share of every global batch, in a new order each epoch.

        Lightning asks for it once, when a resumed training's progress is known already.
        """
        training, trainer = self.training, cast(lightning.Trainer, self.trainer)
        size = samples_per_step(training)
        sampler = EpochSampler(
            len(self.dataset),
            training.batch_size,
            training.seed,
            trainer.global_rank,
            trainer.world_size,
            training.epochs_per_pass,
            curriculum_of(self.dataset.index, self.dataset.rows, training),
        )
        done = batches_done(trainer) % (len(sampler) // size)
        sampler.resume(trainer.current_epoch, done * size)
        return batch_loader(self.dataset, size, training.num_workers, sampler, persistent=True)
