"""Weights on disk: our checkpoints, the released file, Lightning checkpoints of the original."""

import argparse
import dataclasses
import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from digit.config import ModelSettings, resolve
from digit.errors import UserError
from digit.model.create import create_network
from digit.model.network import Network
from digit.presets import PRESETS

PREFIX = "model.pose_reg."
"""What precedes a parameter's name in the released weights and in every checkpoint."""

_OPTIONS = ("easydict.EasyDict", "pytorch_lightning.utilities.parsing.AttributeDict")
_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_NUMBER_TYPES = (np.float64, np.float32, np.int64, np.int32, np.bool_)
HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in _NUMBER_TYPES),
    *((OrderedDict, name) for name in _OPTIONS),
    *((np.float64(0).__reduce__()[0], name) for name in _SCALARS),
]
"""What Lightning checkpoints hold besides tensors: options, read as plain dictionaries, and single numbers."""


def load_model(weights: str | Path, preset: str | ModelSettings = "paper") -> Network:
    """Load a network in evaluation mode.

    Args:
        weights: one of our checkpoints, the released ``.pt`` or a ``.ckpt`` of the original.
        preset: sizes of the network when the file does not say: ``paper``, ``tiny`` or settings of its own.

    Raises:
        UserError: when the file is missing, wants to run code, or lacks or exceeds the network's tensors.
    """
    content = read_weights(Path(weights))
    experiment = _mapping(content.get("hyper_parameters")).get("experiment")
    if experiment is None and isinstance(preset, ModelSettings):
        settings = preset
    else:
        raw = experiment or PRESETS[str(preset)]
        settings = resolve({"experiments": {"loaded": raw}}, str(weights)).experiments["loaded"].model
    state = content.get("state_dict", content)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{weights}: holds no table of tensors, so it is no network; give a checkpoint or released .pt")
    return build_model(settings, state, str(weights))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def read_weights(path: Path) -> dict[str, Any]:
    """Read a file of tensors and plain values; code in it is refused.

    Raises:
        UserError: naming the file and what is wrong with it.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; train first (`snakemake train`) or download the weights")
    remedy = "delete it and train again (`snakemake train`), or download it again"
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(HARMLESS):
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign bytes make the unpickler fail in every way there is
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            named = re.search(r"GLOBAL (\S+)", str(error))
            what = named.group(1) if named else "code"
            raise UserError(f"{path}: holds more than weights ({what}) and is refused; use a file you trust") from error
        raise UserError(f"{path}: is damaged or no checkpoint; {remedy}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, expected a dict of tensors; {remedy}")
    return content


def released_layout(model: Network) -> dict[str, Tensor]:
    """The weights of a network as the released file holds them: flat, ``model.pose_reg...`` to tensor, on the CPU."""
    return {PREFIX + key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}


def build_model(settings: ModelSettings, state: dict[str, Tensor], source: str) -> Network:
    """Build a network and load ``state`` into it, key for key.

    Raises:
        UserError: listing missing and unexpected keys and wrong shapes.
    """
    model = create_network(dataclasses.replace(settings, pretrained=None))
    expected = {PREFIX + key: tensor.shape for key, tensor in model.state_dict().items()}
    problems = [f"missing {key}" for key in expected if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in expected]
    problems += [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(shape)}"
        for key, shape in expected.items()
        if key in state and state[key].shape != shape
    ]
    if problems:
        shown = "\n".join(f"  - {problem}" for problem in problems[:20])
        raise UserError(
            f"{source}: {len(problems)} tensors do not fit the network ({settings.backbone}, "
            f"{settings.input_size} px); is it another preset?\n{shown}"
        )
    model.load_state_dict({key.removeprefix(PREFIX): tensor for key, tensor in state.items()})
    return model.eval()
