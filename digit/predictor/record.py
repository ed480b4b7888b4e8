"""Results as JSON has them; docs/predict.md explains every key."""

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from digit.pages.inline import label_png
from digit.predictor.pose import joints_by_name
from digit.skeleton import HANDS, JOINT_HAND

if TYPE_CHECKING:
    from digit.predictor.engine import Result

FORMAT = "digit.pose/2"
CAMERA_KEYS = ("x_cam_mm", "y_cam_mm", "z_cam_mm")
NOTE = (
    "x_px, y_px: pixels of the picture as viewers show it, centres at integers; depth_mm: relative to that hand's "
    "wrist, positive away from the camera; left_root_minus_right_root_depth_mm only means something when both hands "
    "are present; confidence: share of a joint's heat near its mean; x_cam_mm, y_cam_mm, z_cam_mm: right, down and "
    "away from the camera, null for absent hands"
)


def record_of(result: "Result") -> dict[str, Any]:
    """One picture's result: camera, crops, hands and joints by their names."""
    picture, camera = result.picture, result.picture.camera
    height, width = picture.pixels.shape[:2]
    return {
        "format": FORMAT,
        "image": picture.name,
        "width": width,
        "height": height,
        "frame": picture.frame,
        "time_s": picture.time_s,
        "checkpoint": result.checkpoint,
        "hand_threshold": result.hand_threshold,
        "camera": {
            "focal_px": numbers(camera.focal_px, 2),
            "princpt_px": numbers(camera.princpt_px, 2),
            "focal_from": camera.focal_from,
        },
        "crops": [_crop(result, number) for number in range(len(result.crops))],
        "note": NOTE,
    }


def numbers(values: np.ndarray, digits: int) -> Any:
    """An array as lists of numbers with so many decimals."""
    return np.round(np.asarray(values, np.float64), digits).tolist()


def _crop(result: "Result", number_of_crop: int) -> dict[str, Any]:
    crop, threshold = result.crops[number_of_crop], result.hand_threshold
    record = {
        "box_px": numbers(crop.square_px, 2),
        "box": crop.origin,
        "score": None if crop.score is None else round(float(crop.score), 4),
        **crop.pose.as_dict(threshold),
        "parts": _parts(crop.pose.present_parts(threshold), crop.pose.parts_to_image),
    }
    for number, hand in enumerate(record["hands"].values()):
        source = crop.space.scale_from[number] if hand["present"] else None
        points = crop.space.joints_cam_mm[number == JOINT_HAND].T
        placed = joints_by_name(dict(zip(CAMERA_KEYS, points, strict=True))) if source else {}
        hand["track"] = crop.tracks[number]
        hand["scale_from"] = source
        hand["mano"] = _mano(result, len(HANDS) * number_of_crop + number)
        for name, joint in hand["joints"].items():
            joint |= placed.get(name, dict.fromkeys(CAMERA_KEYS))
    return record


def _mano(result: "Result", row: int) -> dict[str, Any] | None:
    """The model fitted to a hand, None where there is none."""
    if result.fits is None or not result.fits.fitted[row]:
        return None
    return result.fits.mano_parameters(row) | {"fit_error_mm": round(float(result.fits.fit_error_mm[row]), 3)}


def _parts(labels: np.ndarray | None, to_image: np.ndarray) -> dict[str, Any] | None:
    """Part labels of a crop as a PNG of a palette, and the map of its px to those of the picture."""
    if labels is None:
        return None
    return {"labels_png": base64.b64encode(label_png(labels)).decode("ascii"), "to_image": numbers(to_image, 6)}
