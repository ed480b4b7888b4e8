"""The network as an ONNX file, checked against torch before it gets its name."""

import dataclasses
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from digit import __version__
from digit.model.network import Network, Prediction
from digit.run.errors import UserError
from digit.run.files import replacing

INPUT = "images"
TOLERANCE = 1e-3
"""Largest difference between ONNX Runtime and torch, as a share of the largest value of an output."""
CHECKED_BATCHES = (1, 2, 3)
UNITS = {
    INPUT: "RGB in [0, 1], batch x 3 x height x width",
    "joint_xyz": "heat-map cells: x, y, depth, batch x 42 x 3",
    "rel_root_depth": "bins, batch x 1",
    "hand_logits": "logits of right and left hand, batch x 2",
    "segm_logits": "logits of background and 32 parts, batch x 33 x half height x half width",
    "joint_confidence": "share of each joint's heat near its mean, batch x 42",
}


def write_onnx(model: Network, path: Path) -> dict[str, float]:
    """Write a network in evaluation mode as ONNX for batches of any size.

    Settings and units are in the file's metadata.

    Returns:
        For each output, the largest difference from torch that the check found, as a share of its largest value.

    Raises:
        UserError: when ONNX Runtime's answers differ from torch's by more than ``TOLERANCE``; nothing is written.
    """
    size, names = model.settings.input_size, _output_names(model)
    for noisy in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),
            input_names=[INPUT],
            output_names=names,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None, "the exporter gives a program unless it is told to write a file"
    document = program.model_proto
    units = {name: UNITS[name] for name in (INPUT, *names)}
    document.producer_name, document.producer_version = "digit", __version__
    settings = json.dumps(dataclasses.asdict(dataclasses.replace(model.settings, pretrained=None)))
    onnx.helper.set_model_props(document, {"settings": settings, "units": json.dumps(units)})
    with replacing(path) as temporary:
        onnx.save(document, temporary)
        errors = compare(model, temporary)
        worst = max(errors, key=lambda name: errors[name])
        if not errors[worst] <= TOLERANCE:
            raise UserError(
                f"{path}: not written, because ONNX Runtime's {worst} differs from torch's by {errors[worst]:.1e}"
            )
    return errors


def compare(model: Network, path: Path) -> dict[str, float]:
    """Largest difference between an ONNX file and a network, by output, as a share of the output's largest value."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator, size = torch.Generator().manual_seed(0), model.settings.input_size
    errors = dict.fromkeys(_output_names(model), 0.0)
    for count in CHECKED_BATCHES:
        images = torch.rand(count, 3, size, size, generator=generator)
        with torch.inference_mode():
            expected = [output for output in model(images) if output is not None]
        for name, ours, theirs in zip(errors, session.run(None, {INPUT: images.numpy()}), expected, strict=True):
            difference = np.abs(ours - theirs.numpy()).max() / np.abs(theirs.numpy()).max()
            errors[name] = max(errors[name], float(difference))
    return errors


def _output_names(model: Network) -> list[str]:
    """What the network answers with; one that draws no parts has no part logits."""
    size = model.settings.input_size
    with torch.inference_mode():
        prediction = model(torch.zeros(1, 3, size, size))
    return [name for name in Prediction._fields if getattr(prediction, name) is not None]
