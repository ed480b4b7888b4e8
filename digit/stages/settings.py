"""Which keys of the configuration each stage depends on.

The workflow writes these keys to ``<run>/settings/<stage>.yaml`` and hands that file, not the whole
configuration, to the stage. A changed key therefore reruns the stages that read it, and no others.
"""

from typing import Any

import yaml

from digit.config import Config, merge, to_dict
from digit.run.errors import UserError

ALWAYS = ("run.name", "run.folder", "data.source", "data.root")
"""Keys that say where files are; every stage needs them."""

_HANDS = ("data.hand_model", "data.sealed_faces", "data.joint_regressor")

READS: dict[str, tuple[str, ...]] = {
    "synthesize": ("run.seed", "synthetic"),
    "check": (
        "run.seed",
        "data.image_lmdb",
        "data.mask_lmdb",
        "data.fit_cache",
        "data.check_images",
        "data.damaged_images",
        "evaluate.splits",
        "evaluate.root_depth",
        *_HANDS,
    ),
    "index": (),
    "images": ("data.shards", "data.image_lmdb", "data.damaged_images"),
    "parts": ("data.shards", "data.mask_lmdb", "data.fit_cache", "data.max_fit_error_mm", "parts", *_HANDS),
    "evaluate": (
        "run.seed",
        "data.shards",
        "evaluate.bootstrap",
        "evaluate.batch_size",
        "evaluate.num_workers",
    ),
    "report": ("run", "data", "synthetic", "parts", "experiments", "evaluate"),
}
"""Keys, or whole sections, that each stage reads besides ``ALWAYS``."""

EXPERIMENT_READS = ("data.shards",)
"""What training one experiment reads besides ``experiments.<name>`` and ``ALWAYS``."""


def stage_settings(config: Config, stage: str) -> dict[str, Any]:
    """Return the part of a configuration that one stage depends on, presets and defaults filled in.

    Args:
        config: A resolved configuration.
        stage: A key of ``READS``, or ``experiments/<name>`` for training.

    Raises:
        UserError: when there is no such stage or experiment.
    """
    folder, _, experiment = stage.partition("/")
    reads: tuple[str, ...]
    if folder == "experiments" and experiment in config.experiments:
        reads = (*EXPERIMENT_READS, f"experiments.{experiment}")
    elif stage in READS:
        reads = READS[stage]
    else:
        known = [*READS, *(f"experiments/{name}" for name in config.experiments)]
        raise UserError(f"{stage}: no such stage or experiment; choose one of {', '.join(known)}")
    everything = to_dict(config)
    chosen: dict[str, Any] = {}
    for key in (*ALWAYS, *reads):
        chosen = merge(chosen, _only(everything, key.split(".")))
    return chosen


def as_yaml(settings: dict[str, Any]) -> str:
    """Write settings as the text of a YAML file that ``--config`` accepts."""
    return yaml.safe_dump(settings, sort_keys=False, width=120)


def _only(section: dict[str, Any], path: list[str]) -> dict[str, Any]:
    head, *rest = path
    return {head: _only(section[head], rest) if rest else section[head]}
