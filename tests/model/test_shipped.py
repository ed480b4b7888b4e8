"""Weights of the package: found, checked, or a sentence."""

import hashlib
import shutil

import pytest

import digit
from digit.model import shipped
from digit.model.shipped import NAME, SUMS, shipped_weights
from digit.model.weights import load_network
from digit.run.errors import UserError
from digit.stages.export_network import export_network


@pytest.fixture
def folder(checkpoint, tmp_path):
    """Weights as the package has them."""
    export_network(checkpoint, tmp_path / NAME)
    digest = hashlib.sha256((tmp_path / NAME).read_bytes()).hexdigest()
    (tmp_path / SUMS).write_text(f"{digest}  {NAME}\n")
    return tmp_path


def test_the_package_s_weights_need_no_name(folder, monkeypatch, checkpoint):
    monkeypatch.setattr(shipped, "FOLDER", folder)
    assert shipped_weights() == folder / NAME
    predictor = digit.load_model()
    assert predictor.network.settings == load_network(checkpoint).settings
    assert predictor.source == str(folder / NAME)


def test_another_file_is_not_taken_for_them(folder):
    with (folder / NAME).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError, match=r"small\.safetensors: is not the file that was shipped"):
        shipped_weights(folder)
    shutil.copy(folder / NAME, folder / "other")
    (folder / SUMS).write_text("")
    with pytest.raises(UserError, match="is not the file that was shipped"):
        shipped_weights(folder)


def test_a_package_without_weights_says_so(tmp_path):
    with pytest.raises(UserError, match="comes without trained weights; name some: --checkpoint FILE"):
        shipped_weights(tmp_path)


def test_what_is_shipped_is_sound():
    try:
        path = shipped_weights()
    except UserError as error:
        pytest.skip(str(error))
    assert path.stat().st_size < 12_000_000
    assert load_network(path).settings.input_size == 128
