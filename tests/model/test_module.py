"""Schedules, compiling the network under training, and what happens where nothing can be compiled."""

import os
import shutil
import subprocess
import sys

import pytest

from digit.config import resolve
from digit.model.module import DigitModule, can_compile

TRAINS_A_STEP = """
import dataclasses, torch
from digit.config import resolve
from digit.run.console import configure_logging
from digit.model.module import DigitModule
configure_logging()
changes = {"preset": "tiny", "model": {"input_size": 64}, "training": {"compile": True}}
module = DigitModule(resolve({"experiments": {"tiny": changes}}).experiments["tiny"], steps=10)
module.configure_model()
module(torch.rand(2, 3, 64, 64)).joint_xyz.sum().backward()
print("trained a step")
"""


def test_without_a_compiler_the_network_runs_uncompiled_with_one_warning(tmp_path):
    environment = os.environ | {
        "CXX": str(tmp_path / "no-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "CUDA_VISIBLE_DEVICES": "",
    }
    result = subprocess.run(
        [sys.executable, "-c", TRAINS_A_STEP], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and "trained a step" in result.stdout, result.stderr
    warnings = [line for line in result.stderr.splitlines() if "WARNING" in line]
    assert len(warnings) == 1 and "torch cannot compile here" in warnings[0] and "no-compiler" in warnings[0]
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_with_a_compiler_nothing_stands_against_it():
    assert can_compile()


def rates(steps: int, **training) -> list[float]:
    """The learning rate of each step of a training."""
    changes = {"preset": "tiny", "training": {"schedule": "constant", "lr": 0.1, "max_epoch": 10, **training}}
    module = DigitModule(resolve({"experiments": {"tiny": changes}}).experiments["tiny"], steps)
    [optimizer], [schedule] = module.configure_optimizers()
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule["scheduler"].step()
    assert schedule["interval"] == "step"
    return found


def test_a_constant_schedule_warms_up_stays_and_falls_in_its_last_epochs():
    found = rates(100, warm_up_steps=4, decay_epochs=2)
    assert found[:6] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1])
    assert found[4:81] == pytest.approx([0.1] * 77)
    assert found[80:] == pytest.approx([0.1 * left / 20 for left in range(20, 0, -1)])


def test_a_constant_schedule_without_decay_stays():
    assert rates(30) == pytest.approx([0.1] * 30)
