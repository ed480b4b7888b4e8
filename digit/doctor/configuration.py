"""What is configured, and which of the user's own files are there."""

from collections.abc import Iterator
from pathlib import Path

from digit.config import SPLITS, Config, to_dict
from digit.config.paths import configured_paths
from digit.doctor.fact import Fact
from digit.model.shipped import SHIPPED
from digit.run.console import counted
from digit.run.layout import ANNOTATION_KINDS, ROOTNET_FILES, Layout

NOT_FILES = {"open", "timm", "torchvision", SHIPPED}
"""Values of path keys that name no path."""


def configuration_facts(config: Config, files: list[Path]) -> Iterator[Fact]:
    """Yield what a run is asked to do and which files it lacks.

    Args:
        config: the resolved configuration.
        files: the files that it was read from.
    """
    yield Fact("files", " + ".join(map(str, files)))
    yield Fact("run", f"{config.run.name}, data.source {config.data.source}, {counted(config.data.shards, 'shard')}")
    for name, experiment in config.experiments.items():
        task = "given weights" if experiment.load_ckpt else f"{experiment.training.max_epoch} epochs"
        network = f"preset {experiment.preset}, {experiment.model.backbone}"
        how = f"precision {experiment.training.precision}, {counted(experiment.training.devices, 'device')}"
        yield Fact(f"experiment {name}", f"{network}, {task}, {how}")
    if not config.experiments:
        yield Fact("experiments", "none", "name one under experiments in config.yaml")
    for key, path in named_paths(config):
        if Path(path).exists():
            yield Fact(key, f"{path} is there")
        else:
            yield Fact(key, f"{path} is MISSING", f"put it there, or change {key}")
    if config.data.source == "interhand":
        yield from _release(Layout.of(config))


def named_paths(config: Config) -> list[tuple[str, str]]:
    """Keys and values of the paths that a configuration names, besides the folder of results."""
    found = configured_paths(to_dict(config))
    return [(key, path) for key, path in found if path not in NOT_FILES and key != "run.folder"]


def _release(layout: Layout) -> Iterator[Fact]:
    for split in SPLITS:
        lacking = [path.name for path in layout.annotations(split) if not path.is_file()]
        remedy = "`digit download` fetches them, and says what to get by hand" if lacking else ""
        told = f"{len(ANNOTATION_KINDS) - len(lacking)} of {len(ANNOTATION_KINDS)} files"
        yield Fact(f"annotations of {split}", told + (f"; missing: {', '.join(lacking)}" if lacking else ""), remedy)
    for name in ROOTNET_FILES:
        there = any(path.is_file() for path in layout.rootnet(name))
        remedy = "" if there else "needed for root_depth: rootnet; `digit download` says where to get it"
        yield Fact(f"RootNet's results for {name}", "there" if there else "missing", remedy)
