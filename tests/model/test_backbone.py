"""ImageNet weights of the backbone: the original HRNet file, as this test writes it, timm's, or none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch

from digit.model.backbone import create_backbone
from digit.run.errors import UserError

NAME = "hrnet_w18_small"
CLASSIFIER = ("incre_modules", "downsamp_modules", "final_layer", "classifier")
"""What an ImageNet file holds besides the backbone."""


@pytest.fixture(scope="module")
def imagenet():
    """The tensors of a whole ImageNet classifier, as in hrnet_w32-36af842e.pth; random, and of a smaller network."""
    torch.manual_seed(5)
    state = timm.create_model(NAME).state_dict()
    assert {key.split(".")[0] for key in state} >= set(CLASSIFIER)
    return {key: torch.rand_like(value) if value.is_floating_point() else value for key, value in state.items()}


def written(content, path: Path, **options) -> Path:
    torch.save(content, path, **options)
    return path


def expect_loaded(path: Path, imagenet) -> str:
    network, channels, origin = create_backbone(NAME, str(path))
    assert channels == 16
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, imagenet[key], rtol=0, atol=0)
    return origin


def test_the_original_file_loads_without_its_classifier(imagenet, tmp_path):
    path = written(imagenet, tmp_path / "hrnet_w32-36af842e.pth", _use_new_zipfile_serialization=False)
    origin = expect_loaded(path, imagenet)
    assert origin.startswith("hrnet_w32-36af842e.pth (sha256 ")
    names = create_backbone(NAME)[0].state_dict()
    assert not {key.split(".")[0] for key in names} & set(CLASSIFIER)


def test_the_network_of_the_paper_loads_its_file(tmp_path):
    state = timm.create_model("hrnet_w32").state_dict()
    path = written(state, tmp_path / "hrnet_w32-36af842e.pth")
    network, channels, _ = create_backbone("hrnet_w32", str(path))
    assert channels == 32
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("prefix", ["module.", "backbone."])
def test_wrapped_files_load(imagenet, tmp_path, prefix):
    content = {"meta": {"epoch": 1}, "state_dict": {prefix + key: value for key, value in imagenet.items()}}
    expect_loaded(written(content, tmp_path / "wrapped.pth"), imagenet)


def test_files_without_batch_counters_load(imagenet, tmp_path):
    old = {key: value for key, value in imagenet.items() if not key.endswith("num_batches_tracked")}
    expect_loaded(written(old, tmp_path / "old.pth"), imagenet)


def test_another_file_gives_another_origin(imagenet, tmp_path):
    first = create_backbone(NAME, str(written(imagenet, tmp_path / "w.pth")))[2]
    changed = imagenet | {"conv1.weight": imagenet["conv1.weight"] + 1}
    assert create_backbone(NAME, str(written(changed, tmp_path / "w.pth")))[2] != first


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv1.weight": torch.zeros(1)}, r"tensors do not fit hrnet_w18_small, the first: lacks "),
        ([torch.zeros(1)], "no dictionary of tensors"),
        ({"state_dict": 3}, "no dictionary of tensors"),
        ({"state_dict": Path("x")}, "holds more than weights"),
    ],
)
def test_files_that_do_not_fit_are_clear_errors(content, message, tmp_path):
    with pytest.raises(UserError, match=rf"other\.pth: .*{message}.*hrnet_w32-36af842e\.pth") as caught:
        create_backbone(NAME, str(written(content, tmp_path / "other.pth")))
    assert len(str(caught.value).splitlines()) == 1


def test_weights_of_a_wider_network_are_named(imagenet, tmp_path):
    path = written(imagenet | {"conv1.weight": torch.zeros(64, 4, 3, 3)}, tmp_path / "wide.pth")
    with pytest.raises(UserError, match=r"1 of \d+ tensors .* conv1\.weight is \(64, 4, 3, 3\) instead of \(64, 3, "):
        create_backbone(NAME, str(path))


def test_missing_and_damaged_files_are_named(imagenet, tmp_path):
    with pytest.raises(UserError, match=r"absent\.pth: no such file; model\.pretrained: give"):
        create_backbone(NAME, str(tmp_path / "absent.pth"))
    path = written(imagenet, tmp_path / "cut.pth")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"cut\.pth: is damaged"):
        create_backbone(NAME, str(path))


def test_random_weights_say_so():
    assert create_backbone(NAME)[2] == "random"


def test_without_a_network_timms_weights_stay_random_and_say_so(tmp_path):
    code = (
        "from digit.run.console import configure_logging; from digit.model.backbone import create_backbone;"
        f"configure_logging(); print(create_backbone({NAME!r}, 'timm')[2])"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "empty"), "PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | offline, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "random, because timm's weights could not be fetched"
    assert f"WARNING timm's ImageNet weights of {NAME} cannot be fetched" in result.stderr
