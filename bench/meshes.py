"""Fitting the hand model to joints on one core, and how far fitted hands are from the true ones."""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench.measure import Result, Target, alternate, command, in_fresh_process, use_one_core
from bench.plain import meshes as plain
from digit.hand.mano import Hands, load_hands
from digit.hand.open_hand.posing import LIMITS_DEG, pose_vector, sample_poses
from digit.mesh.fit import Fitter
from digit.skeleton import HANDS

BATCH = 32
NOISE_MM = (0, 5, 10)
TIMED_NOISE_MM = 10
"""Noise of the joints that are timed: about what a network leaves."""
MS_PER_HAND = 20
MEAN_JOINTS_MM = 2
"""How close joints of the model itself must be met."""


def run(
    folder: Path,
    samples: Annotated[int, typer.Option(help="Hands to fit, in batches of 32.")] = 512,
    samples_plain: Annotated[int, typer.Option(help="Hands to fit the plain way.")] = 4,
    repetitions: Annotated[int, typer.Option(help="Of each side.")] = 3,
) -> Result:
    """Fit ``samples`` hands, the plain way ``samples_plain`` of them."""
    return in_fresh_process(_measure, samples, samples_plain, repetitions)


def _measure(samples: int, samples_plain: int, repetitions: int) -> Result:
    use_one_core()
    hands, rng = load_hands(), np.random.default_rng(0)
    fitter = Fitter(hands)
    sides = np.array(HANDS)[np.arange(samples) % 2]
    extra: dict[str, Any] = {}
    for kind, angles_deg in (
        ("natural", sample_poses(rng, samples)),
        ("any", rng.uniform(*np.moveaxis(LIMITS_DEG, -1, 0), (samples, 5, 5))),
    ):
        vertices, joints = made_up_hands(hands, sides, angles_deg, rng)
        for noise_mm in NOISE_MM:
            given = joints + rng.normal(0, noise_mm, joints.shape)
            fits = fitter(given, sides.tolist())
            extra |= {
                f"{kind} {noise_mm} mm: {what}": float(np.linalg.norm(one - other, axis=2).mean())
                for what, one, other in (
                    ("given joints to true", given, joints),
                    ("fitted joints to given", fits.joints_cam_mm, given),
                    ("fitted joints to true", fits.joints_cam_mm, joints),
                    ("fitted vertices to true", fits.vertices_cam_mm, vertices),
                )
            }
        if kind == "natural":
            exact, noisy = joints, joints + rng.normal(0, TIMED_NOISE_MM, joints.shape)
    few = range(samples_plain)
    for row in few:
        theirs = np.linalg.norm(plain.fit(hands[sides[row]], exact[row]) - exact[row], axis=1).mean()
        assert theirs < MEAN_JOINTS_MM, f"the plain side is {theirs:.1f} mm off"
    best = {
        side: min(times)
        for side, times in alternate(
            {
                "ours": lambda: _in_batches(fitter, noisy, sides),
                "plain": lambda: [plain.fit(hands[sides[row]], noisy[row]) for row in few],
            },
            repetitions,
        ).items()
    }
    before = time.process_time()
    _in_batches(fitter, noisy, sides)
    extra["cpu_ms_per_hand"] = (time.process_time() - before) / samples * 1e3
    ours_ms, plain_ms = best["ours"] / samples * 1e3, best["plain"] / samples_plain * 1e3
    targets = (
        Target("ms of CPU time per hand in batches of 32", extra["cpu_ms_per_hand"], MS_PER_HAND, False),
        Target("mm from joints of the model", extra["any 0 mm: fitted joints to true"], MEAN_JOINTS_MM, False),
    )
    return Result("meshes", "ms per hand", ours_ms, plain_ms, None, samples, samples_plain, targets, extra)


def made_up_hands(
    hands: Hands, sides: np.ndarray, angles_deg: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 778, 3) and joints (n, 21, 3) of hands of any shape and direction, 0.6 m before the camera, mm."""
    count = len(sides)
    vertices, joints = np.empty((count, 778, 3)), np.empty((count, 21, 3))
    orient, betas = rng.normal(0, 1.5, (count, 3)), np.clip(rng.normal(size=(count, 10)), -2.5, 2.5)
    trans_m = rng.normal(0, 0.05, (count, 3)) + [0, 0, 0.6]
    for side in HANDS:
        rows = sides == side
        pose = np.concatenate([orient[rows], pose_vector(angles_deg[rows], side)], axis=1)
        vertices[rows] = hands[side].vertices_world_mm(pose, betas[rows], trans_m[rows])
        joints[rows] = hands[side].joints_world_mm(vertices[rows])
    return vertices, joints


def _in_batches(fitter: Fitter, joints: np.ndarray, sides: np.ndarray) -> None:
    for start in range(0, len(joints), BATCH):
        fitter(joints[start : start + BATCH], sides[start : start + BATCH].tolist())


if __name__ == "__main__":
    command(run)
