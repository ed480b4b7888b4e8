"""Weights in half precision: there and back, and what is refused."""

import json

import pytest
import torch
from safetensors import safe_open

from digit.config import resolve, to_dict
from digit.model.digit import Digit
from digit.model.weights import load_network, released_layout
from digit.run import provenance
from digit.run.errors import UserError
from digit.stages.export_network import export_network

EXPERIMENT = resolve(
    {
        "experiments": {
            "e": {
                "preset": "small",
                "model": {"input_size": 64, "backbone": "mobilenetv3_small_050"},
                "training": {"resume_ckpt": "somewhere/last.ckpt", "load_from": "else/best.ckpt"},
            }
        }
    }
).experiments["e"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    network = Digit(EXPERIMENT.model)
    with torch.no_grad():
        for _ in range(20):  # statistics that belong to the weights
            network(torch.rand(8, 3, 64, 64))
    path = tmp_path_factory.mktemp("weights") / "best.ckpt"
    content = {"state_dict": released_layout(network), "hyper_parameters": {"experiment": to_dict(EXPERIMENT)}}
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def halves(checkpoint):
    path = checkpoint.with_name("small.safetensors")
    export_network(checkpoint, path)
    return path


def test_half_precision_is_half_as_large_and_answers_alike(checkpoint, halves):
    assert halves.stat().st_size < 0.55 * checkpoint.stat().st_size
    ours, theirs = load_network(halves), load_network(checkpoint)
    assert next(ours.parameters()).dtype == torch.float32 and not ours.training
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        for value, expected in zip(ours(images)[:4], theirs(images)[:4], strict=True):
            assert (value - expected).abs().max() < 0.02 * expected.abs().max()


def test_the_file_says_what_it_is_and_names_no_file(checkpoint, halves):
    with safe_open(halves, framework="pt") as file:
        words = file.metadata()
    settings, history = json.loads(words["experiment"]), json.loads(words["history"])
    assert settings["model"] == to_dict(EXPERIMENT)["model"] and settings["preset"] == "small"
    assert settings["training"]["resume_ckpt"] is settings["training"]["load_from"] is None
    assert history["checkpoint_sha256"] == provenance.sha256(checkpoint) and "git_commit" in history
    assert load_network(halves).settings == EXPERIMENT.model


def test_a_weight_beyond_half_precision_is_refused(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["model.pose_reg.conv_hm.weight"][0, 0] = 1e6
    torch.save(content, tmp_path / "large.ckpt")
    with pytest.raises(UserError, match=r"conv_hm\.weight is too large for half precision"):
        export_network(tmp_path / "large.ckpt", tmp_path / "large.safetensors")
    assert not (tmp_path / "large.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"no tensors at all", None])
def test_damaged_files_are_named(content, halves, tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(halves.read_bytes()[:5000] if content is None else content)
    with pytest.raises(UserError, match=r"cut\.safetensors: is damaged or no safetensors file"):
        load_network(path)


def test_what_the_file_holds_counts_not_its_name(halves, tmp_path):
    copy = tmp_path / "best.ckpt"
    copy.write_bytes(halves.read_bytes())
    assert load_network(copy).settings == EXPERIMENT.model
