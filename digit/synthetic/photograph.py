"""A camera's picture of a lit surface before a backdrop: optics, sensor and development."""

from functools import cache

import cv2
import numpy as np

from digit.geometry import world_to_camera
from digit.render.shading import add_highlights, draw, lay_over
from digit.run.compiled import compiled
from digit.synthetic.backdrop import Backdrop, paint_backdrop
from digit.synthetic.cameras import Camera
from digit.synthetic.scene import LitSurface

JPEG_QUALITY = 92
EXPOSURE = 1.0
TONE_STEPS = 4096


def photograph(
    rng: np.random.Generator, lit: LitSurface, camera: Camera, style: Backdrop, darkness: float
) -> np.ndarray:
    """Take a picture: (height, width, 3) uint8 BGR.

    Args:
        rng: source of the backdrop, of exposure and of noise.
        lit: the hands and the light on them.
        camera: where from; grey cameras give three equal channels.
        style: what stands behind.
        darkness: stops by which the capture is underexposed.
    """
    surface = lit.surface
    colors = add_highlights(
        surface.vertices_mm,
        surface.normals,
        surface.albedo * lit.light,
        lit.light,
        camera.position_mm,
        lit.studio.lamps.directions,
        lit.studio.lamps.radiance,
        lit.lamps_seen,
        surface.gloss,
    )
    points_cam_mm = world_to_camera(surface.vertices_mm, camera.rotation, camera.position_mm)
    layer, window = draw(
        points_cam_mm, surface.faces, colors, camera.focal_px, camera.princpt_px, (camera.width, camera.height)
    )
    picture = paint_backdrop(rng, style, camera.width, camera.height)
    lay_over(picture[window], layer)
    exposure = EXPOSURE * 2.0 ** (rng.normal(0, 0.12) - darkness)
    gains = exposure * (1 + rng.normal(0, 0.015, 3)).astype(np.float32)
    return _develop(rng, cv2.GaussianBlur(picture, (3, 3), rng.uniform(0.35, 0.65)) * gains, camera.grey)


def encode_jpeg(picture: np.ndarray) -> bytes:
    """A progressive JPEG as in the release."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    done, data = cv2.imencode(".jpg", picture, options)
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return data.tobytes()


def _develop(rng: np.random.Generator, linear: np.ndarray, grey: bool) -> np.ndarray:
    """Linear RGB to uint8 BGR: tone curve, sensor noise (stronger in one luminance channel than in colour)."""
    if grey:
        linear = np.repeat(linear @ np.array([[0.3], [0.6], [0.1]], np.float32), 3, axis=2)
    noise = rng.standard_normal(linear.shape[:2], np.float32) * np.float32(rng.uniform(0.8, 2.2))
    return _print(linear, _tone_curve(), noise)


@compiled
def _print(linear: np.ndarray, curve: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 BGR of linear light (H, W, 3) through a curve over 0..4, with noise (H, W); all float32."""
    height, width = noise.shape
    picture = np.empty((height, width, 3), np.uint8)
    scale, half = np.float32(len(curve) / 4), np.float32(0.5)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                step = min(linear[y, x, c] * scale, np.float32(len(curve) - 1))
                value = curve[int(step)] + noise[y, x]
                picture[y, x, 2 - c] = np.uint8(min(max(value, np.float32(0)), np.float32(255)) + half)
    return picture


@cache
def _tone_curve() -> np.ndarray:
    """(TONE_STEPS,) float32 display values for linear light 0..4, with a shoulder that keeps highlights."""
    light = np.arange(TONE_STEPS) * 4 / TONE_STEPS
    shoulder = light * (1 + light / 9) / (1 + light)
    srgb = np.where(shoulder < 0.0031308, 12.92 * shoulder, 1.055 * np.maximum(shoulder, 1e-9) ** (1 / 2.4) - 0.055)
    return np.minimum(srgb * 255, 255).astype(np.float32)
