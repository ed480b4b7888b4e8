"""export network: weights for other software, as ONNX or in the layout of the released ones."""

from pathlib import Path

import torch

from digit.model.network import require_images_alone
from digit.model.weights import load_network, preset_settings, released_layout
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import replacing, require_writable


def export_network(checkpoint: Path, output: Path, preset: str | None = None) -> None:
    """Write a network as ``.onnx``, or as ``.pt`` in the layout of the released weights.

    Args:
        checkpoint: the network's weights.
        output: the file to write or replace.
        preset: size of the network where the checkpoint does not say; None: the paper's.

    Raises:
        UserError: the checkpoint cannot be used, the ending is another one, the network needs masks (.onnx only),
            the file cannot be written, or the ONNX file answers differently.
    """
    if output.suffix not in (".onnx", ".pt"):
        raise UserError(f"{output}: should end in .onnx or .pt, which says what to write")
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
    if output.suffix == ".pt":
        try:
            with replacing(output) as temporary:
                torch.save(released_layout(model), temporary)
        except (OSError, RuntimeError) as error:
            raise UserError(f"{output}: cannot be written ({error})") from error
        log.info("export: %s, %d tensors in the released layout", output, len(model.state_dict()))
        if model.settings.fusion != "logits":
            log.warning(
                "%s: the released layout does not say that this network's model.fusion is %s; whoever loads it must",
                output, model.settings.fusion,
            )  # fmt: skip
        return
    from digit.model.onnx_export import write_onnx  # slow to import

    errors = write_onnx(model, output)
    log.info("export: %s; ONNX Runtime agrees with torch to %.1e of each output's range", output, max(errors.values()))
