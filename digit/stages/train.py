"""Train one experiment: checkpoints, history, and where it all came from."""

import dataclasses
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
import yaml
from lightning.pytorch.strategies import DDPStrategy

from digit import provenance
from digit.config import Config, Experiment, to_dict
from digit.console import log
from digit.data.prepared import open_dataset
from digit.errors import UserError
from digit.files import remove, replacing, write_json
from digit.layout import Layout
from digit.model.module import DigitModule
from digit.model.weights import load_model
from digit.training import Batches, Journal, StateFiles, quiet_lightning, samples_per_step

PRECISIONS: dict[str, Literal["32-true", "16-mixed", "bf16-mixed"]] = {
    "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"
}  # fmt: skip


RULE = "!" * 80
"""Above and below a warning that nobody may miss."""


def train(config: Config, experiment: str) -> None:
    """Train an experiment, or go on with its unfinished training; write its folder when it is done.

    Unfinished work lives in ``train/.progress/`` and belongs to one experiment key: with other settings or
    other annotations training starts anew. With ``load_ckpt`` nothing is trained: the given weights, once they are
    found to fit the network, become the experiment's ``best.ckpt``.

    Raises:
        UserError: for settings that cannot work, for weights that do not fit, or when an earlier stage's files are
            missing or damaged.
    """
    settings = config.experiments[experiment]
    folder = Layout.of(config).train(experiment)
    if settings.load_ckpt is not None:
        _adopt(folder, experiment, settings, Path(settings.load_ckpt))
        return
    _require_workable(settings)
    training = settings.training
    lightning.seed_everything(training.seed, verbose=False)
    dataset, _ = open_dataset(config, training.trainsplit, settings.model, augment=settings.augment, seed=training.seed)
    validation, _ = open_dataset(config, training.valsplit, settings.model)
    if len(dataset) < training.batch_size:
        raise UserError(
            f"training.batch_size {training.batch_size}: {training.trainsplit} has only {len(dataset)} samples"
        )
    key = provenance.experiment_key(settings, dataset.index.header["sources"])
    files = _state_files(folder / ".progress", key)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    module = DigitModule(settings)
    origin = _backbone_origin(module, files)
    warning = provenance.backbone_warning(settings, origin)
    log.info("%s: backbone weights: %s", experiment, origin)
    if warning:
        log.warning("%s\n%s: %s\n%s", RULE, experiment, warning, RULE)
    journal = Journal(experiment, training, dataset, validation, files)
    seconds = _fit(settings, module, Batches(dataset, training), journal, files)
    record = {
        "experiment": experiment,
        "experiment_key": key,
        **provenance.software(),
        "seed": training.seed,
        "hardware": provenance.hardware(),
        "started": started,
        "seconds": seconds,
        "samples": len(dataset),
        "samples_seen": training.max_epoch * (len(dataset) // training.batch_size) * training.batch_size,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "backbone_weights": origin,
        "warnings": [warning] if warning else [],
    }
    _publish(folder, files, settings, record)


def _adopt(folder: Path, experiment: str, settings: Experiment, source: Path) -> None:
    """Copy given weights into an experiment, byte for byte, so that their hash stays the published one."""
    model = load_model(source, settings.model)
    if dataclasses.replace(settings.model, pretrained=None) != dataclasses.replace(model.settings, pretrained=None):
        raise UserError(
            f"experiments.{experiment}.load_ckpt: {source} says that it is another network than "
            f"experiments.{experiment}.model; set preset and model as the checkpoint's config.yaml has them"
        )
    record = {
        "experiment": experiment,
        "experiment_key": provenance.experiment_key(settings, provenance.sha256(source)),
        **provenance.software(),
        "weights": {"file": source.name, "sha256": provenance.sha256(source)},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(to_dict(settings), sort_keys=False))
    write_json(folder / "provenance.json", record)
    with replacing(folder / "best.ckpt") as temporary:
        shutil.copyfile(source, temporary)
    log.info("%s: nothing to train, its weights are those of %s", experiment, source)


def _require_workable(settings: Experiment) -> None:
    training = settings.training
    if training.batch_size % (samples_per_step(training) * training.devices):
        raise UserError(
            f"training.batch_size {training.batch_size} cannot be shared by {training.devices} devices in steps of "
            f"{training.iter_batch} (iter_batch); make it a multiple"
        )
    if training.precision == "16" and not torch.cuda.is_available():
        raise UserError("training.precision 16 needs a GPU; use '32' or 'bf16' on a CPU")
    gpus = torch.cuda.device_count()
    if gpus and training.devices > gpus:
        raise UserError(f"training.devices {training.devices}: this machine has {gpus} GPU(s)")


def _state_files(folder: Path, key: str) -> StateFiles:
    """The unfinished training of this experiment key; anything else there is cleared."""
    owner = folder / "key"
    if not owner.is_file() or owner.read_text() != key:
        remove(folder)
        folder.mkdir(parents=True)
        owner.write_text(key)
    return StateFiles(folder)


def _backbone_origin(module: DigitModule, files: StateFiles) -> str:
    """Where the backbone's weights came from when this training began, whatever could be had since."""
    if files.resume.is_file() and files.origin.is_file():
        return files.origin.read_text()
    origin = module.network.backbone_origin
    with replacing(files.origin) as temporary:
        temporary.write_text(origin)
    return origin


def _fit(settings: Experiment, module: DigitModule, batches: Batches, journal: Journal, files: StateFiles) -> float:
    """Run the training to its end and return the seconds it took, earlier attempts not included."""
    training = settings.training
    resume = files.resume if files.resume.is_file() else None
    if resume:
        log.info("%s: going on from %s", journal.name, resume)
    quiet_lightning()
    begin = time.monotonic()
    trainer = lightning.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=training.devices,
        strategy=_strategy(training.devices),
        precision=PRECISIONS[training.precision],
        max_epochs=training.max_epoch,
        accumulate_grad_batches=training.batch_size // (samples_per_step(training) * training.devices),
        gradient_clip_val=training.clip_norm,
        callbacks=[journal],
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=os.isatty(2),
        enable_model_summary=False,
    )
    trainer.fit(module, batches, ckpt_path=resume, weights_only=True)
    return round(time.monotonic() - begin, 1)


def _strategy(devices: int) -> Any:
    if devices == 1:
        return "auto"
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    return _QuietDDP(start_method="spawn", process_group_backend=backend)


class _QuietDDP(DDPStrategy):
    """Data-parallel training whose processes leave the log to :class:`Journal`."""

    def setup_environment(self) -> None:
        quiet_lightning()
        super().setup_environment()


def _publish(folder: Path, files: StateFiles, settings: Experiment, record: dict[str, Any]) -> None:
    """Put the finished training into place; killed on the way, the next attempt does it again from the states."""
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(to_dict(settings), sort_keys=False))
    write_json(folder / "provenance.json", record)
    best = files.best if files.best.is_file() else files.resume
    for name, source in {"best.ckpt": best, "history.csv": files.history, "last.ckpt": files.resume}.items():
        with replacing(folder / name) as temporary:
            shutil.copyfile(source, temporary)
    remove(files.folder)
