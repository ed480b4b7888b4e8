"""The network of DIGIT: part logits from image features, then both into a 2.5D pose."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from digit.config import ModelSettings
from digit.model.backbone import create_backbone
from digit.model.network import Network, Prediction, expected_bin, expected_joints
from digit.model.segmentation import HandSegmentation
from digit.model.unet import UNet
from digit.skeleton import JOINT_COUNT, LABEL_COUNT


class Digit(Network):
    """DIGIT (3DV 2021). Attribute names follow the released weights.

    Args:
        settings: sizes and channel counts; the defaults are the paper's.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.backbone, channels, self.backbone_origin = create_backbone(
            settings.backbone, settings.pretrained, settings.neck, settings.input_size
        )
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

    def forward(self, images: Tensor, masks: Tensor | None = None) -> Prediction:
        """Predict from images (B, 3, S, S), float RGB in [0, 1]; with fusion ``gt_mask`` from one-hot masks too."""
        features = self.backbone(images)[0]
        segm_logits = self.hand_segm(features)
        parts = self._parts(segm_logits, masks)
        merged = self.merge_layer(torch.cat([features, self.conv_segm_feat(parts)], dim=1))
        joint_xyz, confidence = expected_joints(self.conv_hm(merged), self.conv_depth(merged))
        summary = self.conv_head(merged).mean(dim=(2, 3))
        rel_root_depth = expected_bin(self.root_fc(summary))
        drawn = None if self.settings.fusion == "features" else segm_logits
        return Prediction(joint_xyz, rel_root_depth, self.hand_fc(summary), drawn, confidence)

    def _parts(self, segm_logits: Tensor, masks: Tensor | None) -> Tensor:
        """What the pose network sees of the parts (B, 33, S/2, S/2)."""
        match self.settings.fusion:
            case "softmax":
                return segm_logits.softmax(1)
            case "argmax":
                one_hot = functional.one_hot(segm_logits.argmax(1), LABEL_COUNT)
                return one_hot.permute(0, 3, 1, 2).to(segm_logits.dtype)
            case "gt_mask":
                if masks is None:
                    raise ValueError("fusion gt_mask: the network needs masks beside the images")
                return masks.to(segm_logits.dtype)
            case _:
                return segm_logits

    def _flatten_heat_maps(self) -> None:
        nn.init.constant_(self.conv_depth.get_parameter("bias"), self.settings.heatmap_size / 2)
        with torch.no_grad():
            self.conv_hm.weight *= 0.1


def _summary_head(channels: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Eight times smaller maps for handedness and root depth: conv pairs, each followed by pooling."""
    a, b, c, d = widths
    layers: list[nn.Module] = []
    for k, (fan_in, fan_out) in enumerate([(channels, a), (a, b), (b, c), (c, d), (d, d), (d, d)]):
        layers += [nn.Conv2d(fan_in, fan_out, 3, padding=1), nn.ReLU(inplace=True)]
        if k % 2:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
