"""Compiling the network under training, and what happens where nothing can be compiled."""

import os
import shutil
import subprocess
import sys

import pytest

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
    from digit.model.module import can_compile

    assert can_compile()
