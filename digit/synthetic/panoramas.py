"""HDR panoramas (equirectangular): the light of a real place, and what a camera sees of it behind the hands."""

import base64
import importlib
import io
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np

from digit.render.shading import Lights
from digit.run.errors import UserError
from digit.synthetic.cameras import Camera
from digit.synthetic.lighting import Studio

PATTERN = re.compile(r"\.(hdr|exr|exr\.js)$")
"""Files taken from a folder: Radiance, OpenEXR, and OpenEXR as a data address in a JavaScript module."""

ROWS, COLUMNS = 128, 256
"""Panoramas are kept at this size: light needs less, and backgrounds are out of focus."""

BRIGHT, LAMP_RADIUS_RAD = 12.0, 0.45
"""Light this many times as bright as the mean comes from lamps; as far around one as this it is the same lamp."""

LAMPS = 2
"""The most lamps in a panorama."""

WHITE_BALANCE = 0.75
"""How much of a panorama's tint a camera would take out."""

SPLIT_TURN = {"train": (0, 1, 2), "val": (3,), "test": (4,)}
"""Of every five panoramas, sorted by name, which ones a split shows."""


@dataclass(frozen=True)
class Panorama:
    """Light from all around: (ROWS, COLUMNS, 3) linear RGB of mean 1, turned about the vertical by ``turn_rad``."""

    light: np.ndarray
    turn_rad: float


@cache
def panorama_files(folders: tuple[str, ...], split: str) -> tuple[Path, ...]:
    """The panoramas of one split.

    Raises:
        UserError: a folder is missing or holds none.
    """
    found: list[Path] = []
    for folder in folders:
        files = sorted(path for path in Path(folder).rglob("*") if PATTERN.search(path.name) and path.is_file())
        if not files:
            raise UserError(
                f"synthetic.panoramas: {folder} holds no .hdr, .exr or .exr.js file; name a folder with HDR panoramas"
            )
        found += files
    return tuple(path for k, path in enumerate(found) if k % 5 in SPLIT_TURN[split])


@lru_cache(maxsize=64)
def read_panorama(path: Path) -> np.ndarray:
    """(ROWS, COLUMNS, 3) float32 linear RGB of mean 1.

    Raises:
        UserError: it cannot be decoded, or OpenEXR is needed and not installed.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.suffix == ".hdr" else _read_exr(path)
    if pixels is None or pixels.ndim != 3 or not np.isfinite(pixels).all() or pixels.max() <= 0:
        raise UserError(f"{path}: is no HDR panorama; take it out of the folder that synthetic.panoramas names")
    light = pixels[..., 2::-1] if path.suffix == ".hdr" else pixels[..., :3]
    light = cv2.resize(np.maximum(light, 0).astype(np.float32), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    balanced = light / np.maximum(light.mean(axis=(0, 1)), 1e-6) ** WHITE_BALANCE
    return balanced / balanced.mean()


def panorama_light(panorama: Panorama, dome_directions: np.ndarray) -> Studio:
    """What a panorama lights like: lamps where it is very bright, and a dome of directions (K, 3) for the rest."""
    directions, solid_angle = _sphere()
    turned = directions @ _turn(panorama.turn_rad).T
    energy = panorama.light.reshape(-1, 3) * solid_angle[:, None] / np.pi
    bright = panorama.light.mean(axis=2).ravel()
    lamps, radiance = [], []
    for _ in range(LAMPS):
        peak = int(np.argmax(bright))
        if bright[peak] < BRIGHT:
            break
        near = (bright > BRIGHT / 2) & (turned @ turned[peak] > np.cos(LAMP_RADIUS_RAD))
        lamp = (energy[near].sum(axis=1, keepdims=True) * turned[near]).sum(axis=0)
        lamps.append(lamp / np.linalg.norm(lamp))
        radiance.append(energy[near].sum(axis=0))
        energy[near], bright[near] = 0, 0
    nearest = np.argmax(turned @ dome_directions.T, axis=1)
    dome = np.stack([np.bincount(nearest, energy[:, c], len(dome_directions)) for c in range(3)], axis=1)
    return Studio(
        Lights(np.array(lamps).reshape(-1, 3), np.array(radiance).reshape(-1, 3)), Lights(dome_directions, dome)
    )


def panorama_view(panorama: Panorama, camera: Camera) -> np.ndarray:
    """What a camera sees of a panorama: (height, width, 3) float32 linear RGB."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    slopes = (np.stack([columns, rows], axis=-1) - camera.princpt_px) / camera.focal_px
    rays = np.concatenate([slopes, np.ones((*slopes.shape[:2], 1))], axis=-1) @ camera.rotation
    rays = rays @ _turn(panorama.turn_rad)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    u = (np.arctan2(rays[..., 0], rays[..., 2]) / (2 * np.pi) + 0.5) * COLUMNS - 0.5
    v = (np.arcsin(np.clip(rays[..., 1], -1, 1)) / np.pi + 0.5) * ROWS - 0.5
    wrapped = cv2.copyMakeBorder(panorama.light, 0, 0, 1, 1, cv2.BORDER_WRAP)
    maps = (u + 1).astype(np.float32), v.astype(np.float32)
    return cv2.remap(wrapped, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _turn(angle_rad: float) -> np.ndarray:
    """Rotation (3, 3) about the vertical."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


@cache
def _sphere() -> tuple[np.ndarray, np.ndarray]:
    """Direction (N, 3) of each pixel, -y up, and the solid angle (N,) it covers."""
    latitude = (np.arange(ROWS) + 0.5) / ROWS * np.pi - np.pi / 2
    longitude = (np.arange(COLUMNS) + 0.5) / COLUMNS * 2 * np.pi - np.pi
    down, around = np.meshgrid(latitude, longitude, indexing="ij")
    directions = np.stack([np.cos(down) * np.sin(around), np.sin(down), np.cos(down) * np.cos(around)], axis=-1)
    solid_angle = np.cos(down) * (np.pi / ROWS) * (2 * np.pi / COLUMNS)
    return directions.reshape(-1, 3), solid_angle.ravel()


def _read_exr(path: Path) -> np.ndarray | None:
    """(H, W, 3 or 4) RGB of an OpenEXR file, None when it is none."""
    try:
        openexr = importlib.import_module("OpenEXR")
    except ImportError as error:
        raise UserError(f"{path}: reading it needs the package OpenEXR; pip install OpenEXR") from error
    try:
        content = path.read_bytes()
        if path.suffix == ".js":
            content = base64.b64decode(content.split(b"base64,", 1)[1].split(b"'", 1)[0])
        channels = openexr.File(io.BytesIO(content)).channels()
        return np.asarray((channels.get("RGB") or channels["RGBA"]).pixels)
    except (RuntimeError, ValueError, KeyError, IndexError):
        return None
