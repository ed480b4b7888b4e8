"""Annotations the plain way: pickled dictionaries, and one dictionary per sample in every process."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from digit.run.layout import annotation_path

KINDS = ("data", "camera", "joint_3d")


def pickle_annotations(root: Path, split: str, folder: Path) -> None:
    """Parse each JSON file as a whole and pickle it."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        with annotation_path(root, split, kind).open() as file:
            document = json.load(file)
        with (folder / f"{kind}.pkl").open("wb") as file:
            pickle.dump(document, file)


def pickle_fits(names: list[str], errors_mm: np.ndarray, folder: Path) -> None:
    """Pickle the fit errors (n, 2) of images as a dictionary of dictionaries."""
    fits = {name: {"right": right, "left": left} for name, (right, left) in zip(names, errors_mm.tolist(), strict=True)}
    with (folder / "fits.pkl").open("wb") as file:
        pickle.dump(fits, file)


def open_split(folder: Path) -> list[dict[str, Any]]:
    """One dictionary per sample: single hands first, then interacting ones."""
    documents = {}
    for kind in (*KINDS, "fits"):
        with (folder / f"{kind}.pkl").open("rb") as file:
            documents[kind] = pickle.load(file)
    images = {image["id"]: image for image in documents["data"]["images"]}
    single: list[dict[str, Any]] = []
    interacting: list[dict[str, Any]] = []
    for annotation in documents["data"]["annotations"]:
        image = images[annotation["image_id"]]
        capture, camera, frame = str(image["capture"]), image["camera"], str(image["frame_idx"])
        cameras = documents["camera"][capture]
        position = np.array(cameras["campos"][camera], dtype=np.float64)
        rotation = np.array(cameras["camrot"][camera], dtype=np.float64)
        focal, princpt = np.array(cameras["focal"][camera]), np.array(cameras["princpt"][camera])
        joints_world = np.array(documents["joint_3d"][capture][frame]["world_coord"], dtype=np.float64)
        joints_cam = (rotation @ (joints_world - position).T).T
        joints_image = joints_cam[:, :2] / joints_cam[:, 2:] * focal + princpt
        valid = np.array(annotation["joint_valid"], dtype=np.float64).reshape(42)
        valid[:21] *= valid[20]
        valid[21:] *= valid[41]
        kind = annotation["hand_type"]
        sample = {
            "path": image["file_name"],
            "box": np.array(annotation["bbox"], dtype=np.float64),
            "cam_coord": joints_cam,
            "image_coord": joints_image,
            "joint_valid": valid,
            "hand_type": np.array([kind != "left", kind != "right"], dtype=np.float32),
            "hand_type_valid": np.array([annotation["hand_type_valid"]], dtype=np.float32),
            "abs_depth": {"right": joints_cam[20, 2], "left": joints_cam[41, 2]},
            "fit_error": documents["fits"].get(image["file_name"]),
            "size": (image["width"], image["height"]),
            "focal": focal,
            "princpt": princpt,
            "capture": capture,
            "cam": camera,
            "frame": frame,
        }
        (interacting if kind == "interacting" else single).append(sample)
    return single + interacting
