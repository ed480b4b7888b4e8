"""Training: artefacts, resuming after a kill, processes that share batches, and settings that cannot work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from digit.config import load_config
from digit.errors import UserError
from digit.files import read_json
from digit.layout import Layout
from digit.model.weights import load_model
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts
from digit.stages.train import train
from digit.training import COLUMNS

ROOT = Path(__file__).parents[2]
SMALL = {
    "preset": "tiny",
    "training": {
        "max_epoch": 4, "batch_size": 4, "iter_batch": 4, "eval_every_epoch": 2, "devices": 1, "recalibrate_images": 4
    },
}  # fmt: skip


@pytest.fixture
def settings_file(tiny_release, tmp_path):
    """A run whose data are prepared, with a small experiment ``small``."""
    path = tmp_path / "config.yaml"
    data = {"source": "interhand", "root": str(tiny_release), "shards": 1}
    path.write_text(yaml.safe_dump({"run": {"folder": str(tmp_path)}, "data": data, "experiments": {"small": SMALL}}))
    config = load_config(path)
    for split in ("train", "val"):
        index(config, split)
        images(config, split, 0)
        parts(config, split, 0)
    return path


def changed(path: Path, **training) -> Path:
    document = yaml.safe_load(path.read_text())
    document["experiments"]["small"]["training"] |= training
    other = path.with_name(f"{'-'.join(training)}.yaml")
    other.write_text(yaml.safe_dump(document))
    return other


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_model(path).state_dict()


def assert_same_weights(one, other, **tolerance):
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


def training_process(path: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}  # the same number of threads: sums depend on it
    command = [sys.executable, "-m", "digit", "train", "--experiment", "small", "--config", str(path)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_training_leaves_all_its_artefacts(settings_file):
    config = load_config(settings_file)
    train(config, "small")
    folder = Layout.of(config).train("small")
    assert {path.name for path in folder.iterdir()} == {
        "best.ckpt", "last.ckpt", "history.csv", "config.yaml", "provenance.json"
    }  # fmt: skip
    history = pd.read_csv(folder / "history.csv")
    assert tuple(history.columns) == COLUMNS and history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["val_mpjpe_all"].notna().tolist() == [False, True, False, True]
    parts_of_loss = history[[name for name in COLUMNS if name.startswith("train_") and name != "train_loss"]]
    np.testing.assert_allclose(parts_of_loss.sum(axis=1), history["train_loss"], rtol=1e-4)
    record = read_json(folder / "provenance.json", "")
    assert len(record["experiment_key"]) == 9 and record["samples_seen"] == 4 * 12 and record["seed"] == 1
    assert record["backbone_weights"] == "random" and record["hardware"]["cores"] >= 1
    resolved = yaml.safe_load((folder / "config.yaml").read_text())
    assert resolved["model"]["backbone"] == "hrnet_w18_small"


def test_a_killed_training_goes_on_to_the_weights_of_an_uninterrupted_one(settings_file, tmp_path):
    config = load_config(settings_file)
    folder = Layout.of(config).train("small")
    process = training_process(settings_file)
    deadline = time.monotonic() + 120
    while not (folder / ".progress" / "resume.ckpt").is_file():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not (folder / "last.ckpt").exists() and not (folder / "provenance.json").exists()
    train(config, "small")
    resumed, history = weights_of(folder / "last.ckpt"), pd.read_csv(folder / "history.csv")

    (folder).rename(tmp_path / "resumed")
    train(config, "small")
    assert_same_weights(weights_of(folder / "last.ckpt"), resumed, rtol=0, atol=0)
    alone = pd.read_csv(folder / "history.csv")
    pd.testing.assert_frame_equal(history.drop(columns="seconds"), alone.drop(columns="seconds"))


def test_two_processes_share_each_batch(settings_file):
    shared = changed(settings_file, devices=2, max_epoch=1)
    train(load_config(shared), "small")
    folder = Layout.of(load_config(shared)).train("small")
    history = pd.read_csv(folder / "history.csv")
    assert history["step"].tolist() == [3]
    assert load_model(folder / "best.ckpt")(torch.rand(1, 3, 64, 64)).joint_xyz.isfinite().all()


def test_other_settings_start_anew(settings_file):
    config = load_config(settings_file)
    folder = Layout.of(config).train("small")
    (folder / ".progress").mkdir(parents=True)
    (folder / ".progress" / "key").write_text("of-others")
    (folder / ".progress" / "resume.ckpt").write_bytes(b"not ours")
    train(config, "small")
    assert (folder / "last.ckpt").is_file() and not (folder / ".progress").exists()


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
