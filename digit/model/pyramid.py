"""Any timm network with a feature pyramid, fused to stride 4 by a small neck."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 4
"""Of the fused features, as of HRNet's highest-resolution branch."""


class Pyramid(nn.Module):
    """A feature pyramid and its neck.

    Args:
        net: timm's, with ``features_only``; levels finer than stride 4 are left out.
        width: channels of the fused features.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: Any, width: int) -> None:
        super().__init__()
        channels, strides, colours = net.feature_info.channels(), net.feature_info.reduction(), net.pretrained_cfg
        self.net = net
        self._channels_last = getattr(net, "output_fmt", "NCHW") == "NHWC"
        self._used = [k for k, stride in enumerate(strides) if stride >= STRIDE]
        self.neck = Neck([channels[k] for k in self._used], width)
        self._enlarge = min(strides[k] for k in self._used) // STRIDE
        # Not in the state: they belong to the network's name.
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(colours[name])[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """RGB (B, 3, S, S) in [0, 1], shifted and scaled as the network's ImageNet weights want it, to features.

        Returns:
            One item (B, width, S/4, S/4).
        """
        # Depthwise convolutions have no fast bfloat16 gradient on a CPU; the dense layers behind them have.
        with torch.autocast("cpu", enabled=False):
            maps = self.net((images - self.mean) / self.std)
        used = [maps[k].permute(0, 3, 1, 2) if self._channels_last else maps[k] for k in self._used]
        return [_enlarged(self.neck(used), self._enlarge)]


class Neck(nn.Module):
    """Coarse maps added into finer ones, the finest smoothed.

    Args:
        channels: of the maps, fine to coarse.
        width: channels of the result.
    """

    def __init__(self, channels: list[int], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, width, 1, bias=False), nn.BatchNorm2d(width)) for count in channels
        )
        self.smooth = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (B, C, H, W), each as large as the one before it or an integer factor smaller, to (B, width, H, W)."""
        sides = [level.shape[-1] for level in maps]
        factors = [fine // coarse for fine, coarse in pairwise(sides)]
        levels = [lateral(level) for lateral, level in zip(self.laterals, maps, strict=True)]
        fused = levels.pop()
        for factor, level in zip(reversed(factors), reversed(levels), strict=True):
            fused = functional.relu(level + _enlarged(fused, factor))
        return self.smooth(fused)


def _enlarged(maps: Tensor, factor: int) -> Tensor:
    return functional.interpolate(maps, scale_factor=factor, mode="bilinear") if factor > 1 else maps
