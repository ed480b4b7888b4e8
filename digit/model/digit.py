"""The network of DIGIT: part logits from image features, then both into a 2.5D pose."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from digit.config import ModelSettings
from digit.model.backbone import create_backbone
from digit.model.segmentation import HandSegmentation
from digit.model.unet import UNet
from digit.skeleton import JOINT_COUNT, LABEL_COUNT


class Prediction(NamedTuple):
    """What the network says of a batch, in heat-map cells (S/4 to a side) and bins."""

    joint_xyz: Tensor
    """(B, 42, 3) x, y and depth in heat-map cells."""
    rel_root_depth: Tensor
    """(B, 1) depth of the left root relative to the right one, in bins."""
    hand_logits: Tensor
    """(B, 2) logits of the right and the left hand being there."""
    segm_logits: Tensor
    """(B, 33, S/2, S/2) logits of background and parts."""


class Digit(nn.Module):
    """DIGIT (3DV 2021). Attribute names follow the released weights.

    Args:
        settings: sizes and channel counts; the defaults are the paper's.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone, channels, self.backbone_origin = create_backbone(settings.backbone, settings.pretrained)
        self.hand_segm = HandSegmentation(channels, settings.segm_upsample)
        first, second = settings.segm_features
        self.conv_segm_feat = nn.Sequential(
            nn.Conv2d(LABEL_COUNT, first, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        fused = channels + second
        self.merge_layer = UNet(fused, settings.unet)
        self.conv_hm = nn.Conv2d(fused, JOINT_COUNT, 1)
        self.conv_depth = nn.Conv2d(fused, JOINT_COUNT, 1)
        self.conv_head = _summary_head(fused, settings.head)
        width = settings.head[-1]
        self.root_fc = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, settings.root_bins)
        )
        self.hand_fc = nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, 2))

    def forward(self, images: Tensor) -> Prediction:
        """Predict from images (B, 3, S, S), float RGB in [0, 1]."""
        features = self.backbone(images)[0]
        segm_logits = self.hand_segm(features)
        parts = segm_logits.softmax(1) if self.settings.fusion == "softmax" else segm_logits
        merged = self.merge_layer(torch.cat([features, self.conv_segm_feat(parts)], dim=1))
        joint_xyz = expected_joints(self.conv_hm(merged), self.conv_depth(merged))
        summary = self.conv_head(merged).mean(dim=(2, 3))
        rel_root_depth = expected_bin(self.root_fc(summary))
        return Prediction(joint_xyz, rel_root_depth, self.hand_fc(summary), segm_logits)


def expected_joints(heat_logits: Tensor, depth_maps: Tensor) -> Tensor:
    """Mean position under each joint's heat map: (B, J, H, W) twice to (B, J, 3) in cells.

    The centre of cell (i, j) lies at (i + 0.5, j + 0.5); z is the mean of the depth map. Computed in
    float32 whatever the precision of the network.
    """
    batch, joints, height, width = heat_logits.shape
    heat = heat_logits.float().flatten(2).softmax(-1).view(batch, joints, height, width)
    x = (heat.sum(2) * (torch.arange(width, device=heat.device) + 0.5)).sum(-1)
    y = (heat.sum(3) * (torch.arange(height, device=heat.device) + 0.5)).sum(-1)
    z = (heat * depth_maps.float()).sum(dim=(2, 3))
    return torch.stack([x, y, z], dim=-1)


def expected_bin(logits: Tensor) -> Tensor:
    """Mean bin number under a softmax: (B, bins) to (B, 1)."""
    probabilities = logits.float().softmax(-1)
    return (probabilities * torch.arange(logits.shape[-1], device=logits.device)).sum(-1, keepdim=True)


def _summary_head(channels: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Eight times smaller maps for handedness and root depth: conv pairs, each followed by pooling."""
    a, b, c, d = widths
    layers: list[nn.Module] = []
    for k, (fan_in, fan_out) in enumerate([(channels, a), (a, b), (b, c), (c, d), (d, d), (d, d)]):
        layers += [nn.Conv2d(fan_in, fan_out, 3, padding=1), nn.ReLU(inplace=True)]
        if k % 2:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
