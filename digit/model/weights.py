"""Weights on disk: our checkpoints, the released file, Lightning checkpoints of the original."""

import dataclasses
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from digit.config import PRESETS, ModelSettings, resolve
from digit.errors import UserError
from digit.model.digit import Digit

PREFIX = "model.pose_reg."
"""What precedes a parameter's name in the released weights and in every checkpoint."""


def load_model(weights: str | Path, preset: str = "paper") -> Digit:
    """Load a network in evaluation mode.

    Args:
        weights: one of our checkpoints, the released ``.pt`` or a ``.ckpt`` of the original.
        preset: sizes of the network when the file does not say (``paper`` or ``tiny``).

    Raises:
        UserError: when the file is missing, wants to run code, or lacks or exceeds the network's tensors.
    """
    content = read_weights(Path(weights))
    experiment = (content.get("hyper_parameters") or {}).get("experiment") or PRESETS[preset]
    settings = resolve({"experiments": {"loaded": experiment}}).experiments["loaded"].model
    return build_model(settings, content.get("state_dict", content), str(weights))


def read_weights(path: Path) -> dict[str, Any]:
    """Read a file of tensors and plain values; code in it is refused.

    Raises:
        UserError: naming the file and what is wrong with it.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; train first (`snakemake train`) or download the weights")
    remedy = "delete it and train again (`snakemake train`), or download it again"
    try:
        with warnings.catch_warnings():
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


def build_model(settings: ModelSettings, state: dict[str, Tensor], source: str) -> Digit:
    """Build a network and load ``state`` into it, key for key.

    Raises:
        UserError: listing missing and unexpected keys and wrong shapes.
    """
    model = Digit(dataclasses.replace(settings, pretrained=None))
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
