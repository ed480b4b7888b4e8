"""The training-step benchmark at its smallest, on a CPU."""

import json

import pytest
import torch

import bench.train_step
from bench.train_step import Step, made_up_batch, require_equal
from digit.config import resolve

TINY = resolve({"experiments": {"tiny": {"preset": "tiny"}}}).experiments["tiny"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the CPU's run is the test")
def test_the_last_line_is_the_promised_json(capsys):
    bench.train_step.main(["--preset", "tiny", "--batch", "2", "--repetitions", "1"])
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["ratio"] == pytest.approx(document["plain"] / document["ours"])
    assert 0 < document["share_of_peak"] < 1 and document["preset"] == "tiny"
    assert set(document["samples_per_s"]) == {"forward", "forward and backward", "whole step", "plain whole step"}


def test_sides_that_differ_are_noticed():
    one, other = (Step(TINY, torch.device("cpu"), "32", plain) for plain in (False, True))
    batch = made_up_batch(TINY, 2)
    require_equal(one, other, batch)
    with torch.no_grad():
        other.network.conv_hm.weight.add_(5.0)
    with pytest.raises(AssertionError, match="the plain way"):
        require_equal(one, other, batch)
