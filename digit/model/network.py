"""What every network has in common: its outputs, its inputs, and expectations over heat maps."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from digit.config import ModelSettings
from digit.run.errors import UserError

NEAR_CELLS = 1.5
"""What is near in a heat map: about the width of a fingertip in a crop that two hands fill."""


class Prediction(NamedTuple):
    """What a network says of a batch, in heat-map cells (S/4 to a side) and bins."""

    joint_xyz: Tensor
    """(B, 42, 3) x, y and depth in heat-map cells."""
    rel_root_depth: Tensor
    """(B, 1) depth of the left root relative to the right one, in bins."""
    hand_logits: Tensor
    """(B, 2) logits of the right and the left hand being there."""
    segm_logits: Tensor | None
    """(B, 33, S/2, S/2) logits of background and parts; None from a network that draws no parts."""
    joint_confidence: Tensor
    """(B, 42) share of each joint's heat near its mean, :func:`heat_near_mean`; carries no gradient."""


class Network(nn.Module):
    """A pose network.

    Args:
        settings: Sizes and choices.
    """

    backbone_origin: str
    """Where the backbone's weights come from."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, images: Tensor, masks: Tensor | None = None) -> Prediction:
        """Predict from images (B, 3, S, S), float RGB in [0, 1].

        Args:
            images: Crops.
            masks: (B, 33, S/2, S/2) annotated labels, one-hot, all 0 where there is no mask; only for a network that
                :func:`needs_masks`.
        """
        raise NotImplementedError

    def initialize_heads(self) -> None:
        """Start the heads so that a young network says sensible things: flat heat maps, the middle of the depth box.

        Convolutions outside the backbone get Kaiming's initialisation; heat-map weights are ten times smaller.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not name.startswith("backbone."):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self._flatten_heat_maps()

    def _flatten_heat_maps(self) -> None:
        raise NotImplementedError


def needs_masks(settings: ModelSettings) -> bool:
    """Whether a network takes annotated masks beside the images."""
    return settings.architecture == "digit" and settings.fusion == "gt_mask"


def require_images_alone(model: Network, source: str) -> None:
    """Refuse a network that cannot work on a picture alone.

    Raises:
        UserError: naming where the network comes from.
    """
    if needs_masks(model.settings):
        raise UserError(
            f"{source}: this network (model.fusion: gt_mask) sees annotated part masks beside the image, so it can "
            "only be evaluated on annotated data; take an experiment with another model.fusion"
        )


def expected_joints(heat_logits: Tensor, depth_maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean position under each joint's heat map: (B, J, H, W) twice to (B, J, 3) in cells, and (B, J) confidence.

    The centre of cell (i, j) lies at (i + 0.5, j + 0.5); z is the mean of the depth map. Computed in
    float32 whatever the precision of the network.
    """
    batch, joints, height, width = heat_logits.shape
    heat = heat_logits.float().flatten(2).softmax(-1).view(batch, joints, height, width)
    x = (heat.sum(2) * (torch.arange(width, device=heat.device) + 0.5)).sum(-1)
    y = (heat.sum(3) * (torch.arange(height, device=heat.device) + 0.5)).sum(-1)
    z = (heat * depth_maps.float()).sum(dim=(2, 3))
    return torch.stack([x, y, z], dim=-1), heat_near_mean(heat, x, y)


def expected_voxels(heat_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Mean position under 3D heat maps: (B, J, D, H, W) to (B, J, 3) x, y and depth in cells, and (B, J) confidence.

    Cell centres lie at halves, as in :func:`expected_joints`; computed in float32.
    """
    heat = heat_logits.float().flatten(2).softmax(-1).view(heat_logits.shape)
    marginals = heat.sum((2, 3)), heat.sum((2, 4)), heat.sum((3, 4))
    means = [(m * (torch.arange(m.shape[-1], device=m.device) + 0.5)).sum(-1) for m in marginals]
    return torch.stack(means, dim=-1), heat_near_mean(heat.sum(2), means[0], means[1])


def heat_near_mean(heat: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Share of each heat map (B, J, H, W) within :data:`NEAR_CELLS` of its mean x and y (B, J), both in cells: (B, J).

    Cells that the border of this square cuts count by their area, so that the share changes smoothly.
    """
    columns, rows = (
        (NEAR_CELLS + 0.5 - (torch.arange(size, device=heat.device) + 0.5 - mean.detach()[..., None]).abs()).clamp(0, 1)
        for size, mean in ((heat.shape[3], x), (heat.shape[2], y))
    )
    return ((heat.detach() * columns[..., None, :]).sum(3) * rows).sum(2)


def expected_bin(logits: Tensor) -> Tensor:
    """Mean bin number under a softmax: (B, bins) to (B, 1)."""
    probabilities = logits.float().softmax(-1)
    return (probabilities * torch.arange(logits.shape[-1], device=logits.device)).sum(-1, keepdim=True)
