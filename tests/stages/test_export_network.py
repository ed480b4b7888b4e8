"""Networks for other software: ONNX that answers as torch does, and the released layout."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from digit.cli import app
from digit.model.weights import load_network
from digit.run.errors import UserError
from digit.stages.export_network import export_network


def test_weights_as_onnx_and_in_the_released_layout(evaluated_run, tmp_path):
    model = load_network(evaluated_run.checkpoint)
    export_network(evaluated_run.checkpoint, tmp_path / "tiny.pt", "paper")
    export_network(evaluated_run.checkpoint, tmp_path / "tiny.onnx", "paper")
    released = load_network(tmp_path / "tiny.pt", preset="tiny")
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx")
    for count in (1, 4, 7):
        pictures = torch.rand(count, 3, 64, 64)
        with torch.inference_mode():
            expected, again = model(pictures), released(pictures)
        for name, one, other in zip(expected._fields, expected, again, strict=True):
            torch.testing.assert_close(one, other)
            found = session.run([name], {"images": pictures.numpy()})[0]
            np.testing.assert_allclose(found, one.numpy(), atol=1e-3)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["settings"])["input_size"] == 64 and "joint_xyz" in metadata["units"]


@pytest.mark.parametrize("ending", ["pt", "onnx"])
def test_weights_are_not_written_where_they_cannot_be(evaluated_run, tmp_path, ending):
    (tmp_path / f"folder.{ending}").mkdir()
    (tmp_path / "file").touch()
    for output, message in (
        (tmp_path / f"folder.{ending}", "is a folder"),
        (tmp_path / "file" / f"x.{ending}", "is a file"),
        (Path(f"/proc/x.{ending}"), "cannot be written"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            export_network(evaluated_run.checkpoint, output)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_is_not_replaced_by_its_own_export(evaluated_run, tmp_path):
    export_network(evaluated_run.checkpoint, tmp_path / "tiny.pt")
    with pytest.raises(UserError, match="is the checkpoint itself"):
        export_network(tmp_path / "tiny.pt", tmp_path / "tiny.pt", "tiny")


def test_a_preset_that_is_not_used_is_said(evaluated_run, tmp_path, caplog):
    export_network(evaluated_run.checkpoint, tmp_path / "a.pt", "tiny")
    assert "ignored" not in caplog.text
    export_network(evaluated_run.checkpoint, tmp_path / "b.pt", "paper")
    assert "best.ckpt says how large its network is, so --preset paper is ignored" in caplog.text


def test_an_unknown_ending_is_refused(evaluated_run, tmp_path):
    with pytest.raises(UserError, match=r"\.onnx or \.pt"):
        export_network(evaluated_run.checkpoint, tmp_path / "tiny.weights", "paper")
    assert not (tmp_path / "tiny.weights").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "--checkpoint", "none.ckpt", "--output", "a.onnx"], "none.ckpt: no such file"),
        (["export", "network", "--checkpoint", "none.ckpt", "--output", "a.onnx"], "none.ckpt: no such file"),
        (["export", "--layout", "original", "--output", "a", "--config", "none.yaml"], "none.yaml: cannot be read"),
        (["export", "data", "--output", "a", "--config", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_options_say_what_is_exported_where_no_word_does(arguments, words):
    with pytest.raises(UserError, match=re.escape(words)):
        app(arguments, standalone_mode=False)
