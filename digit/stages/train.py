"""Train one experiment: checkpoints, history, and where it all came from."""

import contextlib
import dataclasses
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
import yaml
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy

from digit import provenance
from digit.config import Config, Experiment, TrainingSettings, to_dict
from digit.console import log
from digit.data.prepared import open_dataset
from digit.errors import UserError
from digit.files import remove, replacing, write_json
from digit.layout import Layout
from digit.model.module import DigitModule
from digit.model.weights import load_model, read_weights
from digit.processes import is_first_process
from digit.training.batches import Batches, samples_per_step
from digit.training.journal import Journal
from digit.training.states import Guard, StateFiles
from digit.training.watch import ProgressBar, loggers, quiet_lightning

PRECISIONS: dict[str, Literal["32-true", "16-mixed", "bf16-mixed"]] = {
    "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"
}  # fmt: skip

TRY_AGAIN = 75
"""Exit status of a training that was told to stop: a temporary failure (sysexits.h), to be run again."""

PATIENCE_SECONDS = 120.0
"""How long processes that srun or torchrun started wait for the first one."""

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
    steps = training.max_epoch * (len(dataset) // training.batch_size)
    module = DigitModule(settings, steps)
    origin = _backbone_origin(module, files)
    warning = provenance.backbone_warning(settings, origin)
    log.info("%s: backbone weights: %s", experiment, origin)
    if warning:
        log.warning("%s\n%s: %s\n%s", RULE, experiment, warning, RULE)
    if training.load_from is not None:
        module.network.load_state_dict(load_model(training.load_from, settings.model).state_dict())
    guard = Guard(dataset, files, training.save_every_minutes)
    journal = Journal(experiment, training, dataset, validation, files, guard)
    seconds = _fit(experiment, settings, module, Batches(dataset, training), [journal, guard], files)
    if not is_first_process():
        return
    record = {
        "experiment": experiment,
        "experiment_key": key,
        **provenance.software(),
        "seed": training.seed,
        "hardware": provenance.hardware(),
        "started": started,
        "seconds": seconds,
        "samples": len(dataset),
        "samples_seen": steps * training.batch_size,
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
    digest = provenance.sha256(source)
    record = {
        "experiment": experiment,
        "experiment_key": provenance.experiment_key(settings, digest),
        **provenance.software(),
        "weights": {"file": source.name, "sha256": digest},
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
    processes = training.devices * training.nodes
    if training.batch_size % (samples_per_step(training) * processes):
        raise UserError(
            f"training.batch_size {training.batch_size} cannot be shared by {processes} processes in steps of "
            f"{training.iter_batch} (iter_batch); make it a multiple"
        )
    if training.precision == "16" and not torch.cuda.is_available():
        raise UserError("training.precision 16 needs a GPU; use '32' or 'bf16' on a CPU")
    gpus = torch.cuda.device_count()
    if training.gpu_ids is not None:
        if len(training.gpu_ids) != training.devices:
            raise UserError(
                f"training.gpu_ids names {len(training.gpu_ids)} GPUs, training.devices is {training.devices}"
            )
        if not all(0 <= number < gpus for number in training.gpu_ids):
            raise UserError(
                f"training.gpu_ids {list(training.gpu_ids)}: this machine has {gpus} GPU(s), numbered from 0"
            )
    if gpus and training.devices > gpus:
        raise UserError(f"training.devices {training.devices}: this machine has {gpus} GPU(s)")
    for key in ("load_from", "resume_ckpt"):
        path = getattr(training, key)
        if path is not None and not Path(path).is_file():
            raise UserError(f"training.{key}: {path} is no file; give a checkpoint, or null")


def _state_files(folder: Path, key: str) -> StateFiles:
    """The unfinished training of this experiment key; the first process clears anything else that is there."""
    owner, files = folder / "key", StateFiles(folder)
    if is_first_process():
        if not owner.is_file() or owner.read_text() != key:
            remove(folder)
            folder.mkdir(parents=True)
            with replacing(owner) as temporary:
                temporary.write_text(key)
        for mark in (files.stopped, files.failure):
            mark.unlink(missing_ok=True)
        return files
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not owner.is_file() or owner.read_text() != key:
        if time.monotonic() > deadline:
            raise UserError(f"{folder}: the first process has not prepared it in {PATIENCE_SECONDS:.0f} s; see its log")
        time.sleep(0.2)
    return files


def _backbone_origin(module: DigitModule, files: StateFiles) -> str:
    """Where the backbone's weights came from when this training began, whatever could be had since."""
    if files.resume.is_file() and files.origin.is_file():
        return files.origin.read_text()
    origin = module.network.backbone_origin
    if is_first_process():
        with replacing(files.origin) as temporary:
            temporary.write_text(origin)
    return origin


def _fit(
    experiment: str,
    settings: Experiment,
    module: DigitModule,
    batches: Batches,
    callbacks: list[lightning.Callback],
    files: StateFiles,
) -> float:
    """Run the training to its end and return the seconds it took, earlier attempts not included.

    Raises:
        UserError: when a loss became no number.
        SystemExit: with ``TRY_AGAIN`` when the training was told to stop; its state is saved.
    """
    training = settings.training
    resume: Path | str | None = files.resume if files.resume.is_file() else training.resume_ckpt
    if resume:
        log.info("%s: going on from %s", experiment, resume)
    quiet_lightning()
    begin = time.monotonic()
    processes = training.devices * training.nodes
    on_gpu, watched = torch.cuda.is_available(), os.isatty(2)
    trainer = lightning.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=list(training.gpu_ids) if training.gpu_ids is not None else training.devices,
        num_nodes=training.nodes,
        precision=PRECISIONS[training.precision],
        max_epochs=training.max_epoch,
        accumulate_grad_batches=training.batch_size // (samples_per_step(training) * processes),
        gradient_clip_val=training.clip_norm,
        callbacks=[*callbacks, *([ProgressBar(samples_per_step(training) * processes)] if watched else [])],
        use_distributed_sampler=False,
        logger=loggers(experiment, training, files, _steps_done(resume)),
        enable_checkpointing=False,
        enable_progress_bar=watched,
        enable_model_summary=False,
        **_processes(training),
    )
    with _passing_on_signals():
        trainer.fit(module, batches, ckpt_path=resume, weights_only=True)
    if files.failure.is_file():
        raise UserError(f"{experiment}: {files.failure.read_text()}")
    if files.stopped.is_file():
        log.warning("%s: told to stop; the state is saved, run the same command again to go on", experiment)
        raise SystemExit(TRY_AGAIN)
    return round(time.monotonic() - begin, 1)


def _steps_done(checkpoint: Path | str | None) -> int:
    return 0 if checkpoint is None else int(read_weights(Path(checkpoint)).get("global_step", 0))


@contextlib.contextmanager
def _passing_on_signals() -> Iterator[None]:
    """Hand SIGTERM on to the processes that train, where this one only waits for them."""

    def hand_on(*_: Any) -> None:
        for process in multiprocessing.active_children():
            if process.pid is not None:
                os.kill(process.pid, signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, hand_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _processes(training: TrainingSettings) -> dict[str, Any]:
    """How the trainer comes by its processes: srun and torchrun have started them, or it starts them itself."""
    count = training.devices * training.nodes
    started = int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS") or 1)
    if count == 1:
        return {"strategy": "auto", "plugins": [LightningEnvironment()]}
    if started > 1:
        if started != count:
            raise UserError(
                f"{started} processes were started, but training.devices {training.devices} x training.nodes "
                f"{training.nodes} is {count}; make them equal"
            )
        return {"strategy": DDPStrategy(process_group_backend=_backend())}
    if training.nodes > 1:
        raise UserError(
            f"training.nodes {training.nodes}: start the processes with srun or torchrun, {training.devices} on each "
            "machine (docs/training.md)"
        )
    strategy = _QuietDDP(start_method="spawn", process_group_backend=_backend())
    return {"strategy": strategy, "plugins": [LightningEnvironment()]}


def _backend() -> str:
    return "nccl" if torch.cuda.is_available() else "gloo"


class _QuietDDP(DDPStrategy):
    """Data-parallel training whose processes, made of a pickled copy, leave the log to :class:`Journal`."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        quiet_lightning()
        self.__dict__.update(state)


def _publish(folder: Path, files: StateFiles, settings: Experiment, record: dict[str, Any]) -> None:
    """Put the finished training into place; killed on the way, the next attempt does it again from the states."""
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(to_dict(settings), sort_keys=False))
    write_json(folder / "provenance.json", record)
    best = files.best if files.best.is_file() else files.resume
    for source, target in ((files.events, folder / "tensorboard"), (files.overlay(0).parent, folder / "overlays")):
        remove(target)
        if source.is_dir():
            shutil.copytree(source, target)
    for name, source in {"best.ckpt": best, "history.csv": files.history, "last.ckpt": files.resume}.items():
        with replacing(folder / name) as temporary:
            shutil.copyfile(source, temporary)
    remove(files.folder)
