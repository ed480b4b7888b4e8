"""The small U-Net that merges image and part features."""

import torch
from torch import Tensor, nn


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, channels_in: int, channels_mid: int, channels_out: int) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(channels_in, channels_mid, 3, padding=1),
            nn.BatchNorm2d(channels_mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_mid, channels_out, 3, padding=1),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        return self.double_conv(x)


class Down(nn.Module):
    """Halve the resolution, then convolve."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(channels_in, channels_out, channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H/2, W/2)."""
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Double the resolution, join the skip connection if there is one, then convolve."""

    def __init__(self, channels_in: int, channels_mid: int, channels_out: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv = DoubleConv(channels_in, channels_mid, channels_out)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """(B, C, H, W) and a skip (B, K, 2H, 2W) to (B, out, 2H, 2W)."""
        x = self.up(x)
        return self.conv(x if skip is None else torch.cat([skip, x], dim=1))


class OutConv(nn.Module):
    """A 1x1 convolution to the output channels."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        return self.conv(x)


class UNet(nn.Module):
    """Three levels down and up; the output has as many channels as the input.

    Args:
        channels: of the input and the output.
        widths: channels of the four levels, top to bottom.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        top, second, third, bottom = widths
        self.inc = DoubleConv(channels, top, top)
        self.down1 = Down(top, second)
        self.down2 = Down(second, third)
        self.down3 = Down(third, bottom)
        self.up1 = Up(bottom + third, (bottom + third) // 2, second)
        self.up2 = Up(2 * second, second, top)
        self.up3 = Up(2 * top, top, top)
        self.outc = OutConv(top, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape; H and W are multiples of 8."""
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x = self.up1(self.down3(x3), x3)
        x = self.up2(x, x2)
        return self.outc(self.up3(x, x1))
