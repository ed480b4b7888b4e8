"""How much a network computes."""

import dataclasses
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from digit.config import ModelSettings
from digit.model.create import create_network
from digit.model.inference import to_inputs


@cache
def forward_gflop(settings: ModelSettings) -> float:
    """Count the 10^9 floating-point operations of one sample's forward pass, without computing or storing anything."""
    with torch.device("meta"):
        network = create_network(dataclasses.replace(settings, pretrained=None)).eval()
        batch = {
            "image": torch.empty(1, settings.input_size, settings.input_size, 3, dtype=torch.uint8),
            "color": torch.ones(1, 3),
            "segm": torch.empty(1, settings.mask_size, settings.mask_size, dtype=torch.uint8),
            "segm_valid": torch.ones(1),
        }
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(*to_inputs(batch, settings))
    return counter.get_total_flops() / 1e9
