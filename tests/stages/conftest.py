"""A whole run up to evaluation, with a network that has not learnt anything."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from digit.config import Config, load_config, resolve, to_dict
from digit.model.digit import Digit
from digit.model.weights import PREFIX
from digit.run.files import write_json
from digit.run.layout import Layout
from digit.stages.evaluate import evaluate
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts

LOSSES = ("joint", "rel_root_depth", "hand_type", "segm", "bone")
MEASURED = ("mpjpe_all", "mpjpe_sh", "mpjpe_ih", "pa_mpjpe_all", "mrrpe", "handedness_accuracy", "part_iou")


@dataclass(frozen=True)
class Run:
    """A run of two experiments and its folders."""

    config: Config
    layout: Layout

    @property
    def checkpoint(self) -> Path:
        return self.layout.train("tiny") / "best.ckpt"


@pytest.fixture(scope="session")
def _evaluated_run(_tiny_release_original, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    run = make_run(folder, _tiny_release_original)
    for split in ("train", "val", "test"):
        index(run.config, split)
        for shard in range(2):
            images(run.config, split, shard)
            parts(run.config, split, shard)
    for number, name in enumerate(run.config.experiments):
        write_training(run, name, seed=number)
        for root_depth in ("rootnet", "gt"):
            evaluate(run.config, name, "test", root_depth)
    return folder


@pytest.fixture
def evaluated_run(_evaluated_run, _tiny_release_original, tmp_path):
    """A private copy of an evaluated run."""
    shutil.copytree(_evaluated_run / "run", tmp_path / "run")
    return make_run(tmp_path, _tiny_release_original)


def make_run(folder, root):
    config = resolve(
        {
            "run": {"name": "run", "folder": str(folder)},
            "data": {"source": "interhand", "root": str(root), "shards": 2},
            "experiments": {"tiny": {"preset": "tiny"}, "wide": {"preset": "tiny", "model": {"depth_box_mm": 400.0}}},
            "evaluate": {"splits": ["test"], "batch_size": 5, "num_workers": 0, "bootstrap": 20},
        }
    )
    return Run(config, Layout.of(config))


def write_training(run, name, seed):
    """Files as the train stage leaves them."""
    folder, experiment = run.layout.train(name), run.config.experiments[name]
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    state = {PREFIX + key: tensor for key, tensor in Digit(experiment.model).state_dict().items()}
    content = {"state_dict": state, "hyper_parameters": {"experiment": to_dict(experiment)}}
    for file in ("best.ckpt", "last.ckpt"):
        torch.save(content, folder / file)
    columns = ["epoch", "step", "seconds", "lr", "train_loss", *(f"train_{loss}" for loss in LOSSES)]
    columns += [f"val_{name}" for name in MEASURED]
    with (folder / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for epoch in (1, 2):
            measured = [30.0, 28.0, 33.0, 15.0, 60.0, 0.5, ""] if epoch == 2 else [""] * 7
            writer.writerow([epoch, epoch * 4, 2.5 * epoch, 1e-3, 9.0 / epoch, *([1.5 / epoch] * 5), *measured])
    (folder / "config.yaml").write_text(yaml.safe_dump(to_dict(experiment)))
    provenance = {
        "experiment_key": "0123456789",
        "git_commit": None,
        "git_dirty": None,
        "versions": {"torch": torch.__version__},
        "seed": 1,
        "hardware": {"cpu": "a processor", "cores": 2, "memory_gb": 8.0, "gpu": None},
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 5.0,
        "samples_seen": 24,
        "parameters": 1_700_000,
        "backbone_weights": "random",
    }
    write_json(folder / "provenance.json", provenance)


@pytest.fixture
def settings_file(tiny_release, tmp_path):
    """Configuration of a run whose data are prepared, with a small experiment ``small``."""
    path = tmp_path / "config.yaml"
    data = {"source": "interhand", "root": str(tiny_release), "shards": 1}
    training = {"max_epoch": 4, "batch_size": 4, "iter_batch": 4, "eval_every_epoch": 2, "devices": 1}
    small = {"preset": "tiny", "training": training | {"recalibrate_images": 4}}
    path.write_text(yaml.safe_dump({"run": {"folder": str(tmp_path)}, "data": data, "experiments": {"small": small}}))
    config = load_config(path)
    for split in ("train", "val"):
        index(config, split)
        images(config, split, 0)
        parts(config, split, 0)
    return path
