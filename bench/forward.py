"""Images per second of whole networks on a CPU: torch, ONNX Runtime and, where it is installed, OpenVINO.

``python -m bench.forward [THREADS]``: the weights that ship, and preset paper with random ones; pixels in, joints out.
The sides take turns and give the same answers; the best round counts. A table in Markdown.
"""

import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from digit.config import resolve
from digit.model.create import create_network
from digit.model.network import Network
from digit.model.onnx_export import INPUT, write_onnx
from digit.model.shipped import shipped_weights
from digit.model.weights import load_network

BATCHES = (1, 8)
ROUNDS, SECONDS = 5, 1.5
TOLERANCE = 0.02
"""Largest difference from torch as a share of the largest answer: random weights magnify rounding."""

Forward = Callable[[np.ndarray], np.ndarray]
"""From images (n, 3, size, size) float32 in [0, 1] to ``joint_xyz``."""


def by_torch(network: Network) -> Forward:
    """The network as ``digit predict`` runs it."""

    def forward(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).joint_xyz.numpy()

    return forward


def by_onnxruntime(path: Path, threads: int) -> Forward:
    """An ONNX file in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["joint_xyz"], {INPUT: images})[0]


def by_openvino(path: Path, threads: int) -> Forward:
    """An ONNX file in OpenVINO, in float32."""
    openvino = importlib.import_module("openvino")
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Core().compile_model(path, "CPU", settings)
    return lambda images: model([images])["joint_xyz"]


def sides(network: Network, folder: Path, threads: int) -> dict[str, Forward]:
    """What is measured, by name."""
    write_onnx(network, folder / "network.onnx")
    found = {
        "torch": by_torch(network),
        "ONNX Runtime": by_onnxruntime(folder / "network.onnx", threads),
    }
    if importlib.util.find_spec("openvino"):
        found["OpenVINO"] = by_openvino(folder / "network.onnx", threads)
    return found


def rates(forwards: dict[str, Forward], images: np.ndarray) -> dict[str, float]:
    """Images per second of each side."""
    answers = {name: forward(images) for name, forward in forwards.items()}
    for name, answer in answers.items():
        worst = np.abs(answer - answers["torch"]).max() / np.abs(answers["torch"]).max()
        assert worst < TOLERANCE, f"{name} differs from torch by {worst:.1%}"
    best = dict.fromkeys(forwards, 0.0)
    for _ in range(ROUNDS):
        for name, forward in forwards.items():
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < SECONDS:
                forward(images)
                count += len(images)
            best[name] = max(best[name], count / (time.perf_counter() - start))
    return best


def main(threads: int = 2) -> None:
    """Print the table."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for preset, network in {"small": load_network(shipped_weights()), "paper": _random("paper")}.items():
        size = network.settings.input_size
        with tempfile.TemporaryDirectory() as folder:
            forwards = sides(network, Path(folder), threads)
            for batch in BATCHES:
                images = np.random.default_rng(0).random((batch, 3, size, size), np.float32)
                rows[preset, batch] = rates(forwards, images)
    names = list(next(iter(rows.values())))
    lines = [f"| preset | images at once | {' | '.join(names)} |", "| --- " * (len(names) + 2) + "|"]
    for (preset, batch), found in rows.items():
        lines.append(f"| `{preset}` | {batch} | {' | '.join(f'{found[name]:.2f}' for name in names)} |")
    sys.stdout.write("\n".join(lines) + "\n")


def _random(preset: str) -> Network:
    settings = resolve({"experiments": {"it": {"preset": preset, "model": {"pretrained": None}}}})
    return create_network(settings.experiments["it"].model).eval()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
