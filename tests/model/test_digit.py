"""The network at both presets, its expectations, and its weights on disk."""

import argparse
import os
import pathlib
import pickle
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from digit.config import ModelSettings, resolve
from digit.config.presets import PRESETS
from digit.model.backbone import create_backbone
from digit.model.digit import Digit
from digit.model.network import expected_bin, expected_joints, heat_near_mean
from digit.model.weights import PREFIX, load_network
from digit.run.errors import UserError

TINY = resolve({"experiments": {"tiny": {"preset": "tiny"}}}).experiments["tiny"].model


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return Digit(TINY).eval()


def saved(model, path: Path, **extra) -> Path:
    torch.save({"state_dict": {PREFIX + k: v for k, v in model.state_dict().items()}, **extra}, path)
    return path


def test_outputs_have_the_promised_shapes(tiny):
    prediction = tiny(torch.rand(2, 3, 64, 64))
    shapes = [tuple(value.shape) for value in prediction]
    assert shapes == [(2, 42, 3), (2, 1), (2, 2), (2, 33, 32, 32), (2, 42)]
    xy = prediction.joint_xyz[..., :2]
    assert (xy > 0).all() and (xy < TINY.heatmap_size).all()


def test_every_parameter_gets_a_gradient(tiny):
    prediction = tiny(torch.rand(2, 3, 64, 64))
    torch.stack([value.float().pow(2).sum() for value in prediction]).sum().backward()
    assert [name for name, parameter in tiny.named_parameters() if parameter.grad is None] == []
    tiny.zero_grad()


def test_soft_argmax_finds_a_peak():
    logits = torch.zeros(1, 1, 8, 8)
    logits[0, 0, 2, 5] = 50.0
    depth = torch.arange(64.0).view(1, 1, 8, 8)
    (peak, certain), (middle, flat) = expected_joints(logits, depth), expected_joints(logits * 0, depth)
    np.testing.assert_allclose(peak[0, 0], [5.5, 2.5, 21.0], atol=1e-4)
    np.testing.assert_allclose(middle[0, 0], [4.0, 4.0, 31.5], atol=1e-4)
    assert certain.item() == pytest.approx(1) and flat.item() == pytest.approx(9 / 64)
    assert expected_bin(torch.tensor([[0.0, 0.0, 60.0]])).item() == pytest.approx(2.0)


def test_confidence_is_the_heat_within_one_and_a_half_cells_of_the_mean():
    """Of flat heat the area counts, also where the border of the square cuts a cell; of two peaks apart, neither."""
    mean = torch.tensor([[3.0], [3.2], [0.5], [8.0]])
    shares = heat_near_mean(torch.full((4, 1, 8, 8), 1 / 64), mean, torch.full((4, 1), 4.5))
    torch.testing.assert_close(shares[:, 0] * 64, torch.tensor([9.0, 9.0, 6.0, 4.5]))
    logits = torch.full((1, 1, 8, 8), -50.0)
    logits[0, 0, 1, 1] = logits[0, 0, 6, 6] = 0
    assert expected_joints(logits, logits)[1].item() == pytest.approx(0, abs=1e-6)


def test_confidence_carries_no_gradient(tiny):
    prediction = tiny(torch.rand(1, 3, tiny.settings.input_size, tiny.settings.input_size))
    assert prediction.joint_xyz.requires_grad and not prediction.joint_confidence.requires_grad


@pytest.mark.parametrize("fusion", ["logits", "softmax"])
def test_fusion_is_a_choice(fusion):
    torch.manual_seed(0)
    other = Digit(ModelSettings(**PRESETS["tiny"]["model"] | {"fusion": fusion})).eval()
    assert other(torch.rand(1, 3, 64, 64)).joint_xyz.isfinite().all()


def test_an_unknown_backbone_is_a_clear_error():
    with pytest.raises(UserError, match="resnet50000"):
        create_backbone("resnet50000")


def test_checkpoints_load_with_their_own_settings(tiny, tmp_path):
    settings = {"experiment": {"preset": "tiny"}}
    path = saved(tiny, tmp_path / "ours.ckpt", hyper_parameters=settings)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(load_network(path)(images).joint_xyz, tiny(images).joint_xyz)
        torch.save({PREFIX + k: v for k, v in tiny.state_dict().items()}, tmp_path / "flat.pt")
        flat = load_network(tmp_path / "flat.pt", preset="tiny")
        torch.testing.assert_close(flat(images).joint_xyz, tiny(images).joint_xyz)


def test_checkpoints_of_the_originals_lightning_load_without_its_libraries(tiny, tmp_path):
    """They hold options of classes that are not installed here, and numbers of numpy."""
    module = types.ModuleType("easydict")
    module.EasyDict = type("EasyDict", (dict,), {"__module__": "easydict", "__qualname__": "EasyDict"})
    options = module.EasyDict(lr=1e-4, batch_size=64)
    options.lr = 1e-4
    extra = {
        "epoch": 49,
        "hyper_parameters": options | {"experiment": "a name of theirs"},
        "options": argparse.Namespace(seed=1),
        "score": np.float64(12.59),
    }
    sys.modules["easydict"] = module
    try:
        path = saved(tiny, tmp_path / "lightning.ckpt", **extra)
    finally:
        del sys.modules["easydict"]
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        loaded = load_network(path, preset=TINY)
        torch.testing.assert_close(loaded(images).joint_xyz, tiny(images).joint_xyz)


def named_class(name, monkeypatch):
    """A class of a module that is not installed, importable for as long as a file is written."""
    module, _, own = name.rpartition(".")
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    made = type(own, (), {"__module__": module, "__qualname__": own})
    setattr(sys.modules[module], own, made)
    return made


CALLBACKS = "pytorch_lightning.callbacks"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "names",
    [
        ["model_checkpoint.ModelCheckpoint"],
        ["model_checkpoint.ModelCheckpoint", "early_stopping.EarlyStopping", "lr_monitor.LearningRateMonitor"],
    ],
)
def test_checkpoints_of_lightning_1_load(tiny, tmp_path, names, zipped):
    """Their callbacks' states are keyed by a class, and a class is also all that some hold."""
    with pytest.MonkeyPatch.context() as patch:
        classes = [named_class(f"{CALLBACKS}.{name}", patch) for name in names]
        states = {kind: {"best_model_score": torch.tensor(12.59), "kind": kind} for kind in classes}
        instance = classes[0]()
        instance.monitor = "loss"
        content = {"pytorch-lightning_version": "1.1.8", "epoch": 49, "state_dict": released(tiny)}
        content |= {"callbacks": states, "object": instance}
        torch.save(content, tmp_path / "old.ckpt", _use_new_zipfile_serialization=zipped)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        loaded = load_network(tmp_path / "old.ckpt", preset=TINY)
        torch.testing.assert_close(loaded(images).joint_xyz, tiny(images).joint_xyz)


@pytest.mark.parametrize("name", ["os.system", "subprocess.Popen", "model_checkpoint.os.system", "Mine"])
def test_only_lightnings_own_callbacks_have_stand_ins(tiny, tmp_path, name):
    with pytest.MonkeyPatch.context() as patch:
        kind = named_class(f"{CALLBACKS}.{name}", patch)
        torch.save({"state_dict": {}, "callbacks": {kind: {}}}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match=rf"holds more than weights \({CALLBACKS}\.{re.escape(name)}\) and is refused"):
        load_network(tmp_path / "evil.ckpt")


def test_wrong_keys_are_listed(tiny, tmp_path):
    state = {PREFIX + k: v for k, v in tiny.state_dict().items()}
    state["model.pose_reg.stranger"] = state.pop(PREFIX + "conv_hm.bias")
    torch.save(state, tmp_path / "bad.pt")
    with pytest.raises(UserError, match=r"missing model\.pose_reg\.conv_hm\.bias") as caught:
        load_network(tmp_path / "bad.pt", preset="tiny")
    assert "unexpected model.pose_reg.stranger" in str(caught.value)


@pytest.mark.parametrize("content", [{"state_dict": 3}, {"epoch": 1, "state": {}}, {PREFIX + "conv_hm.bias": [1.0]}])
def test_files_without_a_table_of_tensors_are_clear_errors(content, tmp_path):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(UserError, match=r"odd\.pt: holds no table of tensors"):
        load_network(tmp_path / "odd.pt")


class Mischief:
    """A pickle that would run code."""

    def __reduce__(self):
        return (Path.touch, (Path("mischief"),))


def test_files_that_want_to_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Mischief()}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match="refused"):
        load_network(tmp_path / "evil.ckpt")
    assert not (tmp_path / "mischief").exists()


class Call:
    """A pickle that would call a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("function", [os.system, subprocess.Popen, eval, pathlib.Path])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_named_and_not_called_damaged(function, zipped, tmp_path):
    content = {"state_dict": {}, "extra": Call(function, f"touch {tmp_path}/mischief")}
    torch.save(content, tmp_path / "evil.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=rf"holds more than weights \(\S*{function.__name__}\) and is refused"):
        load_network(tmp_path / "evil.ckpt")
    assert not (tmp_path / "mischief").exists()


def released(model):
    return {PREFIX + key: tensor.clone() for key, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.to_sparse(), "is sparse"),
        (lambda t: t.to("meta"), "has no values"),
        (lambda t: t * torch.nan, "holds NaN or infinite values; has its training diverged"),
        (lambda t: t / 0, "holds NaN or infinite values"),
        (lambda t: t.to(torch.complex64), "is complex64, expected float32"),
        (lambda t: t.to(torch.int8), "is int8, expected float32"),
    ],
)
def test_tensors_without_usable_numbers_are_refused(tiny, tmp_path, change, message):
    state = released(tiny)
    state[PREFIX + "conv_hm.weight"] = change(state[PREFIX + "conv_hm.weight"])
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(UserError, match=rf"odd\.pt: 1 tensors are unusable: \S+conv_hm\.weight {message}"):
        load_network(tmp_path / "odd.pt", preset="tiny")


def test_half_precision_loads(tiny, tmp_path):
    torch.save({key: t.half() if t.is_floating_point() else t for key, t in released(tiny).items()}, tmp_path / "h.pt")
    assert load_network(tmp_path / "h.pt", preset="tiny").conv_hm.weight.dtype == torch.float32


@pytest.mark.parametrize("prefix", ["", "module.", f"module.{PREFIX}"])
def test_other_names_for_the_same_tensors_are_said(tiny, tmp_path, prefix):
    torch.save({prefix + key: tensor for key, tensor in tiny.state_dict().items()}, tmp_path / "named.pt")
    with pytest.raises(UserError, match=r"only the names differ: each must begin with model\.pose_reg\.") as caught:
        load_network(tmp_path / "named.pt", preset="tiny")
    text = str(caught.value)
    assert text.count("- missing") == text.count("- unexpected") == 10 and re.search(r"and \d+ more$", text)


def test_the_right_preset_is_named(tiny, tmp_path):
    torch.save(released(tiny), tmp_path / "tiny.pt")
    with pytest.raises(UserError, match="choose preset tiny"):
        load_network(tmp_path / "tiny.pt")
    with pytest.raises(UserError, match=r"preset 'huge': unknown; choose one of paper, tiny"):
        load_network(tmp_path / "tiny.pt", preset="huge")


@pytest.mark.parametrize("settings", [{"preset": "huge"}, {"network": {}}, {"model": 3}, {1: 2}])
def test_unusable_settings_are_the_files_own(tiny, tmp_path, settings):
    path = saved(tiny, tmp_path / "own.ckpt", hyper_parameters={"experiment": settings})
    with pytest.raises(UserError, match=r"own\.ckpt: the settings that this file itself holds are unusable") as caught:
        load_network(path)
    assert "loaded" not in str(caught.value) and "hyper_parameters.experiment" in str(caught.value)


def test_a_folder_is_called_a_folder(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        load_network(tmp_path)


NOISE = np.random.default_rng(0).bytes(30_000)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"not a checkpoint", pickle.dumps([1, 2]), NOISE])
def test_files_that_are_no_weights_are_clear_errors(content, tmp_path):
    (tmp_path / "junk.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"junk\.pt: .*train again") as caught:
        load_network(tmp_path / "junk.pt")
    assert len(str(caught.value).splitlines()) == 1


def test_a_truncated_checkpoint_is_a_clear_error(tiny, tmp_path):
    path = saved(tiny, tmp_path / "cut.ckpt")
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"cut\.ckpt: is damaged.*train again"):
        load_network(path)


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_network(tmp_path / "absent.pt")
