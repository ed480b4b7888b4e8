"""export network: weights for other software, as ONNX, in half precision, or in the layout of the released ones."""

import dataclasses
from pathlib import Path

import torch

from digit.config import Experiment
from digit.model.halves import SUFFIX, write_safetensors
from digit.model.network import Network, require_images_alone
from digit.model.weights import load_network, own_experiment, preset_settings, released_layout
from digit.model.weights_file import read_weights
from digit.run import provenance
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import replacing, require_writable


def export_network(checkpoint: Path, output: Path, preset: str | None = None) -> None:
    """Write a network for other software.

    As ``.onnx``; as ``.pt`` in the layout of the released weights; or as ``.safetensors`` in half precision and with
    its settings, which :func:`digit.load_model` reads.

    Args:
        checkpoint: the network's weights.
        output: the file to write or replace.
        preset: size of the network where the checkpoint does not say; None: the paper's.

    Raises:
        UserError: the checkpoint cannot be used, the ending is another one, the network needs masks (.onnx only),
            the file cannot be written, a weight is too large for half precision, or the ONNX file answers differently.
    """
    if output.suffix not in (".onnx", ".pt", SUFFIX):
        raise UserError(f"{output}: should end in .onnx, .pt or {SUFFIX}, which says what to write")
    if output.is_dir():
        raise UserError(f"{output}: is a folder; name the file to write")
    if output.exists() and checkpoint.exists() and output.samefile(checkpoint):
        raise UserError(f"{output}: is the checkpoint itself; choose another name")
    model = load_network(checkpoint, preset or "paper")
    if preset and model.settings != preset_settings(preset):
        log.warning("export: %s says how large its network is, so --preset %s is ignored", checkpoint, preset)
    if output.suffix == ".onnx":
        require_images_alone(model, str(checkpoint))
    require_writable(output)
    if output.suffix == ".onnx":
        from digit.model.onnx_export import write_onnx  # slow to import

        errors = write_onnx(model, output)
        worst = max(errors.values())
        log.info("export: %s; ONNX Runtime agrees with torch to %.1e of each output's range", output, worst)
        return
    try:
        if output.suffix == SUFFIX:
            _write_halves(checkpoint, output, model)
        else:
            with replacing(output) as temporary:
                torch.save(released_layout(model), temporary)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{output}: cannot be written ({error})") from error
    log.info("export: %s, %d tensors", output, len(model.state_dict()))
    if output.suffix == ".pt" and model.settings.fusion != "logits":
        log.warning(
            "%s: the released layout does not say that this network's model.fusion is %s; whoever loads it must",
            output, model.settings.fusion,
        )  # fmt: skip


def _write_halves(checkpoint: Path, output: Path, model: Network) -> None:
    own = own_experiment(read_weights(checkpoint), str(checkpoint))
    experiment = own or Experiment(model=dataclasses.replace(model.settings, pretrained=None))
    history = {"checkpoint_sha256": provenance.sha256(checkpoint), **provenance.software()}
    write_safetensors(output, released_layout(model), experiment, history)
