"""The image encoder: timm's HRNet up to its highest-resolution branch."""

import warnings
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from digit.console import log
from digit.errors import UserError


def create_backbone(name: str, pretrained: str | None = None) -> tuple[nn.Module, int, str]:
    """Build an HRNet whose first output is the stride-4 branch.

    The last fusion produces only that branch: the layers that would feed the coarser ones are dropped,
    because parameters without a gradient break data-parallel training.

    Args:
        name: a timm model name such as ``hrnet_w32``; parameter names equal the original network's.
        pretrained: None (random), ``"timm"`` or the path of ImageNet weights such as hrnet_w32-36af842e.pth.

    Returns:
        the module (images (B, 3, S, S) to a list whose first item is (B, C, S/4, S/4)), C, and a
        description of where the weights come from.

    Raises:
        UserError: for an unknown model or weights that do not fit.
    """
    try:
        net: Any = timm.create_model(name, features_only=True, feature_location="", out_indices=(1,))
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"model.backbone: {name!r} is not an HRNet of timm; try hrnet_w32 or hrnet_w18_small"
        ) from error
    origin = _load_imagenet(net, name, pretrained)
    channels: int = net.feature_info[1]["num_chs"]
    last = net.stage4[-1]
    last.fuse_layers = last.fuse_layers[:1]
    return net, channels, origin


def _load_imagenet(net: nn.Module, name: str, pretrained: str | None) -> str:
    if pretrained is None:
        return "random"
    if pretrained == "timm":
        return _load_from_timm(net, name)
    path = Path(pretrained)
    if not path.is_file():
        raise UserError(f"model.pretrained: {path} does not exist; give a .pth file, 'timm' or null")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"{path}: cannot be read as weights ({error}); download hrnet_w32-36af842e.pth again"
        ) from error
    state = state.get("state_dict", state)
    missing = [key for key in net.state_dict() if key not in state]
    if missing:
        raise UserError(f"{path}: lacks {len(missing)} tensors of {name}, first {missing[0]}; is it another network?")
    net.load_state_dict({key: state[key] for key in net.state_dict()})
    return path.name


def _load_from_timm(net: nn.Module, name: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = timm.create_model(name, pretrained=True)
    except Exception as error:  # whatever the hub raises without a network
        log.warning("timm's ImageNet weights of %s cannot be fetched (%s): training from random weights", name, error)
        return "random (timm's weights could not be fetched)"
    state = source.state_dict()
    net.load_state_dict({key: state[key] for key in net.state_dict()})
    return f"timm {name}"
