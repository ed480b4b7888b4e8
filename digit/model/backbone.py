"""Image encoders: timm's HRNet up to its highest-resolution branch, torchvision's ResNet up to its last maps."""

import hashlib
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import timm
import torchvision
from torch import Tensor, nn

from digit.model.weights_file import read_weights
from digit.run.console import log
from digit.run.errors import UserError

HRNET_REMEDY = "give hrnet_w32-36af842e.pth of the original HRNet, 'timm' or null"
RESNET_REMEDY = "give resnet50-0676ba61.pth or the like of torchvision, 'torchvision' or null"
RANDOM = "random"
"""How every description of weights begins that are not pretrained."""


def create_backbone(name: str, pretrained: str | None = None) -> tuple[nn.Module, int, str]:
    """Build an HRNet whose first output is the stride-4 branch.

    The last fusion produces only that branch: the layers that would feed the coarser ones are dropped,
    because parameters without a gradient break data-parallel training.

    Args:
        name: a timm model name such as ``hrnet_w32``; parameter names equal the original network's.
        pretrained: None (random), ``"timm"`` or the path of ImageNet weights such as hrnet_w32-36af842e.pth. When
            timm's cannot be fetched, the weights stay random.

    Returns:
        the module (images (B, 3, S, S) to a list whose first item is (B, C, S/4, S/4)), C, and a
        description of where the weights come from, beginning with ``RANDOM`` if they are.

    Raises:
        UserError: for an unknown model or weights that do not fit.
    """
    try:
        net: Any = timm.create_model(name, features_only=True, feature_location="", out_indices=(1,))
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"model.backbone: {name!r} is not an HRNet of timm; try hrnet_w32 or hrnet_w18_small"
        ) from error
    channels: int = net.feature_info[1]["num_chs"]
    last = net.stage4[-1]
    last.fuse_layers = last.fuse_layers[:1]
    if pretrained == "timm":
        return net, channels, _load_from_timm(net, name)
    return net, channels, _load_file(net, name, pretrained, HRNET_REMEDY)


def create_resnet(name: str, pretrained: str | None = None) -> tuple[nn.Module, int, str]:
    """Build a ResNet without its classifier.

    Args:
        name: One of torchvision's, such as ``resnet50``; parameters keep their names.
        pretrained: None (random), ``"torchvision"`` (its IMAGENET1K_V1 weights, random when they cannot be fetched) or
            the path of such a file.

    Returns:
        the module (images (B, 3, S, S) to (B, C, S/32, S/32)), C, and where the weights come from, beginning with
        ``RANDOM`` if they are.

    Raises:
        UserError: for weights that do not fit.
    """
    whole = torchvision.models.get_model(name, weights=None)
    channels: int = whole.fc.in_features
    net = nn.Sequential(OrderedDict((k, v) for k, v in whole.named_children() if k not in ("avgpool", "fc")))
    if pretrained == "torchvision":
        return net, channels, _load_from_torchvision(net, name)
    return net, channels, _load_file(net, name, pretrained, RESNET_REMEDY)


def _load_file(net: nn.Module, name: str, pretrained: str | None, remedy: str) -> str:
    if pretrained is None:
        return RANDOM
    path = Path(pretrained)
    state = _read_state(path, remedy)
    expected = net.state_dict()
    # Files written before torch 0.4.1 do not count batches; the counts play no part with a fixed momentum.
    counters = {key: tensor for key, tensor in expected.items() if key.endswith("num_batches_tracked")}
    state = counters | state
    problems = [f"lacks {key}" for key in expected if key not in state]
    problems += [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    if problems:
        raise UserError(
            f"{path}: {len(problems)} of {len(expected)} tensors do not fit {name}, the first: {problems[0]}; "
            f"is it another network? {remedy}"
        )
    net.load_state_dict({key: state[key] for key in expected})
    return f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]})"


def _read_state(path: Path, remedy: str) -> dict[str, Tensor]:
    """Tensors of a weights file by their names in the network; what else the file holds is left out."""
    content = read_weights(path, f"model.pretrained: {remedy}")
    state = content.get("state_dict", content)
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds no dictionary of tensors; {remedy}")
    return {
        str(key).removeprefix("module.").removeprefix("backbone."): value
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def _load_from_timm(net: nn.Module, name: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source: Any = timm.create_model(name, pretrained=True)
    except Exception as error:  # whatever the hub raises without a network
        log.warning("timm's ImageNet weights of %s cannot be fetched: %s", name, error)
        return f"{RANDOM}, because timm's weights could not be fetched"
    state = source.state_dict()
    net.load_state_dict({key: state[key] for key in net.state_dict()})
    hub = source.pretrained_cfg.get("hf_hub_id") or name
    return f"timm's ImageNet weights ({hub})"


def _load_from_torchvision(net: nn.Module, name: str) -> str:
    try:
        source = torchvision.models.get_model(name, weights="IMAGENET1K_V1")
    except Exception as error:  # whatever the download raises without a network
        log.warning("torchvision's ImageNet weights of %s cannot be fetched: %s", name, error)
        return f"{RANDOM}, because torchvision's weights could not be fetched"
    state = source.state_dict()
    net.load_state_dict({key: state[key] for key in net.state_dict()})
    return f"torchvision's ImageNet weights ({name}, IMAGENET1K_V1)"
