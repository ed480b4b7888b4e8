"""Jitter and lag of the One-Euro filter, on moving hands whose true joints are known.

``python -m bench.smoothing``: hands of the embedded model that rest, move between sampled poses, wave across the
picture and rest again, at 30 frames a second, with noise as a network leaves it. Jitter is the second difference from
frame to frame of what is wrong with a joint; lag the delay by which true joints fit the filtered ones best.
"""

import numpy as np

from digit.hand.mano import load_hands
from digit.hand.open_hand.posing import pose_vector, sample_poses
from digit.predictor.hand_tracks import hand_sizes
from digit.predictor.one_euro import BETA, MIN_CUTOFF_HZ, OneEuro

RATE_HZ, SIZE_PX = 30.0, 200.0
NOISE = 0.02
"""Of a joint, in sizes of the hand."""
WAVES_PER_S, WAVE_SIZES = 0.8, 1.0
"""How often the hand sways, and how far to each side, in sizes of the hand."""
SETTINGS = ((1.0, 0.0), (1.0, 0.7), (1.0, 3.0), (1.0, 25.0), (MIN_CUTOFF_HZ, BETA))
"""Cut-off at rest in Hz, and beta; the last ones are those of ``digit predict``."""
DELAYS = np.arange(0, 8, 0.05)
"""In frames."""


def true_joints_px(rng: np.random.Generator, seconds: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Joints (n, 21, 2) px, and which frames (n,) are at rest: the first and the last quarter."""
    count = int(seconds * RATE_HZ)
    angles = sample_poses(rng, 2)
    time = np.linspace(0, 1, count)
    moving = (time > 0.25) & (time < 0.75)
    since_s = np.clip(time - 0.25, 0, 0.5) * seconds
    share = (0.5 - 0.5 * np.cos(2 * np.pi * WAVES_PER_S * since_s))[:, None, None]
    hand = load_hands()["right"]
    pose = np.concatenate([np.zeros((count, 3)), pose_vector((1 - share) * angles[0] + share * angles[1])], axis=1)
    vertices = hand.vertices_world_mm(pose, np.zeros((count, 10)), np.zeros((count, 3)))
    joints_mm = hand.joints_world_mm(vertices)[..., :2]
    joints_px = joints_mm * (SIZE_PX / hand_sizes(joints_mm[:1])[0])
    joints_px[..., 0] += WAVE_SIZES * SIZE_PX * np.sin(2 * np.pi * WAVES_PER_S * since_s)[:, None]
    return joints_px, ~moving


def measure(found_px: np.ndarray, true_px: np.ndarray, rest: np.ndarray) -> dict[str, float]:
    """Jitter and error at rest and in motion in % of the hand's size, and lag in ms."""
    wrong = np.linalg.norm(found_px - true_px, axis=-1) / SIZE_PX * 100
    shake = np.linalg.norm(np.diff(found_px - true_px, 2, axis=0), axis=-1) / SIZE_PX * 100
    frames = np.arange(len(true_px))
    flat = true_px.reshape(len(frames), -1)
    misfits = [
        np.mean((np.stack([np.interp(frames - delay, frames, column) for column in flat.T], 1) - found) ** 2)
        for found in [found_px.reshape(len(frames), -1)]
        for delay in DELAYS
    ]
    return {
        "jitter at rest": float(shake[rest[1:-1]].mean()),
        "jitter in motion": float(shake[~rest[1:-1]].mean()),
        "error at rest": float(wrong[rest].mean()),
        "error in motion": float(wrong[~rest].mean()),
        "lag, ms": float(DELAYS[int(np.argmin(misfits))] / RATE_HZ * 1e3),
    }


def run(sequences: int = 6) -> None:
    """Print a table in Markdown: means over sequences, without a filter and with several."""
    kinds: dict[str, dict[str, float] | None] = {"none": None}
    for min_cutoff_hz, beta in SETTINGS:
        kinds[f"{min_cutoff_hz:g} Hz, {beta:g}"] = {"min_cutoff_hz": min_cutoff_hz, "beta": beta}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for seed in range(sequences):
        rng = np.random.default_rng(seed)
        true_px, rest = true_joints_px(rng)
        seen_px = true_px + rng.normal(0, NOISE * SIZE_PX, true_px.shape)
        for name, settings in kinds.items():
            found_px = seen_px
            if settings is not None:
                one_euro = OneEuro(**settings)
                pairs = zip(seen_px, hand_sizes(seen_px), strict=True)
                found_px = np.array([one_euro(each, k / RATE_HZ, size) for k, (each, size) in enumerate(pairs)])
            rows[name].append(measure(found_px, true_px, rest))
    columns = list(rows["none"][0])
    print("| filter (cut-off at rest, beta) | " + " | ".join(columns) + " |")  # noqa: T201
    print("|" + " --- |" * (len(columns) + 1))  # noqa: T201
    for name, measured in rows.items():
        means = [f"{np.mean([each[column] for each in measured]):.2f}" for column in columns]
        print(f"| {name} | " + " | ".join(means) + " |")  # noqa: T201


if __name__ == "__main__":
    run()
