"""A moving average of the weights, evaluated and kept in their place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class WeightAverage:
    """Exponential moving average of a network's parameters; buffers are the network's own.

    Args:
        network: whose weights are averaged.
        decay: share of the average that stays at each step; less in the first steps, (1 + step) / (10 + step), so that
            the beginning is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        def blend(averages: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
            share = min(decay, (1 + int(steps)) / (10 + int(steps)))
            torch._foreach_lerp_(list(averages), list(weights), 1 - share)

        self._network = network
        self._average = AveragedModel(network, multi_avg_fn=torch.no_grad()(blend))

    def update(self) -> None:
        """Take an optimiser step's new weights in."""
        self._average.update_parameters(self._network)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the network for the time of the block."""
        parameters = list(self._network.parameters())
        own = [parameter.detach().clone() for parameter in parameters]
        with torch.no_grad():
            for parameter, average in zip(parameters, self._average.module.parameters(), strict=True):
                parameter.copy_(average)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(parameters, own, strict=True):
                    parameter.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The average, for a saved state."""
        return self._average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the average of a saved state."""
        self._average.load_state_dict(state)
