"""Files of tensors and plain values, read without running what they ask for: ours, released ones, Lightning's."""

import argparse
import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from digit.model.halves import is_safetensors, read_safetensors
from digit.run.errors import UserError

TRAIN = "train again (`snakemake --cores all train`), or download it again"


class _StandIn:
    """In place of a class that is not installed: keeps nothing and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


_OPTIONS = ("easydict.EasyDict", "pytorch_lightning.utilities.parsing.AttributeDict")
_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_NUMBER_TYPES = (np.float64, np.float32, np.int64, np.int32, np.bool_)
_CALLBACKS = (
    *("base.Callback", "early_stopping.EarlyStopping", "model_checkpoint.ModelCheckpoint", "timer.Timer"),
    *("finetuning.BackboneFinetuning", "finetuning.BaseFinetuning", "lambda_function.LambdaCallback"),
    *("gpu_stats_monitor.GPUStatsMonitor", "device_stats_monitor.DeviceStatsMonitor"),
    *("gradient_accumulation_scheduler.GradientAccumulationScheduler", "xla_stats_monitor.XLAStatsMonitor"),
    *("lr_logger.LearningRateLogger", "lr_monitor.LearningRateMonitor", "prediction_writer.BasePredictionWriter"),
    *("progress.ProgressBar", "progress.ProgressBarBase", "progress.base.ProgressBarBase", "progress.TQDMProgressBar"),
    *("progress.progress.ProgressBar", "progress.rich_progress.RichProgressBar", "progress.tqdm_progress.ProgressBar"),
    *("progress.tqdm_progress.TQDMProgressBar", "model_summary.ModelSummary", "rich_model_summary.RichModelSummary"),
    *("pruning.ModelPruning", "quantization.QuantizationAwareTraining"),
    "stochastic_weight_avg.StochasticWeightAveraging",
)
"""Lightning 1.x files a callback's state under its class."""
HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in _NUMBER_TYPES),
    *((OrderedDict, name) for name in _OPTIONS),
    *((_StandIn, f"pytorch_lightning.callbacks.{name}") for name in _CALLBACKS),
    *((np.float64(0).__reduce__()[0], name) for name in _SCALARS),
]
"""What Lightning checkpoints hold besides tensors: options, read as plain dictionaries, callbacks, single numbers."""


def read_weights(path: Path, remedy: str = TRAIN) -> dict[str, Any]:
    """Read a file of tensors and plain values; code in it is refused.

    Args:
        path: the file.
        remedy: what to do when it cannot be used.

    Raises:
        UserError: naming the file and what is wrong with it.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder, not a file of weights such as best.ckpt or a .pt; {remedy}")
    if not path.is_file():
        raise UserError(f"{path}: no such file; {remedy}")
    try:
        if is_safetensors(path):
            return read_safetensors(path, remedy)
        with warnings.catch_warnings(), torch.serialization.safe_globals(HARMLESS):
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # foreign bytes make the unpickler fail in every way there is
        if re.search(r"unsupported (global|class)", str(error), re.IGNORECASE):
            named = re.search(r"GLOBAL (\S+)", str(error))
            what = named.group(1) if named else "code"
            raise UserError(
                f"{path}: holds more than weights ({what}) and is refused; use a file you trust, or {remedy}"
            ) from error
        raise UserError(f"{path}: is damaged or no file of weights; {remedy}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, no dictionary of tensors; {remedy}")
    return content
