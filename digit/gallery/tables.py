"""Poses as tables: a CSV row for each joint, arrays of MANO parameters."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from digit import __version__
from digit.pages.entry import present_hands
from digit.run.files import replacing
from digit.skeleton import HAND_JOINT_NAMES

OF_JOINT = ("x_px", "y_px", "depth_mm", "confidence", "x_cam_mm", "y_cam_mm", "z_cam_mm")
COLUMNS = ("image", "frame", "crop", "hand", "probability", "joint", *OF_JOINT)
MANO_SIZES = {"global_orient": 3, "hand_pose": 45, "betas": 10, "transl_mm": 3}


def write_csv(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a row for each joint of each hand that is present; the columns are those of the pose files."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for record in records:
            for crop, hand, known in present_hands(record):
                first = [record["image"], record["frame"], crop, hand, known["probability"]]
                joints = known["joints"]
                writer.writerows([*first, name, *(joints[name][key] for key in OF_JOINT)] for name in HAND_JOINT_NAMES)


def write_mano(path: Path, records: Iterable[dict[str, Any]]) -> bool:
    """Write the MANO parameters of all fitted hands as arrays with a row for each; nothing when none was fitted.

    Returns:
        Whether there is anything.
    """
    rows = [
        (record, crop, hand, known["mano"])
        for record in records
        for crop, hand, known in present_hands(record)
        if known.get("mano")
    ]
    if not rows:
        return False
    arrays: dict[str, np.ndarray] = {
        "software": np.array(f"digit {__version__}"),
        "image": np.array([record["image"] for record, *_ in rows]),
        "frame": np.array([-1 if record["frame"] is None else record["frame"] for record, *_ in rows]),
        "crop": np.array([crop for _, crop, _, _ in rows]),
        "is_right": np.array([hand == "right" for _, _, hand, _ in rows]),
        "focal_px": np.array([record["camera"]["focal_px"] for record, *_ in rows]),
        "princpt_px": np.array([record["camera"]["princpt_px"] for record, *_ in rows]),
        "fit_error_mm": np.array([mano["fit_error_mm"] for *_, mano in rows]),
    }
    for name, size in MANO_SIZES.items():
        arrays[name] = np.array([mano[name] for *_, mano in rows], dtype=np.float64).reshape(len(rows), size)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return True
