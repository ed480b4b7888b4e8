"""Weights in half precision with their settings: safetensors files, which hold tensors and words only."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from digit.config import Experiment, to_dict
from digit.run.errors import UserError
from digit.run.files import replacing

SUFFIX = ".safetensors"
EXPERIMENT, HISTORY = "experiment", "history"
"""Entries of the file's metadata: the settings as JSON, and where the weights come from as JSON."""


def is_safetensors(path: Path) -> bool:
    """Whether a file is one by its name or by how it begins: eight bytes of a length, then JSON of that length."""
    if path.suffix == SUFFIX:
        return True
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def read_safetensors(path: Path, remedy: str) -> dict[str, Any]:
    """Read weights as :func:`digit.model.weights_file.read_weights` gives them, in single precision.

    Args:
        path: the file.
        remedy: what to do when it cannot be used.

    Raises:
        UserError: when the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            words = file.metadata() or {}
        experiment = json.loads(words.get(EXPERIMENT, "null"))
    except (SafetensorError, ValueError, OSError) as error:
        raise UserError(f"{path}: is damaged or no safetensors file ({error}); {remedy}") from error
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    return {"state_dict": state, "hyper_parameters": {EXPERIMENT: experiment}}


def write_safetensors(path: Path, state: dict[str, Tensor], experiment: Experiment, history: dict[str, Any]) -> None:
    """Write weights in half precision, with their settings but without names of files of this machine.

    Biases and batch-norm statistics, a few per cent, stay in single precision.

    Args:
        path: the file to write or replace.
        state: tensors by their names in a checkpoint.
        experiment: the settings that they belong to.
        history: where they come from.

    Raises:
        UserError: when a weight is too large for half precision.
    """
    halves = {name: value.half() if value.ndim > 1 else value for name, value in state.items()}
    lost = [name for name, value in halves.items() if not value.isfinite().all()]
    if lost:
        raise UserError(f"{path}: not written, because {lost[0]} is too large for half precision; write .pt instead")
    training = dataclasses.replace(experiment.training, load_from=None, resume_ckpt=None)
    settings = to_dict(dataclasses.replace(experiment, load_ckpt=None, training=training))
    words = {EXPERIMENT: json.dumps(settings), HISTORY: json.dumps(history)}
    with replacing(path) as temporary:
        temporary.write_bytes(save({name: value.contiguous() for name, value in halves.items()}, words))
