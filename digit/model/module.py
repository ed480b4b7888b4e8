"""The network under training: losses, optimiser and schedule for Lightning."""

from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn

from digit.config import Experiment, TrainingSettings, to_dict
from digit.model.digit import Digit
from digit.model.inference import to_input
from digit.model.losses import digit_losses

WARM_UP = 0.15
"""Share of a one-cycle schedule in which the learning rate rises."""


class DigitModule(lightning.LightningModule):
    """DIGIT as a Lightning module. Its state has the released weights' keys, ``model.pose_reg...``."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self.save_hyperparameters({"experiment": to_dict(experiment)})
        self.experiment = experiment
        network = Digit(experiment.model)
        if experiment.model.pretrained is None:
            initialize_heads(network)
        self.model = nn.ModuleDict({"pose_reg": network.to(memory_format=torch.channels_last)})

    @property
    def network(self) -> Digit:
        """The network itself."""
        return cast(Digit, self.model["pose_reg"])

    def forward(self, images: Tensor) -> Any:
        """Predict from images (B, 3, S, S) in [0, 1]."""
        return self.network(images)

    def training_step(self, batch: dict[str, Tensor], _: int) -> dict[str, Tensor]:
        """Sum the losses of a batch; the parts travel with it for the history."""
        parts = digit_losses(self(to_input(batch)), batch, self.experiment.losses)
        return {"loss": torch.stack(list(parts.values())).sum(), **{k: v.detach() for k, v in parts.items()}}

    def configure_optimizers(self) -> Any:
        """Build the optimiser and the schedule of the experiment."""
        training = self.experiment.training
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[training.optimizer]
        optimizer = kind(self.parameters(), lr=training.lr, weight_decay=training.weight_decay)
        scheduler, interval = _schedule(optimizer, training, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": interval}}


def _schedule(optimizer: torch.optim.Optimizer, training: TrainingSettings, steps: int) -> tuple[Any, str]:
    if training.schedule == "one_cycle":
        one_cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=training.lr, total_steps=steps, pct_start=WARM_UP
        )
        return one_cycle, "step"
    milestones = list(training.lr_dec_epoch)
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, training.lr_decay), "epoch"


def initialize_heads(network: Digit) -> None:
    """Start the heads so that a young network says sensible things: flat heat maps, the middle of the depth box.

    Convolutions outside the backbone get Kaiming's initialisation; heat-map weights are ten times smaller.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and not name.startswith("backbone."):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.constant_(network.conv_depth.get_parameter("bias"), network.settings.heatmap_size / 2)
    with torch.no_grad():
        network.conv_hm.weight *= 0.1
