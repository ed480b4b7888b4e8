"""The baseline: a ResNet, three deconvolutions and a 3D heat map for each joint.

After the description of InterNet (G. Moon et al., "InterHand2.6M", ECCV 2020): handedness and the relative root depth
come from the pooled features, and no hand parts are segmented. Where it differs: joints are the means of their heat
maps and are trained with the same losses as DIGIT's, so that a comparison is one of networks and not of losses; the
hidden layers are as wide as DIGIT's.
"""

import torch
from torch import Tensor, nn

from digit.config import ModelSettings
from digit.model.backbone import create_resnet
from digit.model.network import Network, Prediction, expected_bin, expected_voxels
from digit.skeleton import JOINT_COUNT


class InterNet(Network):
    """ResNet features to 42 heat maps of S/4 x S/4 x S/4 cells.

    Args:
        settings: ``resnet``, ``deconvolution``, the last width of ``head`` and the sizes of the outputs are used.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.backbone, channels, self.backbone_origin = create_resnet(settings.resnet, settings.pretrained)
        self.deconvolution = _deconvolutions(channels, settings.deconvolution)
        self.conv_heat = nn.Conv2d(settings.deconvolution[-1], JOINT_COUNT * settings.heatmap_size, 1)
        width = settings.head[-1]
        self.root_fc = nn.Sequential(
            nn.Linear(channels, width), nn.ReLU(inplace=True), nn.Linear(width, settings.root_bins)
        )
        self.hand_fc = nn.Sequential(nn.Linear(channels, width), nn.ReLU(inplace=True), nn.Linear(width, 2))

    def forward(self, images: Tensor, masks: Tensor | None = None) -> Prediction:
        """Predict from images (B, 3, S, S), float RGB in [0, 1]; there are no part logits, and masks are not used."""
        features = self.backbone(images)
        heat = self.conv_heat(self.deconvolution(features))
        joint_xyz, confidence = expected_voxels(heat.unflatten(1, (JOINT_COUNT, self.settings.heatmap_size)))
        summary = features.mean(dim=(2, 3))
        return Prediction(joint_xyz, expected_bin(self.root_fc(summary)), self.hand_fc(summary), None, confidence)

    def _flatten_heat_maps(self) -> None:
        with torch.no_grad():
            self.conv_heat.weight *= 0.1


def _deconvolutions(channels: int, widths: tuple[int, int, int]) -> nn.Sequential:
    """Three doublings of the resolution, each followed by batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip((channels, *widths), widths, strict=False):
        layers += [
            nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(fan_out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
