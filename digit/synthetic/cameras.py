"""Calibrated cameras on a dome around the hands."""

from dataclasses import dataclass

import numpy as np

SUBJECT_MM = np.array([0.0, 0.0, 1050.0])
"""Where the hands are, world frame."""

LONG_SIDE_PX, SHORT_SIDE_PX = 512, 334

ANGLES_DEG = {
    "narrow": ((-30.0, 30.0), (-15.0, 30.0)),
    "wide": ((-60.0, 60.0), (-25.0, 50.0)),
    "all": ((-180.0, 180.0), (-75.0, 75.0)),
}
"""Azimuth and elevation limits of each kind of view."""

UPRIGHT_SHARE = 0.4
"""Share of the cameras of views ``all`` that are held more or less upright; the others at any angle."""

SIZES_PX = ((320, 320), (352, 272), (272, 352))
"""Widths and heights of pictures through any lens: enough around the hands for every crop, and no more."""

DISTANCE_MM, PX_PER_MM = (330.0, 1150.0), (0.6, 1.1)
"""How far cameras with any lens stand, and how large they show the subject."""

GREY_EVERY = 6
"""One camera in this many is grey; their names start with 41 as in the release."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: X_cam = rotation @ (X_world - position_mm), u = focal x / z + princpt."""

    name: str
    rotation: np.ndarray
    position_mm: np.ndarray
    focal_px: np.ndarray
    princpt_px: np.ndarray
    width: int
    height: int
    grey: bool


def make_cameras(rng: np.random.Generator, count: int, views: str, any_lens: bool = False) -> list[Camera]:
    """``count`` cameras looking at the subject; their azimuths and elevations form a jittered Latin square.

    They are the studio's, a metre away with a long lens, or with ``any_lens`` from as near as a phone is held.
    """
    (west, east), (low, high) = ANGLES_DEG[views]
    columns, rows = rng.permutation(count), rng.permutation(count)
    grey_start = int(rng.integers(GREY_EVERY))
    cameras = []
    for k in range(count):
        azimuth = west + (east - west) * (columns[k] + rng.random()) / count
        elevation = low + (high - low) * (rows[k] + rng.random()) / count
        grey = k % GREY_EVERY == grey_start
        name = f"{410001 + k if grey else 400002 + k}"
        roll = rng.uniform(-180, 180) if views == "all" and rng.random() >= UPRIGHT_SHARE else None
        pose = _any_lens if any_lens else _studio_lens
        cameras.append(Camera(name, *pose(rng, azimuth, elevation, roll), grey))
    return cameras


def look_at(position_mm: np.ndarray, target_mm: np.ndarray, roll_rad: float) -> np.ndarray:
    """World-to-camera rotation (3, 3), right-handed, z towards the target, y down when ``roll_rad`` is 0."""
    forward = (target_mm - position_mm) / np.linalg.norm(target_mm - position_mm)
    side = np.cross((0.0, 1.0, 0.0), forward)
    side /= np.linalg.norm(side)
    down = np.cross(forward, side)
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    return np.stack([cos * side + sin * down, cos * down - sin * side, forward])


def _direction(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """Unit vector (3,) from the subject to a camera."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    return np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), -np.cos(azimuth) * np.cos(elevation)])


Optics = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int]
"""Rotation, position, focal lengths, principal point, width and height of a camera."""


def _studio_lens(rng: np.random.Generator, azimuth: float, elevation: float, roll: float | None) -> Optics:
    position_mm = SUBJECT_MM + rng.uniform(950, 1110) * _direction(azimuth, elevation)
    target_mm = SUBJECT_MM + rng.normal(0, 12, 3)
    rotation = look_at(position_mm, target_mm, np.radians(rng.normal(0, 3) if roll is None else roll))
    width, height = (LONG_SIDE_PX, SHORT_SIDE_PX) if rng.random() < 0.5 else (SHORT_SIDE_PX, LONG_SIDE_PX)
    focal_px = rng.uniform(1180, 1290) * (1 + np.array([0.0, rng.normal(0, 0.0004)]))
    princpt_px = np.array([width, height]) / 2 + rng.normal(0, 8, 2)
    return rotation, position_mm, focal_px, princpt_px, width, height


def _any_lens(rng: np.random.Generator, azimuth: float, elevation: float, roll: float | None) -> Optics:
    """A camera as near as a phone is held or as far as in a studio; the hands fill a third of the picture or most."""
    distance_mm = np.exp(rng.uniform(*np.log(DISTANCE_MM)))
    position_mm = SUBJECT_MM + distance_mm * _direction(azimuth, elevation)
    target_mm = SUBJECT_MM + rng.normal(0, 15, 3)
    rotation = look_at(position_mm, target_mm, np.radians(rng.normal(0, 15) if roll is None else roll))
    width, height = SIZES_PX[rng.integers(len(SIZES_PX))]
    focal_px = distance_mm * np.exp(rng.uniform(*np.log(PX_PER_MM))) * (1 + np.array([0.0, rng.normal(0, 0.0004)]))
    princpt_px = np.array([width, height]) / 2 + rng.normal(0, 6, 2)
    return rotation, position_mm, focal_px, princpt_px, width, height
