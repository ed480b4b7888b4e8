"""The image encoder: timm's HRNet up to its highest-resolution branch."""

import hashlib
import re
import warnings
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from digit.console import log
from digit.errors import UserError

REMEDY = "give hrnet_w32-36af842e.pth of the original HRNet, 'timm' or null"
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
    return net, channels, _load_imagenet(net, name, pretrained)


def _load_imagenet(net: nn.Module, name: str, pretrained: str | None) -> str:
    if pretrained is None:
        return RANDOM
    if pretrained == "timm":
        return _load_from_timm(net, name)
    path = Path(pretrained)
    state = _read_state(path)
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
            f"is it another network? {REMEDY}"
        )
    net.load_state_dict({key: state[key] for key in expected})
    return f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]})"


def _read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a weights file by their names in the network; what else the file holds is left out."""
    if not path.is_file():
        raise UserError(f"model.pretrained: {path} does not exist; {REMEDY}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign bytes make the unpickler fail in every way there is
        if re.search("Unsupported (global|class)", str(error)):
            raise UserError(f"{path}: holds more than weights and is refused; {REMEDY}") from error
        raise UserError(f"{path}: is damaged or no weights file; download it again, or {REMEDY}") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds no dictionary of tensors; {REMEDY}")
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
