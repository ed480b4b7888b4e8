"""One network, four ways: as weights in memory, as an evaluated release, as ONNX, and on the original's own files."""

import dataclasses

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.special import expit

from digit.config import ModelSettings, resolve, to_dict
from digit.model import inference
from digit.model.weights import build_model, load_network, released_layout
from digit.run.files import read_json
from digit.run.layout import Layout
from digit.samples.opening import open_dataset
from digit.stages.evaluate import evaluate
from digit.stages.export_data import export_data
from digit.stages.export_network import export_network
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts
from digit.stages.train import train

ARRAYS = ("joint_coord", "rel_root_depth", "hand_type")


@pytest.fixture(scope="module")
def released(state, tmp_path_factory):
    """The filled network as the released file."""
    path = tmp_path_factory.mktemp("weights") / "released.pt"
    torch.save(released_layout(build_model(ModelSettings(), state, "golden filling")), path)
    return path


def evaluated(config, released, folder, **data):
    """Predictions of the given weights through the stages, and their metrics."""
    settings = to_dict(config) | {
        "experiments": {"released": {"preset": "paper", "load_ckpt": str(released)}},
        "evaluate": {"splits": ["val"], "root_depth": ["rootnet"], "batch_size": 7, "num_workers": 0, "bootstrap": 0},
    }
    settings["data"] |= data
    settings["run"]["folder"] = str(folder)
    config = resolve(settings)
    if data:
        index(config, "val")
        images(config, "val", 0)
        parts(config, "val", 0)
    train(config, "released")
    evaluate(config, "released", "val", "rootnet")
    result = Layout.of(config).evaluation("released", "val", "rootnet")
    with np.load(result / "predictions.npz") as predictions:
        return dict(predictions), read_json(result / "metrics.json", "")["metrics"]


def test_the_same_predictions_four_ways(golden_config, released, tmp_path):
    dataset, _ = open_dataset(golden_config, "val", ModelSettings(), "rootnet")
    batch = dataset.__getitems__(range(len(dataset)))
    memory = dataclasses.asdict(inference.run(load_network(released), [batch], torch.device("cpu")))

    stages, metrics = evaluated(golden_config, released, golden_config.run.folder)

    export_network(released, tmp_path / "digit.onnx", "paper")
    session = onnxruntime.InferenceSession(tmp_path / "digit.onnx")
    names = ["joint_xyz", "rel_root_depth", "hand_logits"]
    joints, rel_root, logits = session.run(names, {"images": inference.to_input(batch).contiguous().numpy()})
    onnx = dict(zip(ARRAYS, (joints, rel_root, expit(logits)), strict=True))

    export_data(golden_config, tmp_path / "original", ["val"])
    export_network(released, tmp_path / "original" / "again.pt", "paper")
    keys = {
        "image_lmdb": str(tmp_path / "original" / "images" / "interhand.lmdb"),
        "mask_lmdb": str(tmp_path / "original" / "segm_32.lmdb"),
        "fit_cache": str(tmp_path / "original" / "cache"),
    }
    original, metrics_again = evaluated(golden_config, tmp_path / "original" / "again.pt", tmp_path / "run", **keys)

    for name in ARRAYS:
        np.testing.assert_allclose(stages[name], memory[name], rtol=1e-5, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(original[name], stages[name], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(onnx[name], stages[name], atol=1e-3 * np.abs(stages[name]).max(), err_msg=name)
    np.testing.assert_array_equal(original["segm_confusion"], stages["segm_confusion"])
    assert metrics_again == pytest.approx(metrics, nan_ok=True)
