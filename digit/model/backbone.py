"""Image encoders: timm's HRNet up to its highest-resolution branch, any other network of timm with a neck
(:mod:`pyramid`), torchvision's ResNet up to its last maps.
"""

import logging
from collections import OrderedDict
from typing import Any

import timm
import torchvision
from torch import nn

from digit.model.pretrained import (
    HRNET_REMEDY,
    PACKAGES,
    PYRAMID_REMEDY,
    RANDOM,
    RESNET_REMEDY,
    load_file,
    load_from_package,
    load_from_timm,
    load_from_torchvision,
)
from digit.model.pyramid import Pyramid
from digit.run.errors import UserError


def is_hrnet(name: str) -> bool:
    """Whether a backbone is one of timm's HRNets, which need no neck."""
    return name.startswith("hrnet_")


def create_backbone(
    name: str, pretrained: str | None = None, neck: int = 64, size: int | None = None
) -> tuple[nn.Module, int, str]:
    """Build an image encoder with features at a quarter of the image's resolution.

    Args:
        name: one of timm's networks: an HRNet, or any other with a feature pyramid, which gets a neck.
        pretrained: None (random), ``"timm"``, a package of :data:`PACKAGES` or the path of ImageNet weights such as
            hrnet_w32-36af842e.pth. When timm's cannot be fetched, the weights stay random.
        neck: channels of the features, except an HRNet's.
        size: side S of the images in px, for networks that are made for one; None: their own.

    Returns:
        the module (images (B, 3, S, S) in [0, 1] to a list whose first item is (B, C, S/4, S/4)), C, and a
        description of where the weights come from, beginning with ``RANDOM`` if they are.

    Raises:
        UserError: for an unknown model or weights that do not fit.
    """
    return _hrnet(name, pretrained) if is_hrnet(name) else _pyramid(name, pretrained, neck, size)


def _hrnet(name: str, pretrained: str | None) -> tuple[nn.Module, int, str]:
    """The highest-resolution branch; parameter names equal the original network's.

    The last fusion produces only that branch: the layers that would feed the coarser ones are dropped,
    because parameters without a gradient break data-parallel training.
    """
    try:
        net: Any = timm.create_model(name, features_only=True, feature_location="", out_indices=(1,))
    except (RuntimeError, TypeError) as error:
        raise _unknown(name) from error
    channels: int = net.feature_info[1]["num_chs"]
    last = net.stage4[-1]
    last.fuse_layers = last.fuse_layers[:1]
    if pretrained == "timm":
        return net, channels, load_from_timm(net, name)
    return net, channels, load_file(net, name, pretrained, HRNET_REMEDY)


def _pyramid(name: str, pretrained: str | None, width: int, size: int | None) -> tuple[nn.Module, int, str]:
    """A network's levels and a neck. Weights are loaded into the whole classifier, of which timm takes the levels."""
    try:
        net = _features(name, size)
        if pretrained is None:
            return Pyramid(net, width), width, RANDOM
        classifier: Any = timm.create_model(name)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise _unknown(name) from error
    if pretrained == "timm":
        origin = load_from_timm(classifier, name)
    elif pretrained in PACKAGES:
        origin = load_from_package(classifier, name, pretrained)
    else:
        origin = load_file(classifier, name, pretrained, PYRAMID_REMEDY)
    logging.getLogger("timm.models._builder").setLevel(logging.ERROR)  # the classifier's last layers are left out
    given = {"state_dict": classifier.state_dict()}
    return Pyramid(_features(name, size, pretrained=True, pretrained_cfg_overlay=given), width), width, origin


def _features(name: str, size: int | None, **options: Any) -> Any:
    """A network that gives its levels; one that is made for one image size is made for this one."""
    try:
        return timm.create_model(name, features_only=True, img_size=size, **options)
    except TypeError:  # most take images of any size
        return timm.create_model(name, features_only=True, **options)


def _unknown(name: str) -> UserError:
    return UserError(
        f"model.backbone: {name!r} is no network of timm with a feature pyramid; try hrnet_w32 or tf_efficientnet_lite0"
    )


def create_resnet(name: str, pretrained: str | None = None) -> tuple[nn.Module, int, str]:
    """Build a ResNet without its classifier.

    Args:
        name: One of torchvision's, such as ``resnet50``; parameters keep their names.
        pretrained: None (random), ``"torchvision"`` (its IMAGENET1K_V1 weights, random when they cannot be fetched) or
            the path of such a file.

    Returns:
        the module (images (B, 3, S, S) to (B, C, S/32, S/32)), C, and where the weights come from, beginning with
        ``RANDOM`` if they are.

    Raises:
        UserError: for weights that do not fit.
    """
    whole = torchvision.models.get_model(name, weights=None)
    channels: int = whole.fc.in_features
    net = nn.Sequential(OrderedDict((k, v) for k, v in whole.named_children() if k not in ("avgpool", "fc")))
    if pretrained == "torchvision":
        return net, channels, load_from_torchvision(net, name)
    return net, channels, load_file(net, name, pretrained, RESNET_REMEDY)
