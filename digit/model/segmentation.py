"""The part segmentation head: features to one logit per part and pixel."""

from torch import Tensor, nn

from digit.model.unet import Up
from digit.skeleton import LABEL_COUNT


class Upsampler(nn.Module):
    """One bilinear doubling with a double convolution."""

    def __init__(self, channels: int, widths: tuple[int, int]) -> None:
        super().__init__()
        self.up1 = Up(channels, *widths)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, widths[1], 2H, 2W)."""
        return self.up1(features)


class SegmentationNet(nn.Module):
    """Two 3x3 convolutions to the label logits, normalised between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(channels, LABEL_COUNT, 3, padding=1),
            nn.BatchNorm2d(LABEL_COUNT),
            nn.ReLU(inplace=True),
            nn.Conv2d(LABEL_COUNT, LABEL_COUNT, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to logits (B, 33, H, W)."""
        return self.double_conv(x)


class SegmentationHead(nn.Module):
    """Upsampling and label logits; attribute names follow the released weights."""

    def __init__(self, channels: int, widths: tuple[int, int]) -> None:
        super().__init__()
        self.upsampler = Upsampler(channels, widths)
        self.segm_net = SegmentationNet(widths[1])

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, S/4, S/4) to logits (B, 33, S/2, S/2)."""
        return self.segm_net(self.upsampler(features))


class HandSegmentation(nn.Module):
    """Holder of the head, for the released weights' key layout."""

    def __init__(self, channels: int, widths: tuple[int, int]) -> None:
        super().__init__()
        self.segm_head = SegmentationHead(channels, widths)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, S/4, S/4) to logits (B, 33, S/2, S/2)."""
        return self.segm_head(features)
