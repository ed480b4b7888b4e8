"""Train one experiment: checkpoints, history, and where it all came from."""

import dataclasses
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning
import psutil
import yaml

from digit.config import Config, Experiment, to_dict
from digit.model.module import DigitModule
from digit.model.shipped import weights_path
from digit.model.weights import load_into, load_network
from digit.model.weights_file import read_weights
from digit.run import provenance
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import read_json, remove, replacing, write_json
from digit.run.layout import Layout
from digit.run.processes import is_first_process
from digit.samples.dataset import HandDataset
from digit.samples.opening import open_dataset
from digit.training.batches import steps_of, trained_on
from digit.training.checkpoints import StateFiles
from digit.training.history import History, history_of
from digit.training.loggers import require_logger
from digit.training.loop import TRY_AGAIN, run_training
from digit.training.requirements import require_workable
from digit.training.resuming import foreign_state, write_state
from digit.training.signals import StopRequest

PATIENCE_SECONDS = 120.0
"""How long processes that srun or torchrun started wait for the first one."""

RULE = "!" * 80
"""Above and below a warning that nobody may miss."""

OUTPUTS = ("best.ckpt", "last.ckpt", "history.csv", "overlays", "tensorboard")
"""What a training leaves beside config.yaml and provenance.json."""


def train(config: Config, experiment: str) -> None:
    """Train an experiment, or resume its unfinished training; write its folder when it is done.

    Unfinished work lives in ``train/.progress/<experiment key>/``: with other settings, annotations, samples or masks
    a new training starts beside it. With ``load_ckpt`` nothing is trained: the given weights, once they are found to
    fit the network, become the experiment's ``best.ckpt``.

    Raises:
        UserError: for settings that cannot work, for weights that do not fit, or when an earlier stage's files are
            missing or damaged.
        SystemExit: when told to stop before the end.
    """
    settings = config.experiments[experiment]
    if settings.load_ckpt is not None:
        _adopt(Layout.of(config).train(experiment), experiment, settings, weights_path(settings.load_ckpt))
        return
    request = StopRequest()
    with request.listening():
        _train(config, experiment, settings, request)


def _train(config: Config, experiment: str, settings: Experiment, request: StopRequest) -> None:
    """Train; nothing is written before all that can be wrong has been looked at."""
    training, folder = settings.training, Layout.of(config).train(experiment)
    require_workable(training)
    require_logger(training)
    lightning.seed_everything(training.seed, verbose=False)
    dataset, validation = _datasets(config, settings)
    learnt_from = trained_on(dataset)
    key = provenance.experiment_key(settings, learnt_from)
    files = StateFiles(folder / ".progress" / key)
    if _finished_meanwhile(folder, files):
        log.info("%s: another process has finished this same training in the meantime; nothing to train", experiment)
        return
    module = DigitModule(settings, steps_of(training, len(dataset)))
    beginning, step = _prepare(experiment, settings, module, files, provenance.json_digest(learnt_from))
    warning = provenance.backbone_warning(settings, beginning["backbone_weights"])
    log.info("%s: backbone weights: %s", experiment, beginning["backbone_weights"])
    if warning:
        log.warning("%s\n%s: %s\n%s", RULE, experiment, warning, RULE)
    run_training(experiment, module, dataset, validation, History(beginning), files, request, step)
    if not is_first_process():
        return
    record = {
        "experiment": experiment,
        "experiment_key": key,
        **provenance.software(),
        "seed": training.seed,
        "hardware": provenance.hardware(),
        "samples": len(dataset),
        "samples_seen": module.steps * training.batch_size,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "backbone_weights": beginning["backbone_weights"],
        "warnings": [warning] if warning else [],
    }
    _publish(folder, files, settings, record)
    _tell_of_others(experiment, files)


def _datasets(config: Config, settings: Experiment) -> tuple[HandDataset, HandDataset]:
    """The data sets to train and to measure on."""
    training = settings.training
    dataset, _ = open_dataset(config, training.trainsplit, settings.model, augment=settings.augment, seed=training.seed)
    validation, _ = open_dataset(config, training.valsplit, settings.model)
    if len(dataset) < training.batch_size:
        raise UserError(
            f"training.batch_size {training.batch_size}: {training.trainsplit} has only {len(dataset)} samples"
        )
    return dataset, validation


def _adopt(folder: Path, experiment: str, settings: Experiment, source: Path) -> None:
    """Copy given weights into an experiment, byte for byte, so that their hash stays the published one."""
    model = load_network(source, settings.model)
    if dataclasses.replace(settings.model, pretrained=None) != dataclasses.replace(model.settings, pretrained=None):
        raise UserError(
            f"experiments.{experiment}.load_ckpt: {source} says that it is another network than "
            f"experiments.{experiment}.model; set preset and model as the checkpoint's config.yaml has them"
        )
    digest = provenance.sha256(source)
    record = {
        "experiment": experiment,
        "experiment_key": provenance.experiment_key(settings, digest),
        **provenance.software(),
        "weights": {"file": source.name, "sha256": digest},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    for name in OUTPUTS:
        remove(folder / name)
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(to_dict(settings), sort_keys=False))
    write_json(folder / "provenance.json", record)
    with replacing(folder / "best.ckpt") as temporary:
        shutil.copyfile(source, temporary)
    log.info("%s: nothing to train, its weights are those of %s", experiment, source)


def _finished_meanwhile(folder: Path, files: StateFiles) -> bool:
    """Whether another process has finished this training, of the same key, since this one started to wait for it."""
    record = folder / "provenance.json"
    if files.folder.exists() or not all((folder / name).exists() for name in (*OUTPUTS, record.name)):
        return False
    finished_after_start = record.stat().st_mtime > psutil.Process().create_time()
    return finished_after_start and read_json(record, "train again").get("experiment_key") == files.folder.name


def _prepare(
    experiment: str, settings: Experiment, module: DigitModule, files: StateFiles, learnt_from: str
) -> tuple[dict[str, str], int]:
    """Load the weights to start from, or see to it that ``files.resume`` is the state to resume.

    Args:
        experiment: its name.
        settings: of the experiment.
        module: gets the weights of ``training.load_from``.
        files: of this training; the first process makes the folder, once nothing can be wrong any more.
        learnt_from: digest of what is trained on.

    Returns:
        How the training began, and the optimiser steps it has behind it.
    """
    training, state, source = settings.training, None, None
    if files.resume.is_file():
        source, state = files.resume, read_weights(files.resume)
    elif training.resume_ckpt is not None:
        source = _file("resume_ckpt", training.resume_ckpt)
        state = foreign_state(source, settings, learnt_from)
    elif training.load_from is not None:
        weights = _file("load_from", training.load_from)
        module.network.load_state_dict(load_into(settings.model, weights).state_dict())
    if is_first_process():
        if not files.resume.is_file():
            _tell_of_others(experiment, files)
            remove(files.folder)
            files.folder.mkdir(parents=True)
            if state is not None:
                write_state(state, files.resume)
        for mark in (files.stopped, files.failure):
            mark.unlink(missing_ok=True)
        files.ready.touch()
    _wait_for(files.ready)
    if state is not None:
        log.info("%s: continuing from %s", experiment, source)
        return _history(state)["beginning"], int(state["global_step"])
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "backbone_weights": module.network.backbone_origin,
        "trained_on": learnt_from,
    }, 0


def _file(key: str, name: str) -> Path:
    path = weights_path(name)
    if not path.is_file():
        raise UserError(f"training.{key}: {name} is not a file; give a checkpoint, or null")
    return path


def _wait_for(mark: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not mark.is_file():
        if time.monotonic() > deadline:
            raise UserError(f"{mark}: not made by the first process in {PATIENCE_SECONDS:.0f} s; see its log")
        time.sleep(0.2)


def _tell_of_others(experiment: str, files: StateFiles) -> None:
    """Say which trainings that this one supersedes are unfinished; they are large, but not ours to delete."""
    others = [path for path in files.folder.parent.glob("*") if path.is_dir() and path != files.folder]
    if others:
        log.info(
            "%s: unfinished trainings with other settings, samples or masks remain; delete what you do not want to go "
            "on with: %s", experiment, ", ".join(map(str, sorted(others))),
        )  # fmt: skip


def _history(state: dict[str, Any]) -> dict[str, Any]:
    history = history_of(state)
    assert history is not None, "every state of a training has it"
    return history


def _publish(folder: Path, files: StateFiles, settings: Experiment, record: dict[str, Any]) -> None:
    """Put the finished training into place; killed on the way, the next attempt does it again from the states."""
    history = _history(read_weights(files.resume))
    if history["rows"][-1]["epoch"] < settings.training.max_epoch:
        raise SystemExit(TRY_AGAIN)
    best = files.best if files.best.is_file() else files.resume
    load_network(best)
    spent = {"started": history["beginning"]["started"], "seconds": round(history["seconds"], 1)}
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(to_dict(settings), sort_keys=False))
    write_json(folder / "provenance.json", record | spent)
    for source, target in ((files.events, folder / "tensorboard"), (files.overlay(0).parent, folder / "overlays")):
        remove(target)
        if source.is_dir():
            shutil.copytree(source, target)
    for name, source in {"best.ckpt": best, "history.csv": files.history, "last.ckpt": files.resume}.items():
        with replacing(folder / name) as temporary:
            shutil.copyfile(source, temporary)
    remove(files.folder)
    if not any(files.folder.parent.iterdir()):
        files.folder.parent.rmdir()
