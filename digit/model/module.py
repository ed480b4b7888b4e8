"""The network under training: losses, optimiser and schedule for Lightning."""

from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn

from digit.config import Experiment, TrainingSettings, to_dict
from digit.model.backbone import is_hrnet
from digit.model.create import create_network
from digit.model.inference import to_inputs
from digit.model.losses import digit_losses
from digit.model.network import Network
from digit.run.console import log

WARM_UP = 0.15
"""Share of a one-cycle schedule in which the learning rate rises."""


def can_compile() -> bool:
    """Try torch's compiler on a small function; warn where it does not work."""
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device="cuda" if torch.cuda.is_available() else "cpu"))
    except Exception as error:  # a missing compiler makes torch fail in every way there is
        reason = str(error).strip().partition("\n")[0]
        log.warning("training.compile: torch cannot compile here (%s); the network runs uncompiled", reason)
        return False
    return True


class DigitModule(lightning.LightningModule):
    """A network as a Lightning module. Its state has the released weights' keys, ``model.pose_reg...``.

    Args:
        experiment: the network and how it is trained.
        steps: optimiser steps of the whole training, for its schedule.
    """

    def __init__(self, experiment: Experiment, steps: int) -> None:
        super().__init__()
        self.save_hyperparameters({"experiment": to_dict(experiment)})
        self.experiment, self.steps = experiment, steps
        network = create_network(experiment.model)
        if experiment.model.pretrained is None or not is_hrnet(experiment.model.backbone):
            network.initialize_heads()
        self.model = nn.ModuleDict({"pose_reg": network.to(memory_format=torch.channels_last)})
        self._run: Any = None

    def configure_model(self) -> None:
        """Compile the network if that is wanted; what cannot be compiled runs as it is, with a warning."""
        if self.experiment.training.compile and self._run is None and can_compile():
            torch._dynamo.config.suppress_errors = True
            object.__setattr__(self, "_run", torch.compile(self.network))

    @property
    def network(self) -> Network:
        """The network itself."""
        return cast(Network, self.model["pose_reg"])

    def forward(self, *inputs: Tensor) -> Any:
        """Predict from images (B, 3, S, S) in [0, 1] and, where the network needs them, masks."""
        return (self.network if self._run is None else self._run)(*inputs)

    def training_step(self, batch: dict[str, Tensor], _: int) -> dict[str, Tensor]:
        """Sum the losses of a batch; the parts travel with it for the history."""
        parts = digit_losses(self(*to_inputs(batch, self.experiment.model)), batch, self.experiment.losses)
        return {"loss": torch.stack(list(parts.values())).sum(), **{k: v.detach() for k, v in parts.items()}}

    def configure_optimizers(self) -> Any:
        """Build the optimiser and the schedule of the experiment."""
        training = self.experiment.training
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[training.optimizer]
        # Fused steps unscale gradients themselves, so Lightning cannot clip scaled ones.
        fused = torch.cuda.is_available() and not (training.precision == "16" and training.clip_norm is not None)
        optimizer = kind(self.parameters(), lr=training.lr, weight_decay=training.weight_decay, fused=fused)
        return [optimizer], _schedulers(optimizer, training, self.steps)


def _schedulers(optimizer: torch.optim.Optimizer, training: TrainingSettings, steps: int) -> list[dict[str, Any]]:
    if training.schedule == "one_cycle":
        one_cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=training.lr, total_steps=steps, pct_start=WARM_UP
        )
        return [{"scheduler": one_cycle, "interval": "step"}]
    if training.schedule == "constant":
        decay_steps = steps * training.decay_epochs // training.max_epoch

        def share(step: int) -> float:
            rise = (step + 1) / (training.warm_up_steps + 1)
            fall = (steps - step) / decay_steps if decay_steps else 1.0
            return min(rise, max(fall, 0.0), 1.0)

        return [{"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, share), "interval": "step"}]
    decay = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(training.lr_dec_epoch), training.lr_decay)
    schedulers: list[dict[str, Any]] = [{"scheduler": decay, "interval": "epoch"}]
    if training.warm_up_steps:
        warm_up = torch.optim.lr_scheduler.LinearLR(
            optimizer, start_factor=1 / (training.warm_up_steps + 1), total_iters=training.warm_up_steps
        )
        schedulers.append({"scheduler": warm_up, "interval": "step"})
    return schedulers
