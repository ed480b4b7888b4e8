"""Training again: from another run's state, with other data, after signals at any time, and what is then published."""

import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import torch
import yaml

from digit.config import Config, load_config
from digit.model.weights import load_network
from digit.run import provenance
from digit.run.errors import UserError
from digit.run.files import read_json
from digit.run.layout import Layout
from digit.samples.opening import open_dataset
from digit.stages.images import images
from digit.stages.parts import parts
from digit.stages.train import OUTPUTS, train
from digit.training.batches import trained_on
from digit.training.checkpoints import CheckpointCallback, is_sound
from digit.training.evaluation import EvaluationCallback
from digit.training.history import history_of
from digit.training.loop import TRY_AGAIN
from digit.training.requirements import require_workable
from tests.forked import Forked

STEP = {"schedule": "step", "lr_dec_epoch": [1], "max_epoch": 1, "eval_every_epoch": 1, "clip_norm": None}


@pytest.fixture
def configured(settings_file):
    """A function that changes sections of the configuration: training settings, and others by name."""

    def configure(model=None, data=None, **training) -> Config:
        document = yaml.safe_load(settings_file.read_text())
        small = document["experiments"]["small"]
        small["training"] |= STEP | training
        small["model"] = small.get("model", {}) | (model or {})
        document["data"] |= data or {}
        path = settings_file.with_name("changed.yaml")
        path.write_text(yaml.safe_dump(document))
        return load_config(path)

    return configure


@pytest.fixture
def finished(configured, tmp_path):
    """State of a finished training of one epoch, by another run."""
    config = configured()
    train(config, "small")
    Layout.of(config).train("small").rename(tmp_path / "finished")
    return tmp_path / "finished" / "last.ckpt"


def folder_of(config: Config) -> Path:
    return Layout.of(config).train("small")


def started(config: Config) -> Forked:
    """The last configuration, trained by a process of its own."""
    path = Path(config.run.folder) / "changed.yaml"
    return Forked("digit.cli", "train", "-e", "small", "-c", path, output=path.with_suffix(".printed"))


def assert_same_weights(one: Path, other: Path):
    expected = load_network(other).state_dict()
    for name, value in load_network(one).state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0, msg=lambda text, name=name: f"{name}: {text}")


def test_what_cannot_be_gone_on_from_is_refused_before_anything_is_touched(configured, finished, tmp_path):
    released = tmp_path / "released.pt"
    torch.save(torch.load(finished, weights_only=True)["state_dict"], released)
    unfinished = folder_of(configured()) / ".progress" / "other" / "resume.ckpt"
    unfinished.parent.mkdir(parents=True)
    unfinished.touch()
    state, longer = {"resume_ckpt": str(finished)}, {"resume_ckpt": str(finished), "max_epoch": 2}
    refused = [
        (longer | {"lr": 0.5, "lr_decay": 0.9}, r"another recipe; .* differ: training\.lr, training\.lr_decay$"),
        (longer | {"model": {"depth_box_mm": 300.0}}, r"differ: model\.depth_box_mm$"),
        (state, r"already at epoch 1 of 1"),
        (
            {"resume_ckpt": str(released)},
            r"is not the state of a training, such as last\.ckpt; set .*load_from",
        ),
        ({"resume_ckpt": "nowhere"}, r"training\.resume_ckpt: nowhere is not a file"),
        ({"load_from": "nowhere"}, r"training\.load_from: nowhere is not a file"),
        ({"load_from": str(finished), "model": {"backbone": "hrnet_w18"}}, r"do not fit the network \(hrnet_w18,"),
        (longer | {"data": {"max_fit_error_mm": 1e-6}}, r"trained on other samples, annotations or masks"),
    ]
    for changes, message in refused:
        config = configured(**changes)
        if "data" in changes:
            parts(config, "train", 0)
        with pytest.raises(UserError, match=message):
            train(config, "small")
    assert [path for path in folder_of(config).rglob("*") if path.is_file()] == [unfinished]


def test_a_one_cycle_schedule_is_not_stretched(configured, tmp_path):
    config = configured(schedule="one_cycle", max_epoch=1)
    train(config, "small")
    folder_of(config).rename(tmp_path / "finished")
    config = configured(schedule="one_cycle", max_epoch=2, resume_ckpt=str(tmp_path / "finished" / "last.ckpt"))
    with pytest.raises(UserError, match=r"training\.max_epoch \(which stretches a one-cycle schedule\)"):
        train(config, "small")


def test_a_constant_schedule_is_brought_to_an_end_from_any_state(configured, tmp_path):
    train(configured(schedule="constant", lr=1e-3, max_epoch=1), "small")
    state = folder_of(configured()).rename(tmp_path / "endless") / "last.ckpt"
    train(configured(schedule="constant", lr=1e-3, max_epoch=3, decay_epochs=2, resume_ckpt=str(state)), "small")
    history = pd.read_csv(folder_of(configured()) / "history.csv")
    steps = history["step"][0]
    assert history["epoch"].tolist() == [1, 2, 3]
    expected = [1e-3, 1e-3 * (steps + 1) / (2 * steps), 1e-3 / (2 * steps)]
    assert history["lr"].tolist() == pytest.approx(expected, rel=1e-4)


def test_more_epochs_equal_an_uninterrupted_training_of_as_many(configured, finished, tmp_path):
    config = configured(max_epoch=2, resume_ckpt=str(finished), iter_batch=4)
    train(config, "small")
    folder_of(config).rename(tmp_path / "longer")
    train(configured(max_epoch=2), "small")
    assert_same_weights(tmp_path / "longer" / "last.ckpt", folder_of(config) / "last.ckpt")
    # The best weights of the first epoch stayed with the other run.
    assert_same_weights(tmp_path / "longer" / "best.ckpt", tmp_path / "longer" / "last.ckpt")


def test_a_state_goes_on_in_smaller_passes(configured, finished):
    config = configured(max_epoch=2, resume_ckpt=str(finished), iter_batch=2)
    train(config, "small")
    assert pd.read_csv(folder_of(config) / "history.csv")["step"].tolist() == [3, 6]


def test_a_training_is_named_after_its_samples_and_masks(configured, tiny_release):
    def data(config, stage=None):
        if stage is not None:
            stage(config, "train", 0)
        return trained_on(open_dataset(config, "train", config.experiments["small"].model)[0])

    settings = configured().experiments["small"]
    before = data(configured())
    assert data(configured(), parts) == before, "made again, the masks are the same"
    stricter = data(configured(data={"max_fit_error_mm": 1e-6}), parts)
    assert {key for key in before if before[key] != stricter[key]} == {"supervised"}
    data(configured(), parts)
    next(iter(sorted((tiny_release / "images" / "train").rglob("*.jpg")))).write_bytes(b"damaged")
    fewer = data(configured(data={"damaged_images": "exclude"}), images)
    assert fewer["rows"] != before["rows"]
    keys = {provenance.experiment_key(settings, some) for some in (before, stricter, fewer)}
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("environment", "training", "message"),
    [
        ({"WORLD_SIZE": "2"}, {}, r"2 processes were started .* set training\.devices"),
        ({"SLURM_STEP_NUM_TASKS": "4"}, {"devices": 2}, r"4 processes were started"),
        ({}, {"devices": 8}, r"batch_size 4 cannot be shared by 8 processes"),
    ],
)
def test_processes_that_do_not_fit(configured, monkeypatch, environment, training, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message):
        require_workable(configured(**training).experiments["small"].training)


def test_a_batch_allocation_without_srun_is_one_process(configured, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "4")
    require_workable(configured().experiments["small"].training)


@pytest.mark.parametrize(("devices", "seconds"), [(1, 0.1), (2, 0.5), (2, 5.0)])
def test_a_signal_before_the_first_step_is_not_lost(configured, devices, seconds):
    config = configured(devices=devices, iter_batch=2, max_epoch=50)
    process = started(config)
    process.wait_until(lambda: "backbone weights" in process.printed)
    time.sleep(seconds)
    process.signal(signal.SIGTERM)
    assert process.wait() == TRY_AGAIN, process.printed
    assert "run the same command again" in process.printed and "Traceback" not in process.printed


@pytest.mark.parametrize("seconds", [0, 0.07])
def test_a_signal_to_the_loader_processes_too_ends_in_order(configured, seconds):
    """Also while the workers of an evaluation are being started, which takes a while here."""
    config = configured(num_workers=2, max_epoch=50)
    process = started(config)
    process.wait_until(lambda: list(folder_of(config).glob(".progress/*/resume.ckpt")))
    time.sleep(seconds)
    process.signal(signal.SIGTERM, everybody=True)
    assert process.wait() == TRY_AGAIN, process.printed


def test_a_signal_in_an_evaluation_loses_the_evaluation_alone(configured, tmp_path, monkeypatch):
    config = configured(max_epoch=2, ema_decay=0.9)
    predict = EvaluationCallback.predict

    def told(evaluation, *arguments):
        evaluation.checkpoints.request.made = True
        return predict(evaluation, *arguments)

    monkeypatch.setattr(EvaluationCallback, "predict", told)
    with pytest.raises(SystemExit) as stopped:
        train(config, "small")
    monkeypatch.undo()
    assert stopped.value.code == TRY_AGAIN
    (state,) = folder_of(config).glob(".progress/*/resume.ckpt")
    assert torch.load(state, weights_only=True)["global_step"] == 2, "of three in the epoch"
    train(config, "small")
    folder_of(config).rename(tmp_path / "resumed")
    train(config, "small")
    for name in ("last.ckpt", "best.ckpt"):
        assert_same_weights(folder_of(config) / name, tmp_path / "resumed" / name)


def test_a_killed_process_is_told_and_the_training_goes_on(configured):
    config = configured(devices=2, iter_batch=2, max_epoch=3, save_every_minutes=0)
    process = started(config)
    process.wait_until(lambda: list(folder_of(config).glob(".progress/*/resume.ckpt")))
    child = next(child for child in process.children if "spawn_main" in " ".join(child.cmdline()))
    child.kill()
    assert process.wait() == 1 and "run the same command again" in process.printed, process.printed
    state = torch.load(next(folder_of(config).glob(".progress/*/resume.ckpt")), weights_only=True)
    begun = history_of(state)
    train(config, "small")
    record = read_json(folder_of(config) / "provenance.json", "")
    assert record["started"] == begun["beginning"]["started"]
    assert (
        record["seconds"] > begun["seconds"]
        and record["seconds"] >= pd.read_csv(folder_of(config) / "history.csv")["seconds"].iloc[-1]
    )


def test_a_diverged_last_step_is_not_published(configured):
    config = configured(lr=1e30, batch_size=12, iter_batch=12, warm_up_steps=0, lr_dec_epoch=[5])
    with pytest.raises(UserError, match=r"became .* in epoch 1; the last sound state is kept"):
        train(config, "small")
    assert not [name for name in OUTPUTS if (folder_of(config) / name).exists()]


def test_weights_whose_squares_overflow_are_not_sound():
    layer = torch.nn.Linear(2, 2)
    assert is_sound(layer)
    with torch.no_grad():
        layer.weight[0, 0] = 1e30
    assert not is_sound(layer)


def test_given_weights_take_the_place_of_a_training(configured, finished):
    config = configured()
    shutil.copytree(finished.parent, folder_of(config))
    document = yaml.safe_load((Path(config.run.folder) / "changed.yaml").read_text())
    document["experiments"]["small"]["load_ckpt"] = str(finished)
    path = Path(config.run.folder) / "given.yaml"
    path.write_text(yaml.safe_dump(document))
    train(load_config(path), "small")
    assert {item.name for item in folder_of(config).iterdir()} == {"best.ckpt", "config.yaml", "provenance.json"}


def test_what_another_process_has_finished_meanwhile_is_not_trained_again(configured, caplog):
    config = configured()
    train(config, "small")
    weights = folder_of(config) / "best.ckpt"
    before = weights.stat().st_mtime_ns
    with caplog.at_level("INFO"):
        train(config, "small")
    assert "has finished this same training in the meantime" in caplog.text and weights.stat().st_mtime_ns == before
    long_ago = psutil.Process().create_time() - 10
    os.utime(folder_of(config) / "provenance.json", (long_ago, long_ago))
    train(config, "small")
    assert weights.stat().st_mtime_ns > before, "wanted again"


def test_a_process_without_validation_samples_predicts_nothing(configured):
    config = configured()
    validation, _ = open_dataset(config, "val", config.experiments["small"].model)
    training = config.experiments["small"].training
    checkpoints = CheckpointCallback(training, None, None, None, None)
    evaluation = EvaluationCallback("small", training, validation, validation, None, checkpoints)
    superfluous = SimpleNamespace(global_rank=len(validation), world_size=len(validation) + 1)
    assert evaluation.predict(superfluous, None) is None
