"""An engine from a file of weights, with what finds hands."""

from pathlib import Path

import torch

from digit.detector.detector import HandDetector
from digit.model.network import require_images_alone
from digit.predictor.engine import Engine, require_probability
from digit.predictor.predictor import load_model
from digit.predictor.results import as_text
from digit.run.console import log

SMALL_PARAMETERS = 10_000_000
"""Fewer parameters make a small network: presets ``small`` and ``tiny``."""


def open_engine(weights: Path, preset: str = "paper", hand_threshold: float = 0.5, detect: bool = True) -> Engine:
    """Load a network for prediction, on a GPU if there is one.

    A CPU sees one picture at a time, so that a run that was stopped and goes on leaves the files of a whole one. A
    small network takes one core of it: it would gain little by more, and finding hands, decoding and drawing need them.

    Args:
        weights: one of our checkpoints, the released weights or a checkpoint of the original.
        preset: size of the network where the checkpoint does not say.
        hand_threshold: a hand below this probability counts as absent.
        detect: whether hands are found; a log line says when the detector is not installed.

    Raises:
        UserError: when the checkpoint is a wrong one, also one that needs masks, or the threshold is no probability.
    """
    require_probability(hand_threshold)
    predictor = load_model(weights, preset=preset)
    require_images_alone(predictor.network, str(weights))
    if predictor.device.type == "cpu":
        if sum(parameter.numel() for parameter in predictor.network.parameters()) < SMALL_PARAMETERS:
            torch.set_num_threads(1)
        predictor.batch_size = 1  # there, the last bits of an answer depend on how many pictures are seen at once
    return Engine(predictor, _detector() if detect else None, hand_threshold, as_text(weights.name))


def _detector() -> HandDetector | None:
    """What finds hands, if it is installed."""
    if HandDetector.available():
        return HandDetector()
    log.warning("the hand detector is not installed (make setup does it); whole pictures are predicted")
    return None
