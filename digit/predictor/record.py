"""Results as JSON has them; docs/predict.md explains every key."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from digit.predictor.engine import Crop, Result

FORMAT = "digit.pose/2"
NOTE = (
    "x_px, y_px: pixels of the picture as viewers show it, centres at integers; depth_mm: relative to that hand's "
    "wrist, positive away from the camera; left_root_minus_right_root_depth_mm only means something when both hands "
    "are present"
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
        "crops": [_crop(crop, result.hand_threshold) for crop in result.crops],
        "note": NOTE,
    }


def numbers(values: np.ndarray, digits: int) -> Any:
    """An array as lists of numbers with so many decimals."""
    return np.round(np.asarray(values, np.float64), digits).tolist()


def _crop(crop: "Crop", threshold: float) -> dict[str, Any]:
    return {
        "box_px": numbers(crop.square_px, 2),
        "box": crop.origin,
        "score": None if crop.score is None else round(float(crop.score), 4),
        "track": crop.track,
        **crop.pose.as_dict(threshold),
    }
