"""Calibrated cameras on a dome around the hands."""

from dataclasses import dataclass

import numpy as np

SUBJECT_MM = np.array([0.0, 0.0, 1050.0])
"""Where the hands are, world frame."""

LONG_SIDE_PX, SHORT_SIDE_PX = 512, 334

ANGLES_DEG = {"narrow": ((-30.0, 30.0), (-15.0, 30.0)), "wide": ((-60.0, 60.0), (-25.0, 50.0))}
"""Azimuth and elevation limits of each kind of view."""

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


def make_cameras(rng: np.random.Generator, count: int, views: str) -> list[Camera]:
    """``count`` cameras looking at the subject; their azimuths and elevations form a jittered Latin square."""
    (west, east), (low, high) = ANGLES_DEG[views]
    columns, rows = rng.permutation(count), rng.permutation(count)
    grey_start = int(rng.integers(GREY_EVERY))
    cameras = []
    for k in range(count):
        azimuth = west + (east - west) * (columns[k] + rng.random()) / count
        elevation = low + (high - low) * (rows[k] + rng.random()) / count
        grey = k % GREY_EVERY == grey_start
        name = f"{410001 + k if grey else 400002 + k}"
        cameras.append(_camera(rng, name, azimuth, elevation, grey))
    return cameras


def look_at(position_mm: np.ndarray, target_mm: np.ndarray, roll_rad: float) -> np.ndarray:
    """World-to-camera rotation (3, 3), right-handed, z towards the target, y down when ``roll_rad`` is 0."""
    forward = (target_mm - position_mm) / np.linalg.norm(target_mm - position_mm)
    side = np.cross((0.0, 1.0, 0.0), forward)
    side /= np.linalg.norm(side)
    down = np.cross(forward, side)
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    return np.stack([cos * side + sin * down, cos * down - sin * side, forward])


def _camera(rng: np.random.Generator, name: str, azimuth_deg: float, elevation_deg: float, grey: bool) -> Camera:
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    towards = np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), -np.cos(azimuth) * np.cos(elevation)])
    position_mm = SUBJECT_MM + rng.uniform(950, 1110) * towards
    rotation = look_at(position_mm, SUBJECT_MM + rng.normal(0, 12, 3), np.radians(rng.normal(0, 3)))
    width, height = (LONG_SIDE_PX, SHORT_SIDE_PX) if rng.random() < 0.5 else (SHORT_SIDE_PX, LONG_SIDE_PX)
    focal_px = rng.uniform(1180, 1290) * (1 + np.array([0.0, rng.normal(0, 0.0004)]))
    princpt_px = np.array([width, height]) / 2 + rng.normal(0, 8, 2)
    return Camera(name, rotation, position_mm, focal_px, princpt_px, width, height, grey)
