"""The moving average of the weights, against its definition."""

import pytest
import torch

from digit.training.averaging import WeightAverage


def test_an_average_forgets_its_beginning_and_leaves_the_weights_alone():
    network = torch.nn.Linear(1, 1, bias=False)
    average, expected = WeightAverage(network, 0.9), None
    for step in range(120):
        weight = 100.0 if step == 0 else float(step % 7)
        network.weight.data.fill_(weight)
        average.update()
        share = min(0.9, (1 + step) / (10 + step))
        expected = weight if expected is None else share * expected + (1 - share) * weight
        with average.applied():
            assert network.weight.item() == pytest.approx(expected, abs=1e-4)
        assert network.weight.item() == weight
    assert 2 < expected < 4
