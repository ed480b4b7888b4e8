"""Training batches of one process, from where an interrupted epoch stood."""

from typing import cast

import lightning
import torch
from torch.utils.data import DataLoader

from digit.config import TrainingSettings
from digit.data.dataset import EpochSampler, HandDataset, whole_batch


def samples_per_step(training: TrainingSettings) -> int:
    """Samples that one process takes through the network at once."""
    return min(training.iter_batch, training.batch_size // (training.devices * training.nodes))


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
            len(self.dataset), training.batch_size, training.seed, trainer.global_rank, trainer.world_size
        )
        done = trainer.fit_loop.epoch_loop.batch_progress.current.ready % (len(sampler) // size)
        sampler.resume(trainer.current_epoch, done * size)
        return DataLoader(
            self.dataset,
            batch_size=size,
            sampler=sampler,
            collate_fn=whole_batch,
            num_workers=training.num_workers,
            persistent_workers=training.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
