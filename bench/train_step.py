"""A training step: where its time goes, against a plain step and the processor's own peak, on a GPU or a CPU.

Needs torch, Lightning and timm, and of the small packages PyYAML, jsonschema, orjson and rich; no data: batches are
made up. With ``--config`` a prepared run's own loader is timed too, which needs the whole environment.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from digit.config import Experiment, resolve
from digit.model.create import create_network
from digit.model.flops import forward_gflop
from digit.model.inference import to_device, to_inputs
from digit.model.losses import digit_losses
from digit.model.network import Network
from digit.skeleton import JOINT_COUNT, LABEL_COUNT

Batch = dict[str, Tensor]
DTYPES = {"bf16": torch.bfloat16, "16": torch.float16, "32": torch.float32}
TARGETS = {"samples per second of a full step, preset paper, H200": 1500.0, "times faster than plain": 3.0}
MATRIX = {"cuda": 8192, "cpu": 1024}


def made_up_batch(experiment: Experiment, count: int, seed: int = 0) -> Batch:
    """A batch as the loader gives it: uint8 images, targets and masks."""
    random, model = torch.Generator().manual_seed(seed), experiment.model
    size, half = model.input_size, model.mask_size

    def uniform(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.rand(shape, generator=random) * scale

    return {
        "image": torch.randint(0, 256, (count, size, size, 3), generator=random, dtype=torch.uint8),
        "color": 0.8 + uniform(count, 3, scale=0.4),
        "joint_coord": uniform(count, JOINT_COUNT, 3, scale=model.heatmap_size),
        "joint_valid": torch.ones(count, JOINT_COUNT),
        "rel_root_depth": uniform(count, 1, scale=model.root_bins),
        "root_valid": torch.ones(count, 1),
        "hand_type": torch.ones(count, 2),
        "hand_type_valid": torch.ones(count, 1),
        "segm": torch.randint(0, LABEL_COUNT, (count, half, half), generator=random, dtype=torch.uint8),
        "segm_valid": torch.ones(count),
    }


class Step:
    """One side's training step.

    Args:
        experiment: the network and its optimiser settings.
        device: where it runs.
        precision: 32, 16 or bf16.
        plain: as it is done without care: float images made on the host and copied, no channels-last, no fused
            optimiser, no compilation, the loss read after every step.
        compiled: compile the network.
    """

    def __init__(
        self, experiment: Experiment, device: torch.device, precision: str, plain: bool, compiled: bool = False
    ) -> None:
        torch.manual_seed(0)
        self.experiment, self.device, self.precision, self.plain = experiment, device, precision, plain
        network = create_network(experiment.model).to(device)
        self.network: Network = network if plain else network.to(memory_format=torch.channels_last)
        self.run: Any = torch.compile(self.network) if compiled else self.network
        fused = not plain and device.type == "cuda"
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=experiment.training.lr, fused=fused)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "16")

    def loss(self, batch: Batch) -> Tensor:
        """Forward pass and loss."""
        if self.plain:
            images = batch["image"].permute(0, 3, 1, 2).contiguous().float() * batch["color"][:, :, None, None]
            inputs: tuple[Tensor, ...] = ((images.clamp(0, 255) / 255).to(self.device),)
            batch = {name: value.to(self.device) for name, value in batch.items() if name != "image"}
        else:
            batch = to_device(batch, self.device)
            inputs = to_inputs(batch, self.experiment.model)
        with torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "32"):
            prediction = self.run(*inputs)
        return torch.stack(list(digit_losses(prediction, batch, self.experiment.losses).values())).sum()

    def forward(self, batch: Batch) -> None:
        """Forward pass alone."""
        with torch.no_grad():
            self.loss(batch)

    def backward(self, batch: Batch) -> None:
        """Forward and backward pass."""
        self.scaler.scale(self.loss(batch)).backward()
        self.optimizer.zero_grad(set_to_none=True)

    def whole(self, batch: Batch) -> Tensor:
        """A whole optimiser step."""
        loss = self.loss(batch)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.plain:
            loss.item()
        return loss.detach()


def wait(device: torch.device) -> None:
    """Let a GPU finish."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(run: Callable[[], Any], device: torch.device, repetitions: int) -> float:
    """Median time of one call."""
    found = []
    for _ in range(repetitions):
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def peak_tflops(device: torch.device, precision: str) -> float:
    """Rate of a large matrix product in this precision, in this run."""
    side = MATRIX[device.type]
    matrix = torch.rand(side, side, device=device).to(DTYPES[precision])
    matrix @ matrix
    best = min(seconds(lambda: matrix @ matrix, device, 1) for _ in range(10))
    return 2 * side**3 / best / 1e12


@contextlib.contextmanager
def real_batches(files: list[str], experiment: str, count: int, workers: int) -> Iterator[Any]:
    """Batches of a prepared run, endlessly."""
    from torch.utils.data import DataLoader

    from digit.config import load_config
    from digit.samples.dataset import whole_batch
    from digit.samples.opening import open_dataset

    config = load_config(*files)
    settings = config.experiments[experiment]
    dataset, _ = open_dataset(config, "train", settings.model, augment=settings.augment)
    loader = DataLoader(
        dataset, count, shuffle=True, drop_last=True, collate_fn=whole_batch, num_workers=workers, pin_memory=True
    )
    yield cycle(loader)


def require_equal(ours: Step, plain: Step, batch: Batch) -> None:
    """Stop unless both sides have the same loss to begin with."""
    one, other = ours.loss(batch).item(), plain.loss(batch).item()
    tolerance = 2e-4 if ours.precision == "32" else 0.05
    assert abs(one - other) <= tolerance * abs(other), f"loss {one} here, {other} the plain way"


def run(
    experiment: Experiment, device: torch.device, precision: str, count: int, repetitions: int, compiled: bool
) -> dict[str, Any]:
    """Measure; the document of the last line."""
    plain_precision = "16" if device.type == "cuda" else "32"
    batch = made_up_batch(experiment, count)
    if device.type == "cuda":
        batch = {name: value.pin_memory() for name, value in batch.items()}
    ours = Step(experiment, device, precision, plain=False, compiled=compiled)
    plain = Step(experiment, device, plain_precision, plain=True)
    require_equal(ours, plain, batch)
    for step in (ours, plain):
        for _ in range(2):
            step.whole(batch)
    flop = 1e9 * forward_gflop(ours.network.settings)
    found: dict[str, float] = {}
    for name, call in {
        "forward": ours.forward,
        "forward and backward": ours.backward,
        "whole step": ours.whole,
    }.items():
        found[name] = count / seconds(lambda call=call: call(batch), device, repetitions)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    found["whole step"] = count / seconds(lambda: ours.whole(batch), device, repetitions)
    memory_gb = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else None
    theirs = count / seconds(lambda: plain.whole(batch), device, repetitions)
    peak = peak_tflops(device, precision)
    return {
        "name": "train_step",
        "unit": "ms per sample",
        "ours": 1e3 / found["whole step"],
        "plain": 1e3 / theirs,
        "ratio": found["whole step"] / theirs,
        "limit": 3 * flop / peak / 1e9,
        "n": count * repetitions,
        "n_plain": count * repetitions,
        "samples_per_s": found | {"plain whole step": theirs},
        "gflop_per_sample": {"forward": flop / 1e9, "whole step": 3 * flop / 1e9},
        "peak_tflops_of_a_matrix_product": peak,
        "share_of_peak": 3 * flop * found["whole step"] / 1e12 / peak,
        "gpu_memory_gb": memory_gb,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "precision": {"ours": precision, "plain": plain_precision},
        "compiled": compiled,
        "batch": count,
        "torch": torch.__version__,
    }


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Time a training step; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    on_gpu = torch.cuda.is_available()
    parser.add_argument("--preset", choices=["paper", "tiny"], default="paper" if on_gpu else "tiny")
    parser.add_argument("--precision", choices=list(DTYPES), default="bf16" if on_gpu else "32")
    parser.add_argument("--batch", type=int, default=128 if on_gpu else 16)
    parser.add_argument("--repetitions", type=int, default=20 if on_gpu else 5)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--config", action="append", default=[], help="a prepared run: time its loader too")
    parser.add_argument("--experiment", default="tiny", help="of that run")
    parser.add_argument("--workers", type=int, default=0, help="loader processes")
    options = parser.parse_args(words)
    device = torch.device("cuda" if on_gpu else "cpu")
    experiment = resolve({"experiments": {"bench": {"preset": options.preset}}}).experiments["bench"]
    document = run(experiment, device, options.precision, options.batch, options.repetitions, options.compile)
    document["preset"] = options.preset
    if options.config:
        step = Step(experiment, device, options.precision, plain=False, compiled=options.compile)
        with real_batches(options.config, options.experiment, options.batch, options.workers) as batches:
            step.whole(next(batches))
            spent = seconds(lambda: step.whole(next(batches)), device, options.repetitions)
        document["samples_per_s"]["whole step with the real loader"] = options.batch / spent
    rates = document["samples_per_s"]
    for name, rate in rates.items():
        sys.stdout.write(f"{name:34s} {rate:10.1f} samples/s\n")
    sys.stdout.write(
        f"{document['ratio']:.2f} x the plain step; {document['share_of_peak']:.0%} of a matrix product's "
        f"{document['peak_tflops_of_a_matrix_product']:.3g} TFLOP/s on {document['device']}\n"
    )
    if on_gpu and options.preset == "paper":
        for (what, bound), value in zip(TARGETS.items(), (rates["whole step"], document["ratio"]), strict=True):
            sys.stdout.write(
                f"{what}: {value:.3g}, target >= {bound:g}, {'met' if value >= bound else 'target missed'}\n"
            )
    sys.stdout.write(json.dumps(document) + "\n")
    return document


if __name__ == "__main__":
    main()
