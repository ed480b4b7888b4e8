"""Scoring predictions the plain way: sample by sample, joint by joint."""

from typing import Any

import numpy as np

from digit.config import ModelSettings
from digit.model.inference import Outputs


def score(samples: list[dict[str, Any]], outputs: Outputs, settings: ModelSettings) -> dict[str, float]:
    """Mean errors of predictions for ``samples``, which are as :func:`bench.plain.index.open_split` makes them."""
    errors: dict[str, list[list[float]]] = {kind: [[] for _ in range(42)] for kind in ("sh", "ih")}
    aligned: dict[str, list[list[float]]] = {kind: [[] for _ in range(42)] for kind in ("sh", "ih")}
    root_errors: list[float] = []
    right_hands: list[bool] = []
    overlap, union = np.zeros(32), np.zeros(32)
    cells, size = settings.heatmap_size, settings.input_size
    for place, sample in enumerate(samples):
        joints = outputs.joint_coord[place].astype(np.float64).copy()
        matrix, depths = outputs.inv_trans[place], [sample["abs_depth"]["right"], sample["abs_depth"]["left"]]
        interacting = bool(sample["hand_type"][0] and sample["hand_type"][1])
        joints[:, :2] = joints[:, :2] / cells * size
        for joint in range(42):
            joints[joint, :2] = np.dot(matrix, np.array([joints[joint, 0], joints[joint, 1], 1.0]))
        joints[:, 2] = (joints[:, 2] / cells * 2 - 1) * (settings.depth_box_mm / 2)
        rel_depth = (outputs.rel_root_depth[place, 0] / settings.root_bins * 2 - 1) * (settings.root_box_mm / 2)
        left_root = joints[41].copy()
        left_root[2] += depths[0] + rel_depth
        joints[:21, 2] += depths[0]
        joints[21:, 2] += depths[1]
        predicted, left_root = _to_camera(joints, sample), _to_camera(left_root[None], sample)[0]
        truth, valid = sample["cam_coord"], sample["joint_valid"]
        if interacting and valid[20] and valid[41]:
            difference = (left_root - predicted[20]) - (truth[41] - truth[20])
            root_errors.append(float(np.sqrt(np.sum(difference**2))))
        kind = "ih" if interacting else "sh"
        for first in (0, 21):
            hand = [joint for joint in range(first, first + 21) if valid[joint]]
            if len(hand) >= 3:
                moved = _align(predicted[hand], truth[hand])
                for joint, error in zip(hand, np.linalg.norm(moved - truth[hand], axis=1), strict=True):
                    aligned[kind][joint].append(float(error))
        predicted, truth = _move_roots(predicted), _move_roots(truth)
        for joint in range(42):
            if valid[joint]:
                error = np.sqrt(np.sum((predicted[joint] - truth[joint]) ** 2))
                errors[kind][joint].append(float(error))
        if sample["hand_type_valid"][0]:
            called = outputs.hand_type[place] > 0.5
            right_hands.append(bool(called[0] == sample["hand_type"][0] and called[1] == sample["hand_type"][1]))
        overlap += outputs.overlap_px[place]
        union += outputs.union_px[place]
    return {
        "mpjpe_sh": _mean_of_means(errors["sh"]),
        "mpjpe_ih": _mean_of_means(errors["ih"]),
        "mpjpe_all": _mean_of_means([a + b for a, b in zip(errors["sh"], errors["ih"], strict=True)]),
        "pa_mpjpe_all": _mean_of_means([a + b for a, b in zip(aligned["sh"], aligned["ih"], strict=True)]),
        "mrrpe": float(np.mean(root_errors)),
        "handedness_accuracy": float(np.mean(right_hands)),
        "part_iou": float(np.mean([a / b for a, b in zip(overlap, union, strict=True) if b])),
    }


def _to_camera(joints: np.ndarray, sample: dict[str, Any]) -> np.ndarray:
    """Image px and depth in mm to camera mm."""
    xy = (joints[:, :2] - sample["princpt"]) / sample["focal"] * joints[:, 2:]
    return np.concatenate([xy, joints[:, 2:]], axis=1)


def _align(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Points (m, 3) rotated, scaled and shifted onto their targets (m, 3) by a singular value decomposition."""
    centred, wanted = points - points.mean(axis=0), target - target.mean(axis=0)
    left, values, right = np.linalg.svd(centred.T @ wanted)
    sign = np.array([1, 1, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    return centred @ (left * sign) @ right * (np.sum(values * sign) / np.sum(centred**2)) + target.mean(axis=0)


def _move_roots(joints: np.ndarray) -> np.ndarray:
    """Each hand's wrist moved to the origin."""
    return np.concatenate([joints[:21] - joints[20], joints[21:] - joints[41]])


def _mean_of_means(errors: list[list[float]]) -> float:
    return float(np.mean([np.mean(values) for values in errors if values]))
