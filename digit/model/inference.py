"""Running the network over batches: device, input conversion, and arrays of predictions."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from digit.config import ModelSettings
from digit.model.network import Network, Prediction, needs_masks
from digit.skeleton import LABEL_COUNT


@dataclass(frozen=True)
class Outputs:
    """Predictions of n samples in heat-map cells and bins, with what part overlap needs."""

    row: np.ndarray
    """(n,) index rows."""
    joint_coord: np.ndarray
    """(n, 42, 3) float32 x, y, depth in heat-map cells."""
    rel_root_depth: np.ndarray
    """(n, 1) float32 bins."""
    hand_type: np.ndarray
    """(n, 2) float32 probabilities of the right and the left hand."""
    inv_trans: np.ndarray
    """(n, 2, 3) float32 crop to image px."""
    segm_confusion: np.ndarray
    """(33, 33) pixels by annotated (row) and predicted (column) label, over samples with a mask; 0 from a
    network that draws no parts, as in the two below."""
    overlap_px: np.ndarray
    """(n, 32) pixels where predicted and annotated part agree; 0 without a mask."""
    union_px: np.ndarray
    """(n, 32) pixels that have the part in either; 0 without a mask."""

    @classmethod
    def concatenate(cls, blocks: list["Outputs"]) -> "Outputs":
        """Join blocks of samples; the confusion matrices add up."""
        joined = {}
        for field in fields(cls):
            values = [getattr(block, field.name) for block in blocks]
            joined[field.name] = sum(values) if field.name == "segm_confusion" else np.concatenate(values)
        return cls(**joined)


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_input(batch: dict[str, Tensor]) -> Tensor:
    """Network input (B, 3, S, S) float32 RGB in [0, 1] of a batch of uint8 crops, on the batch's device.

    Colour factors come first, then clipping, then the division by 255; there is no mean and standard
    deviation normalisation, as in the original.
    """
    image = batch["image"].permute(0, 3, 1, 2).float() * batch["color"][:, :, None, None]
    return image.clamp_(0, 255).div_(255)


def to_inputs(batch: dict[str, Tensor], settings: ModelSettings) -> tuple[Tensor, ...]:
    """What a network of these settings takes of a batch: images and, if it :func:`needs_masks`, masks.

    A sample without a valid mask has a 0 in all 33 channels, which is another answer than background.
    """
    images = to_input(batch)
    if not needs_masks(settings):
        return (images,)
    one_hot = functional.one_hot(batch["segm"].long(), LABEL_COUNT).permute(0, 3, 1, 2)
    return images, one_hot * batch["segm_valid"][:, None, None, None]


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Move a batch, without waiting where the memory is pinned."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


@torch.inference_mode()
def run(model: Network, batches: Iterable[dict[str, Tensor]], device: torch.device) -> Outputs:
    """Predict every batch in evaluation mode; the model's own mode is restored afterwards."""
    training = model.training
    model.eval()
    blocks = [_run_batch(model, to_device(batch, device)) for batch in batches]
    model.train(training)
    return Outputs.concatenate(blocks)


@torch.no_grad()
def recalibrate_batch_norm(model: Network, batches: Iterable[dict[str, Tensor]], device: torch.device) -> None:
    """Replace the running statistics of batch normalisation by their plain mean over ``batches``.

    Weights do not change and training does not depend on running statistics, so this may be done at any time.
    In a process group each process takes its own batches, and the statistics are averaged.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta, training = [norm.momentum for norm in norms], model.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for batch in batches:
        model(*to_inputs(to_device(batch, device), model.settings))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)
    if torch.distributed.is_initialized():
        for norm in norms:
            for statistic in (norm.get_buffer("running_mean"), norm.get_buffer("running_var")):
                torch.distributed.all_reduce(statistic)
                statistic /= torch.distributed.get_world_size()


def count_parts(truth: Tensor, predicted: Tensor, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What part overlap needs of masks (B, H, W) int64: the last three fields of :class:`Outputs`.

    Samples that are not counted (B,) give 0.
    """
    confusion = _confusion(truth, predicted, counted)
    overlap = confusion[:, 1:, 1:].diagonal(dim1=1, dim2=2)
    union = confusion[:, 1:].sum(2) + confusion[:, :, 1:].sum(1) - overlap
    return confusion.sum(0), overlap, union


def _run_batch(model: Network, batch: dict[str, Tensor]) -> Outputs:
    prediction: Prediction = model(*to_inputs(batch, model.settings))
    # A network that draws no parts is not counted for background either.
    counted = (batch["segm_valid"] > 0) & (prediction.segm_logits is not None)
    drawn = batch["segm"].long() if prediction.segm_logits is None else prediction.segm_logits.argmax(1)
    arrays = (
        batch["row"],
        prediction.joint_xyz.float(),
        prediction.rel_root_depth.float(),
        prediction.hand_logits.float().sigmoid(),
        batch["inv_trans"],
        *count_parts(batch["segm"].long(), drawn, counted),
    )
    return Outputs(*(array.cpu().numpy() for array in arrays))


def _confusion(truth: Tensor, predicted: Tensor, counted: Tensor) -> Tensor:
    """Label pairs (B, 33, 33) of masks (B, H, W); samples that are not counted give 0."""
    samples = torch.arange(len(truth), device=truth.device)[:, None, None]
    pairs = (samples * LABEL_COUNT + truth) * LABEL_COUNT + predicted
    counts = torch.bincount(pairs.flatten(), minlength=len(truth) * LABEL_COUNT**2)
    return counts.view(-1, LABEL_COUNT, LABEL_COUNT) * counted[:, None, None]
