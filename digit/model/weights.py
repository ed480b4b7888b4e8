"""Networks from weights on disk: our checkpoints, the released file, Lightning checkpoints of the original."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from digit.config import Experiment, ModelSettings, resolve
from digit.config.presets import PRESETS
from digit.model.create import create_network
from digit.model.network import Network
from digit.model.weights_file import read_weights
from digit.run.errors import UserError

PREFIX = "model.pose_reg."
"""What precedes a parameter's name in the released weights and in every checkpoint."""
SHOWN = 10
"""Problems of each kind that a message lists."""


def load_network(weights: str | Path, preset: str | ModelSettings = "paper") -> Network:
    """Load a network in evaluation mode.

    Args:
        weights: one of our checkpoints, the released ``.pt`` or a ``.ckpt`` of the original.
        preset: sizes of the network when the file does not say: ``paper``, ``tiny`` or settings of its own.

    Raises:
        UserError: when the file is missing, wants to run code, lacks or exceeds the network's tensors, or holds
            tensors without usable numbers; or when there is no such preset.
    """
    given = preset if isinstance(preset, ModelSettings) else preset_settings(preset)
    content = read_weights(Path(weights))
    own = own_experiment(content, str(weights))
    return build_model(given if own is None else own.model, _tensors(content, str(weights)), str(weights))


def load_into(settings: ModelSettings, weights: str | Path) -> Network:
    """Load a network of these settings, whatever the file says that it is.

    Raises:
        UserError: as :func:`load_network`.
    """
    return build_model(settings, _tensors(read_weights(Path(weights)), str(weights)), str(weights))


def _tensors(content: dict[str, Any], weights: str) -> dict[str, Tensor]:
    state = content.get("state_dict", content)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{weights}: holds no table of tensors, so it is no network; give a checkpoint or released .pt")
    return state


def preset_settings(name: str) -> ModelSettings:
    """The network of a preset.

    Raises:
        UserError: when there is none of this name.
    """
    if name not in PRESETS:
        raise UserError(f"preset {name!r}: unknown; choose one of {', '.join(PRESETS)}, or give ModelSettings")
    return resolve({"experiments": {"preset": {"preset": name}}}).experiments["preset"].model


def own_experiment(content: dict[str, Any], source: str) -> Experiment | None:
    """The settings that one of our checkpoints holds; None in another file.

    Raises:
        UserError: when this version cannot use them.
    """
    raw = _mapping(content.get("hyper_parameters")).get("experiment")
    if not isinstance(raw, dict):
        return None
    try:
        return resolve({"experiments": {"loaded": raw}}, source).experiments["loaded"]
    except UserError as error:
        reasons = str(error).partition("\n")[2].replace("experiments.loaded", "hyper_parameters.experiment")
        text = "the settings that this file itself holds are unusable; was it made by another version?"
        raise UserError(f"{source}: {text}\n{reasons}") from error


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def released_layout(model: Network) -> dict[str, Tensor]:
    """The weights of a network as the released file holds them: flat, ``model.pose_reg...`` to tensor, on the CPU."""
    return {PREFIX + key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}


def build_model(settings: ModelSettings, state: dict[str, Tensor], source: str) -> Network:
    """Build a network and load ``state`` into it, key for key.

    Raises:
        UserError: listing missing and unexpected keys, wrong shapes and tensors without usable numbers.
    """
    model = create_network(dataclasses.replace(settings, pretrained=None))
    expected = {PREFIX + key: tensor for key, tensor in model.state_dict().items()}
    problems = _misfits(expected, state)
    if any(problems):
        lines = [f"  - {problem}" for kind in problems for problem in kind[:SHOWN]]
        lines += [f"  ... and {more} more" for more in [sum(len(kind[SHOWN:]) for kind in problems)] if more]
        raise UserError(
            f"{source}: {sum(map(len, problems))} tensors do not fit the network ({settings.backbone}, "
            f"{settings.input_size} px); {_advice(settings, expected, state)}\n" + "\n".join(lines)
        )
    useless = [f"{key} {fault}" for key, tensor in expected.items() if (fault := _fault(state[key], tensor))]
    if useless:
        more = ", ..." if len(useless) > SHOWN else ""
        diverged = "; has its training diverged?" if any("NaN" in fault for fault in useless) else ""
        raise UserError(f"{source}: {len(useless)} tensors are unusable: {', '.join(useless[:SHOWN])}{more}{diverged}")
    model.load_state_dict({key.removeprefix(PREFIX): tensor for key, tensor in state.items()})
    return model.eval()


def _misfits(expected: dict[str, Tensor], state: dict[str, Tensor]) -> tuple[list[str], list[str], list[str]]:
    """Missing keys, unexpected keys, wrong shapes."""
    shapes = [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    missing = [f"missing {key}" for key in expected if key not in state]
    return missing, [f"unexpected {key}" for key in state if key not in expected], shapes


def _advice(settings: ModelSettings, expected: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    """What may help: other names, or another preset."""
    names = {str(key).removeprefix("module.").removeprefix(PREFIX) for key in state}
    if not expected.keys() & state.keys() and names == {key.removeprefix(PREFIX) for key in expected}:
        return f"only the names differ: each must begin with {PREFIX} and nothing before it"
    for name in PRESETS:
        other = preset_settings(name)
        if other != settings:
            with torch.device("meta"):
                model = create_network(dataclasses.replace(other, pretrained=None))
            if not any(_misfits({PREFIX + key: tensor for key, tensor in model.state_dict().items()}, state)):
                return f"they are those of preset {name}: choose preset {name}"
    return "is it another preset, or are its sizes changed?"


def _fault(tensor: Tensor, expected: Tensor) -> str | None:
    """Why a tensor of the right shape cannot be used, or None."""
    if tensor.is_meta:
        return "has no values"
    if tensor.layout != torch.strided or tensor.is_quantized:
        return "is sparse or quantized, expected a dense tensor"
    if tensor.is_floating_point() != expected.is_floating_point() or tensor.is_complex():
        return f"is {str(tensor.dtype).removeprefix('torch.')}, expected {str(expected.dtype).removeprefix('torch.')}"
    return None if tensor.isfinite().all() else "holds NaN or infinite values"
