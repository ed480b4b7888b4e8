"""Configuration keys as flags of the command line, under the names of the original's switches."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from digit.config import Config, EvaluateSettings, TrainingSettings, resolve, to_dict
from digit.errors import UserError


def with_training_switches(config: Config, experiment: str, words: Sequence[str]) -> Config:
    """Replace keys of ``experiments.<experiment>.training`` by flags such as ``--lr 1e-3``.

    ``--load_ckpt`` is a key of the experiment itself.

    Raises:
        UserError: for a flag that is no key, has no value, an impossible one, or that changes nothing.
    """
    changed = to_dict(config)
    settings = changed["experiments"][experiment]
    known = [field.name for field in dataclasses.fields(TrainingSettings)]
    for name, value in _pairs(words, [*known, "load_ckpt"], f"experiments.{experiment}.training"):
        section = settings if name == "load_ckpt" else settings["training"]
        section[name] = _listed(value) if name in ("gpu_ids", "lr_dec_epoch") else value
        if name == "gpu_ids":
            settings["training"]["devices"] = len(section[name])
    return _changed(config, changed, words)


def with_evaluation_switches(config: Config, words: Sequence[str]) -> Config:
    """Replace keys of ``evaluate`` by flags such as ``--batch_size 64``.

    Raises:
        UserError: as :func:`with_training_switches`.
    """
    changed = to_dict(config)
    known = [field.name for field in dataclasses.fields(EvaluateSettings) if field.name not in ("splits", "root_depth")]
    changed["evaluate"] |= dict(_pairs(words, known, "evaluate"))
    return _changed(config, changed, words)


def _pairs(words: Sequence[str], known: Sequence[str], section: str) -> list[tuple[str, str]]:
    if len(words) % 2 or any(not word.startswith("--") for word in words[::2]):
        raise UserError(f"{' '.join(words)}: expected flags with values, such as --{known[0]} VALUE")
    pairs = [
        (flag.removeprefix("--").replace("-", "_"), value) for flag, value in zip(words[::2], words[1::2], strict=True)
    ]
    for name, _ in pairs:
        if name not in known:
            raise UserError(f"--{name}: is no key of {section}; flags are: {', '.join(f'--{key}' for key in known)}")
    return pairs


def _listed(value: str) -> list[str]:
    return [item for item in value.replace("-", ",").replace(" ", ",").split(",") if item]


def _changed(before: Config, raw: dict[str, Any], words: Sequence[str]) -> Config:
    """Resolve, and make sure that every flag had a consequence."""
    after = resolve(raw, "the command line")
    if words and to_dict(after) == to_dict(before):
        raise UserError(f"{' '.join(words)}: changes nothing, the configuration says so already; leave it out")
    return after
