"""What a run of predict leaves, of open hands whose joints are known, so that there is something to see."""

from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import digit
from digit.figures import color_mask
from digit.hand.mano import Hands
from digit.pages.files import picture_path
from digit.pages.inline import label_png
from digit.pages.views import save_view
from digit.predictor.results import OVERLAY_SUFFIX, POSE_SUFFIX, write_overlay
from digit.run.files import write_json
from digit.skeleton import HAND_JOINT_NAMES, HANDS

FOCAL_PX = 700.0


def make_record(name: str, seed: int, size: tuple[int, int] = (640, 480)) -> tuple[dict[str, Any], np.ndarray]:
    """Record and picture of one or two hands; every fifth picture shows none."""
    rng = np.random.default_rng(seed)
    width, height = size
    shown = () if seed % 5 == 4 else (HANDS, HANDS[:1], HANDS[1:])[seed % 3]
    models = _open_hands()
    posed = {
        hand: digit.pose_hand(
            models[hand],
            [-1.57, *rng.normal(0, 0.3, 2), *rng.normal(0, 0.15, 45)],
            trans_m=((0.07, -0.07)[HANDS.index(hand)], 0.08, 0.6),
        )
        for hand in shown
    }
    camera = digit.Camera((FOCAL_PX,) * 2, ((width - 1) / 2, (height - 1) / 2), width, height)
    labels = digit.render_parts(list(posed.values()), camera) if posed else np.zeros((height, width), np.uint8)
    picture = color_mask(labels, background=(90, 100, 110))
    picture = np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)
    hands = {hand: _hand(rng, camera, posed.get(hand)) for hand in HANDS}
    parts = b64encode(label_png(labels[::4, 80:560:4])).decode()
    record = {
        "format": "digit.pose/2", "image": name, "width": width, "height": height, "frame": None, "time_s": None,
        "checkpoint": "best.ckpt", "hand_threshold": 0.5,
        "camera": {"focal_px": [FOCAL_PX] * 2, "princpt_px": list(camera.princpt_px), "focal_from": "given"},
        "crops": [
            {"box_px": [80.0, 0.0, 480.0, 480.0], "box": "whole image", "score": None, "track": None,
             "left_root_minus_right_root_depth_mm": 0.0, "hands": hands,
             "parts": {"labels_png": parts, "to_image": [[4.0, 0, 80], [0, 4.0, 0]]}}
        ],
        "note": "",
    }  # fmt: skip
    return record, picture


@cache
def _open_hands() -> Hands:
    return digit.load_hands("open")


def write_run(output: Path, names: list[str], size: tuple[int, int] = (640, 480)) -> list[Path]:
    """Write the results of a picture for each name, as predict does; returns the pose files."""
    written = []
    for seed, name in enumerate(names):
        record, picture = make_record(name, seed, size)
        base = name.rpartition(".")[0]
        save_view(picture_path(output, base), picture)
        write_overlay(output / f"{base}{OVERLAY_SUFFIX}", picture)
        written.append(output / f"{base}{POSE_SUFFIX}")
        write_json(written[-1], record)
    return written


def _hand(rng: np.random.Generator, camera: digit.Camera, posed: digit.PosedHand | None) -> dict[str, Any]:
    seen = np.full((21, 3), 1000.0) if posed is None else camera.see(posed.joints_world_mm)
    px = (seen[:, :2] / seen[:, 2:] * FOCAL_PX + camera.princpt_px).round(3).tolist()
    points, sure = seen.round(3).tolist(), rng.uniform(0.4, 1, 21).round(4).tolist()
    joints = {
        name: {
            "x_px": px[k][0], "y_px": px[k][1], "depth_mm": points[k][2] - points[20][2], "confidence": sure[k],
            "x_cam_mm": points[k][0], "y_cam_mm": points[k][1], "z_cam_mm": points[k][2],
        }
        for k, name in enumerate(HAND_JOINT_NAMES)
    }  # fmt: skip
    mano = {"global_orient": [0.1, 0.2, 0.3], "hand_pose": [0.01] * 45, "betas": [0.0] * 10}
    mano |= {"transl_mm": [1.0, 2.0, 500.0], "fit_error_mm": 3.25}
    return {
        "probability": 0.97 if posed else 0.03, "present": posed is not None, "scale_from": "assumed",
        "joints": joints, "mano": mano if posed else None,
    }  # fmt: skip
