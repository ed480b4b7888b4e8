"""From light to file with any camera: exposure, blur, colour, noise, low resolution, compression."""

from functools import cache

import cv2
import numpy as np

from digit.run.compiled import compiled

SKIN_LEVEL = 0.2
"""Linear value at which exposure tends to put the hands."""

CURVE_STEPS = 2048
BRIGHTEST = 4.0
"""Light beyond this is white."""

GRAIN = 1024
"""Side of the sheet of noise."""


def exposure(rng: np.random.Generator, level: float) -> np.ndarray:
    """Gain of each channel (3,) float32, so that hands of mean light ``level`` come out more or less well."""
    wanted = SKIN_LEVEL * np.exp(rng.normal(0, 0.5))
    gain = (wanted / max(level, 1e-3)) ** rng.uniform(0.5, 0.95)
    balance = 1 + rng.normal(0, 0.07, 3) + rng.normal(0, 0.05) * np.array([1.0, 0.3, -1.0])
    return (gain * np.clip(balance, 0.6, 1.5)).astype(np.float32)


def blur(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """A lens that is never quite sharp, sometimes out of focus, sometimes moved."""
    sigma = rng.choice([rng.uniform(0.3, 0.8), rng.uniform(0.8, 2.2)], p=[0.84, 0.16])
    picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    if rng.random() < 0.1:
        picture = cv2.filter2D(picture, -1, _smear(rng.uniform(3, 13), rng.uniform(0, np.pi)))
    return picture


def develop(rng: np.random.Generator, linear: np.ndarray, gain: np.ndarray, grey: bool) -> np.ndarray:
    """Linear RGB times ``gain`` (3,) to uint8 BGR: tone curve, saturation, noise, at times at a lower resolution."""
    height, width = linear.shape[:2]
    if rng.random() < 0.12:
        factor = rng.uniform(0.35, 0.85)
        linear = cv2.resize(linear, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    rows, columns = linear.shape[:2]
    noise, colored = _grain(rng, rows, columns), _grain(rng, rows, columns)
    strength = np.array([min(rng.exponential(1.6), 6.0) + 0.5, 0.0], np.float32)
    strength[1] = 0.6 * strength[0] * (rng.random() < 0.3)
    saturation = 0.0 if grey else float(rng.uniform(0.55, 1.3))
    picture = _print(linear, gain, _tone_curve(rng), saturation, noise, colored, strength)
    if (rows, columns) != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return picture


def encode(rng: np.random.Generator, picture: np.ndarray) -> bytes:
    """A JPEG of any quality."""
    quality = int(rng.choice([rng.uniform(80, 96), rng.uniform(30, 80)], p=[0.6, 0.4]))
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return data.tobytes()


def _smear(length: float, angle: float) -> np.ndarray:
    """Kernel of a straight motion over ``length`` px."""
    size = int(np.ceil(length)) // 2 * 2 + 3
    kernel, middle = np.zeros((size, size), np.float32), size // 2
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    (x0, y0), (x1, y1) = (np.round((middle + sign * step) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, (x0, y0), (x1, y1), (1.0,), 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()


@cache
def _grain_sheet() -> np.ndarray:
    """Normal noise (GRAIN, GRAIN) float32, from which every picture takes a part."""
    return np.random.default_rng(0).standard_normal((GRAIN, GRAIN), np.float32)


def _grain(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    top, left = rng.integers(GRAIN - rows), rng.integers(GRAIN - columns)
    return _grain_sheet()[top : top + rows, left : left + columns]


@compiled
def _print(
    linear: np.ndarray,
    gain: np.ndarray,
    curve: np.ndarray,
    saturation: float,
    noise: np.ndarray,
    colored: np.ndarray,
    strength: np.ndarray,
) -> np.ndarray:
    """The picture (H, W, 3) uint8 BGR; a saturation of 0 gives three equal channels."""
    height, width = linear.shape[:2]
    picture = np.empty((height, width, 3), np.uint8)
    scale = np.float32(len(curve) / BRIGHTEST)
    value = np.empty(3, np.float32)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                step = min(int(linear[y, x, c] * gain[c] * scale), len(curve) - 1)
                value[c] = curve[max(step, 0)]
            grey = np.float32(0.3) * value[0] + np.float32(0.6) * value[1] + np.float32(0.1) * value[2]
            grain = strength[0] * noise[y, x]
            for c in range(3):
                tinted = grey + saturation * (value[c] - grey) + grain
                if c != 1 and saturation > 0:
                    tinted += (1 - c) * strength[1] * colored[y, x]
                picture[y, x, 2 - c] = np.uint8(min(max(tinted + np.float32(0.5), 0), 255))
    return picture


def _tone_curve(rng: np.random.Generator) -> np.ndarray:
    """(CURVE_STEPS,) float32 display values for linear light 0..BRIGHTEST: a camera's gamma, contrast and shoulder."""
    light = np.arange(CURVE_STEPS) * BRIGHTEST / CURVE_STEPS
    shoulder = light * (1 + light / 6) / (1 + light * rng.uniform(0.4, 1.1))
    display = np.clip(shoulder, 0, 1) ** (1 / rng.uniform(1.9, 2.6))
    contrast = rng.uniform(0.0, 0.6)
    curved = display + contrast * (3 * display**2 - 2 * display**3 - display)
    lift, top = rng.uniform(0, 0.04) * (rng.random() < 0.5), rng.uniform(0.93, 1.0)
    return (255 * (lift + (top - lift) * curved)).astype(np.float32)
