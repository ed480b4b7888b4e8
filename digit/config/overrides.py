"""Configuration keys as flags of the command line, under the names of the original's switches.

A flag that the training it asks for never reads is a mistake and named; one that says what the configuration says
already is fine, as in a sweep over values. In a configuration file both are: presets state whole recipes.
"""

import dataclasses
from collections.abc import Callable, Sequence

from digit.config import Config, EvaluateSettings, Experiment, TrainingSettings, resolve, to_dict
from digit.run.errors import UserError

TRAINING_KEYS = tuple(field.name for field in dataclasses.fields(TrainingSettings))
EVALUATE_KEYS = tuple(
    field.name for field in dataclasses.fields(EvaluateSettings) if field.name not in ("splits", "root_depth")
)


def _share(training: TrainingSettings) -> int:
    """Samples of a batch that one process gets."""
    return training.batch_size // (training.devices * training.nodes)


UNREAD: tuple[tuple[Sequence[str], Callable[[Experiment], bool], str], ...] = (
    (TRAINING_KEYS, lambda e: e.load_ckpt is not None, "with load_ckpt, which takes weights as they are"),
    (("load_from",), lambda e: e.training.resume_ckpt is not None, "with resume_ckpt, which brings weights of its own"),
    (
        ("warm_up_steps",),
        lambda e: e.training.schedule == "one_cycle",
        "with schedule one_cycle, which has a warm-up of its own",
    ),
    (
        ("lr_dec_epoch", "lr_decay"),
        lambda e: e.training.schedule != "step",
        "with schedule one_cycle or constant: it belongs to schedule step",
    ),
    (
        ("decay_epochs",),
        lambda e: e.training.schedule != "constant",
        "without schedule constant, to which it belongs",
    ),
    (
        ("lr_dec_epoch",),
        lambda e: any(epoch >= e.training.max_epoch for epoch in e.training.lr_dec_epoch),
        "from max_epoch on, when training has ended",
    ),
    (
        ("lr_decay",),
        lambda e: all(epoch >= e.training.max_epoch for epoch in e.training.lr_dec_epoch),
        "without an lr_dec_epoch before max_epoch",
    ),
    (
        ("iter_batch",),
        lambda e: e.training.iter_batch > _share(e.training),
        "above a process's share of the batch, batch_size / (devices * nodes)",
    ),
)
"""Which flags a training does not read, when, and how to say so; of several reasons the first is given."""


def with_training_switches(config: Config, experiment: str, words: Sequence[str]) -> Config:
    """Replace keys of ``experiments.<experiment>.training`` by flags such as ``--lr 1e-3`` or ``--lr=1e-3``.

    ``--load_ckpt`` is a key of the experiment itself. ``--gpu_ids`` also sets ``devices``, where that is no flag.

    Raises:
        UserError: for a flag that is no key, comes twice, has no value or an impossible one, or is never read.
    """
    changed = to_dict(config)
    settings = changed["experiments"][experiment]
    flags = _flags(words, (*TRAINING_KEYS, "load_ckpt"), f"experiments.{experiment}.training")
    for name, value in flags.items():
        section = settings if name == "load_ckpt" else settings["training"]
        section[name] = _listed(value) if name in ("gpu_ids", "lr_dec_epoch") else value
    if "gpu_ids" in flags and "devices" not in flags:
        settings["training"]["devices"] = len(settings["training"]["gpu_ids"])
    after = resolve(changed, "the command line")
    trained = after.experiments[experiment]
    unread = {key: when for keys, holds, when in reversed(UNREAD) if holds(trained) for key in keys if key in flags}
    problems = [f"--{name} {flags[name]}: has no effect {when}; leave it out" for name, when in unread.items()]
    if problems:
        raise UserError("\n".join(problems))
    return after


def with_evaluation_switches(config: Config, words: Sequence[str]) -> Config:
    """Replace keys of ``evaluate`` by flags such as ``--batch_size 64``.

    Raises:
        UserError: as :func:`with_training_switches`.
    """
    flags = _flags(words, EVALUATE_KEYS, "evaluate")
    changed = to_dict(config)
    changed["evaluate"] |= flags
    return resolve(changed, "the command line")


def _flags(words: Sequence[str], known: Sequence[str], section: str) -> dict[str, str]:
    """Read ``--name value`` and ``--name=value``."""
    flags: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag, joined, value = rest.pop(0).partition("=")
        if not flag.startswith("--") or not (joined or rest):
            raise UserError(f"{' '.join(words)}: expected flags with values, such as --{known[0]} VALUE")
        name = flag.removeprefix("--").replace("-", "_")
        if name not in known:
            raise UserError(f"--{name}: is no key of {section}; flags are: {', '.join(f'--{key}' for key in known)}")
        if name in flags:
            raise UserError(f"--{name}: is given more than once; leave all but one out")
        flags[name] = value if joined else rest.pop(0)
    return flags


def _listed(value: str) -> list[str]:
    return [item for item in value.replace("-", ",").replace(" ", ",").split(",") if item]
