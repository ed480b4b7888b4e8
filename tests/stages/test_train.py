"""Training: artefacts, resuming after a kill, processes that share batches, and settings that cannot work."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digit.config import load_config
from digit.model.weights import load_network
from digit.run.errors import UserError
from digit.run.files import read_json
from digit.run.layout import Layout
from digit.stages.train import train
from digit.training.history import COLUMNS
from digit.training.loop import TRY_AGAIN
from tests.forked import Forked

ROOT = Path(__file__).parents[2]


def changed(path: Path, **training) -> Path:
    document = yaml.safe_load(path.read_text())
    document["experiments"]["small"]["training"] |= training
    other = path.with_name(f"{'-'.join(training)}.yaml")
    other.write_text(yaml.safe_dump(document))
    return other


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_network(path).state_dict()


def assert_same_weights(one, other, **tolerance):
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


def saved_state(folder: Path) -> Path:
    """State of the one unfinished training below an experiment's folder; a path without a file if there is none."""
    return next(folder.glob(".progress/*/resume.ckpt"), folder / "none")


def training_process(path: Path) -> Forked:
    arguments = ("train", "--experiment", "small", "--config", path)
    return Forked("digit.cli", *arguments, output=path.with_suffix(".printed"))


def kill_between_epochs(process: Forked, folder: Path) -> None:
    """Kill a training as soon as it has left a state to resume."""
    process.wait_until(lambda: saved_state(folder).is_file())
    process.kill()


def test_training_leaves_all_its_artefacts(settings_file):
    config = load_config(settings_file)
    train(config, "small")
    folder = Layout.of(config).train("small")
    assert {path.name for path in folder.iterdir()} == {
        "best.ckpt", "last.ckpt", "history.csv", "config.yaml", "provenance.json", "overlays", "tensorboard"
    }  # fmt: skip
    assert [path.name for path in sorted((folder / "overlays").iterdir())] == ["epoch-002.png", "epoch-004.png"]
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train_loss")] == [3, 6, 9, 12]
    assert len(events.Scalars("val_mpjpe_all")) == 2 and len(events.Images("validation")) == 2
    history = pd.read_csv(folder / "history.csv")
    assert tuple(history.columns) == COLUMNS and history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["val_mpjpe_all"].notna().tolist() == [False, True, False, True]
    parts_of_loss = history[[name for name in COLUMNS if name.startswith("train_") and name != "train_loss"]]
    np.testing.assert_allclose(parts_of_loss.sum(axis=1), history["train_loss"], rtol=1e-4)
    record = read_json(folder / "provenance.json", "")
    assert len(record["experiment_key"]) == 9 and record["samples_seen"] == 4 * 12 and record["seed"] == 1
    assert record["backbone_weights"] == "random" and record["hardware"]["cores"] >= 1
    assert record["warnings"] == [], "preset tiny starts from random weights on purpose"
    resolved = yaml.safe_load((folder / "config.yaml").read_text())
    assert resolved["model"]["backbone"] == "hrnet_w18_small"


def test_a_killed_training_goes_on_to_the_weights_of_an_uninterrupted_one(settings_file, tmp_path):
    config = load_config(settings_file)
    folder = Layout.of(config).train("small")
    process = training_process(settings_file)
    kill_between_epochs(process, folder)
    assert not (folder / "last.ckpt").exists() and not (folder / "provenance.json").exists()
    train(config, "small")
    resumed, history = weights_of(folder / "last.ckpt"), pd.read_csv(folder / "history.csv")

    (folder).rename(tmp_path / "resumed")
    train(config, "small")
    assert_same_weights(weights_of(folder / "last.ckpt"), resumed, rtol=0, atol=0)
    alone = pd.read_csv(folder / "history.csv")
    pd.testing.assert_frame_equal(history.drop(columns="seconds"), alone.drop(columns="seconds"))


@pytest.mark.parametrize("devices", [1, 2])
def test_told_to_stop_in_mid_epoch_it_saves_and_goes_on_to_the_same_weights(settings_file, tmp_path, devices):
    """SIGTERM, then SIGKILL in some other epoch: neither loses a step that was saved, nor moves a bit of a weight."""
    path = changed(settings_file, devices=devices, iter_batch=2, save_every_minutes=0, ema_decay=0.9, max_epoch=3)
    config = load_config(path)
    folder = Layout.of(config).train("small")
    process = training_process(path)
    process.wait_until(lambda: saved_step(saved_state(folder)) % 3 == 1)
    process.signal(signal.SIGTERM)
    assert process.wait() == TRY_AGAIN and "run the same command again" in process.printed, process.printed
    stopped_at = saved_step(saved_state(folder))
    assert 0 < stopped_at < 6 and not (folder / "best.ckpt").exists()

    process = training_process(path)
    process.wait_until(lambda: saved_step(saved_state(folder)) > stopped_at)
    process.kill()

    assert_training_succeeds(path)
    resumed, averaged = weights_of(folder / "last.ckpt"), weights_of(folder / "best.ckpt")
    history = pd.read_csv(folder / "history.csv")
    folder.rename(tmp_path / "resumed")
    assert_training_succeeds(path)
    assert_same_weights(weights_of(folder / "last.ckpt"), resumed, rtol=0, atol=0)
    assert_same_weights(weights_of(folder / "best.ckpt"), averaged, rtol=0, atol=0)
    alone = pd.read_csv(folder / "history.csv")
    pd.testing.assert_frame_equal(history.drop(columns="seconds"), alone.drop(columns="seconds"))


def saved_step(path) -> int:
    return torch.load(path, weights_only=True)["global_step"] if path.is_file() else 0


def assert_training_succeeds(path) -> None:
    process = training_process(path)
    assert process.wait(300) == 0, process.printed


def test_a_loss_that_is_no_number_stops_the_training_and_names_the_images(settings_file):
    config = load_config(changed(settings_file, lr=1e30, schedule="step", max_epoch=3, clip_norm=None))
    folder = Layout.of(config).train("small")
    with pytest.raises(
        UserError, match=r"the (loss|weights) became (nan|inf|infinite) .*in epoch \d; the last sound state is kept"
    ):
        train(config, "small")
    assert not (folder / "last.ckpt").exists()
    if saved_state(folder).is_file():
        state = torch.load(saved_state(folder), weights_only=True)["state_dict"]
        assert all(value.isfinite().all() for value in state.values())


def test_weights_to_start_from_and_a_warm_up(settings_file, tmp_path):
    config = load_config(settings_file)
    folder = Layout.of(config).train("small")
    train(config, "small")
    start = tmp_path / "start.ckpt"
    (folder / "best.ckpt").rename(start)
    fine = load_config(
        changed(settings_file, load_from=str(start), lr=1e-9, schedule="step", warm_up_steps=6, max_epoch=1)
    )
    train(fine, "small")
    parameters = dict(load_network(start).named_parameters())
    for name, value in load_network(folder / "last.ckpt").named_parameters():
        torch.testing.assert_close(value, parameters[name], atol=1e-6, rtol=1e-4)
    assert pd.read_csv(folder / "history.csv")["lr"].item() == pytest.approx(1e-9 * 3 / 7)


@pytest.fixture
def one_thread():
    """Processes that share two cores have one thread each, and sums depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_two_processes_train_the_weights_of_one(settings_file):
    weights, losses = [], []
    for devices in (1, 2):
        config = load_config(changed(settings_file, devices=devices, iter_batch=2, max_epoch=1))
        train(config, "small")
        folder = Layout.of(config).train("small")
        weights.append(dict(load_network(folder / "last.ckpt").named_parameters()))
        losses.append(pd.read_csv(folder / "history.csv")["train_loss"].item())
    assert_same_weights(*weights, rtol=1e-5, atol=1e-6)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_two_processes_share_each_batch(settings_file):
    shared = changed(settings_file, devices=2, max_epoch=1)
    train(load_config(shared), "small")
    folder = Layout.of(load_config(shared)).train("small")
    history = pd.read_csv(folder / "history.csv")
    assert history["step"].tolist() == [3]
    assert load_network(folder / "best.ckpt")(torch.rand(1, 3, 64, 64)).joint_xyz.isfinite().all()


def test_other_settings_start_anew_and_leave_the_unfinished_training_alone(settings_file, caplog):
    config = load_config(settings_file)
    folder = Layout.of(config).train("small")
    others = folder / ".progress" / "of-others" / "resume.ckpt"
    others.parent.mkdir(parents=True)
    others.write_bytes(b"not ours")
    with caplog.at_level("INFO"):
        train(load_config(changed(settings_file, max_epoch=1)), "small")
    assert (folder / "last.ckpt").is_file() and others.read_bytes() == b"not ours"
    assert [path.name for path in (folder / ".progress").iterdir()] == ["of-others"]
    assert caplog.text.count(str(others.parent)) == 2, "told at the start and at the end"


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"batch_size": 5, "devices": 2}, "batch_size 5"),
        ({"batch_size": 64, "iter_batch": 64}, "only 12 samples"),
        ({"precision": "16"}, "precision 16 needs a GPU"),
    ],
)
def test_settings_that_cannot_work_are_clear_errors(settings_file, training, message):
    if training.get("precision") == "16" and torch.cuda.is_available():
        pytest.skip("a GPU can do it")
    config = load_config(changed(settings_file, **training))
    with pytest.raises(UserError, match=message):
        train(config, "small")
    assert not (Layout.of(config).train("small") / "last.ckpt").exists()


def with_weights(path: Path, pretrained: str, **training) -> Path:
    document = yaml.safe_load(path.read_text())
    document["experiments"]["small"]["model"] = {"pretrained": pretrained}
    document["experiments"]["small"]["training"] |= training
    other = path.with_name("pretrained.yaml")
    other.write_text(yaml.safe_dump(document))
    return other


def test_weights_asked_for_and_not_had_are_shouted_and_recorded(settings_file, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    path = with_weights(settings_file, "timm", max_epoch=1)
    # A process of its own: where weights come from is read when timm is imported.
    command = [sys.executable, "-m", "digit", "train", "--experiment", "small", "--config", path]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    log = done.stderr
    assert done.returncode == 0, log
    assert re.search(r"WARNING !{80}\nsmall: .*RANDOM weights \(model\.pretrained: timm was asked for.*\n!{80}", log)
    record = read_json(Layout.of(load_config(path)).train("small") / "provenance.json", "")
    assert record["backbone_weights"].startswith("random, because timm's weights could not be fetched")
    assert len(record["warnings"]) == 1 and "RANDOM weights" in record["warnings"][0]


def test_a_resumed_training_names_the_weights_it_began_with(settings_file, tmp_path):
    weights, began = tmp_path / "imagenet.pth", []
    path = with_weights(settings_file, str(weights))
    config = load_config(path)
    folder = Layout.of(config).train("small")
    for seed in (1, 2):
        torch.manual_seed(seed)
        torch.save(timm.create_model("hrnet_w18_small").state_dict(), weights)
        began.append(hashlib.sha256(weights.read_bytes()).hexdigest()[:16])
        if seed == 1:
            process = training_process(path)
            kill_between_epochs(process, folder)
    train(config, "small")
    record = read_json(folder / "provenance.json", "")
    assert record["backbone_weights"] == f"imagenet.pth (sha256 {began[0]})" and record["warnings"] == []
