"""Going on from a saved state: our own unfinished one, or that of another run with the same recipe."""

import copy
from pathlib import Path
from typing import Any

import torch

from digit.config import Experiment, to_dict
from digit.model.weights import build_model, own_experiment
from digit.model.weights_file import read_weights
from digit.run.errors import UserError
from digit.run.files import replacing
from digit.training.batches import accumulated
from digit.training.history import history_of
from digit.training.internals import has_progress, with_other_batches

MAY_DIFFER = {
    f"training.{name}"
    for name in (
        "max_epoch", "decay_epochs", "eval_every_epoch", "num_workers", "save_every_minutes", "logger", "devices",
        "nodes", "gpu_ids", "iter_batch", "precision", "load_from", "resume_ckpt",
    )
}  # fmt: skip
"""Settings in which a training may differ from the one whose state it resumes."""


def foreign_state(path: Path, experiment: Experiment, trained_on: str) -> dict[str, Any]:
    """Read another run's state (``training.resume_ckpt``) as this training would have left it.

    Args:
        path: the state.
        experiment: the settings to continue with.
        trained_on: digest of what this training learns from.

    Raises:
        UserError: when it is no state of a training, one of another recipe or other data, or a finished one.
    """
    state, name = read_weights(path), f"training.resume_ckpt: {path}"
    instead = "set training.load_from to start from its weights instead"
    settings, history = own_experiment(state, str(path)), history_of(state)
    if settings is None or history is None or not has_progress(state):
        raise UserError(f"{name} is not the state of a training, such as last.ckpt; {instead}")
    differing = [key for key in _differences(to_dict(settings), to_dict(experiment)) if key not in MAY_DIFFER]
    if experiment.training.schedule == "one_cycle" and settings.training.max_epoch != experiment.training.max_epoch:
        differing.append("training.max_epoch (which stretches a one-cycle schedule)")
    if differing:
        raise UserError(f"{name} was trained with another recipe; {instead}. These differ: {', '.join(differing)}")
    if history.get("beginning", {}).get("trained_on") != trained_on:
        raise UserError(f"{name} was trained on other samples, annotations or masks, or by an older version; {instead}")
    epoch, epochs = history["rows"][-1]["epoch"] if history["rows"] else 0, experiment.training.max_epoch
    if epoch >= epochs:
        raise UserError(f"{name} is already at epoch {epoch} of {epochs}; raise training.max_epoch, or {instead}")
    build_model(experiment.model, state["state_dict"], str(path))
    return _rescaled(state, accumulated(settings.training), accumulated(experiment.training), settings, experiment)


def write_state(state: dict[str, Any], path: Path) -> None:
    """Save a state, all or nothing."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def _rescaled(
    state: dict[str, Any], passes: int, passes_now: int, settings: Experiment, experiment: Experiment
) -> dict[str, Any]:
    """The state with its place in the epoch in this training's batches, and without best weights, which stay behind."""
    state = with_other_batches(state, passes, passes_now) | {"callbacks": copy.deepcopy(state["callbacks"])}
    history = history_of(state)
    assert history is not None, "checked by the caller"
    history["best_mm"] = float("inf")
    history["batches"] = history["batches"] * passes_now // passes
    history["sums"] = {name: value * passes_now / passes for name, value in history["sums"].items()}
    if settings.training.precision != experiment.training.precision:
        state.pop("MixedPrecision", None)
    return state


def _differences(one: Any, other: Any, prefix: str = "") -> list[str]:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [prefix.removesuffix(".")]
    names = [*one, *(name for name in other if name not in one)]
    return [key for name in names for key in _differences(one.get(name), other.get(name), f"{prefix}{name}.")]
