"""What stands behind the hands: dark studios with lamps, walls, clothes and clutter, all out of focus."""

from dataclasses import dataclass

import cv2
import numpy as np

SHRINK = 4
"""Backdrops are painted at this fraction of the size: they are blurred anyway."""


@dataclass(frozen=True)
class Backdrop:
    """Style of a capture's surroundings; colours are linear RGB."""

    wall: np.ndarray
    shade: np.ndarray
    cloth: np.ndarray
    body: bool
    pattern: str
    lamps: int
    clutter: int


def make_backdrop(rng: np.random.Generator) -> Backdrop:
    """Draw a style: mostly dark studios as in the release, some with lighter walls."""
    dark = rng.random() < 0.6
    level = rng.uniform(0.004, 0.03) if dark else rng.uniform(0.05, 0.35)
    tint = 1 + rng.normal(0, 0.15 if dark else 0.1, 3)
    return Backdrop(
        wall=np.clip(level * tint, 0.001, 1),
        shade=np.clip(level * tint * rng.uniform(0.2, 0.8), 0.001, 1),
        cloth=np.clip(rng.uniform(0.01, 0.12) * (1 + rng.uniform(-0.35, 0.35, 3)), 0.003, 1),
        body=bool(rng.random() < 0.6),
        pattern=str(rng.choice(["plain", "plain", "plaid", "stripes"])),
        lamps=int(rng.integers(2, 9)) if dark else 0,
        clutter=int(rng.integers(0, 5) if dark else rng.integers(2, 12)),
    )


def paint_backdrop(rng: np.random.Generator, style: Backdrop, width: int, height: int) -> np.ndarray:
    """Paint one view: (height, width, 3) float32 linear RGB."""
    rows, columns = -(-height // SHRINK), -(-width // SHRINK)
    slope = np.linspace(0, 1, rows)[:, None] * rng.uniform(-1, 1) + np.linspace(0, 1, columns)[None] * rng.uniform(
        -1, 1
    )
    share = ((slope - slope.min()) / (np.ptp(slope) + 1e-9))[..., None]
    canvas = (style.wall * (1 - share) + style.shade * share).astype(np.float32)
    for _ in range(style.clutter):
        _add_clutter(rng, style, canvas)
    canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(1.5, 4))
    for _ in range(style.lamps):
        _add_lamp(rng, canvas)
    if style.body:
        canvas = _add_body(rng, style, canvas)
    grain = cv2.resize(
        rng.normal(1, 0.05, (rows // 8 + 2, columns // 8 + 2)).astype(np.float32),
        (columns, rows),
        interpolation=cv2.INTER_CUBIC,
    )
    canvas *= grain[..., None]
    return np.maximum(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_LINEAR), 0)


def _add_clutter(rng: np.random.Generator, style: Backdrop, canvas: np.ndarray) -> None:
    """Paint one box or disc into the canvas."""
    rows, columns = canvas.shape[:2]
    centre = (int(rng.integers(columns)), int(rng.integers(rows)))
    size = tuple(int(v) for v in rng.uniform(0.04, 0.3, 2) * columns)
    color = style.wall * np.exp(rng.normal(0, 0.6)) * (1 + rng.normal(0, 0.15, 3))
    color = tuple(float(v) for v in np.clip(color, 0.001, 1))
    if rng.random() < 0.5:
        cv2.ellipse(canvas, centre, size, float(rng.uniform(0, 180)), 0, 360, color, -1)
    else:
        corners = cv2.boxPoints((centre, size, float(rng.uniform(0, 180))))
        cv2.fillConvexPoly(canvas, corners.astype(np.int32), color)


def _add_body(rng: np.random.Generator, style: Backdrop, canvas: np.ndarray) -> np.ndarray:
    """The canvas with a torso in it, its cloth plain, striped or plaid."""
    rows, columns = canvas.shape[:2]
    middle, half = columns * rng.uniform(0.3, 0.7), columns * rng.uniform(0.25, 0.5)
    shoulder = rows * rng.uniform(-0.25, 0.25)
    outline = np.array(
        [
            (middle - half * 0.3, shoulder - rows * 0.08),
            (middle + half * 0.3, shoulder - rows * 0.08),
            (middle + half * 0.9, shoulder + rows * 0.12),
            (middle + half * 1.1, rows * 1.1),
            (middle - half * 1.1, rows * 1.1),
            (middle - half * 0.9, shoulder + rows * 0.12),
        ]
    )
    cover = np.zeros((rows, columns), np.float32)
    cv2.fillPoly(cover, [outline.astype(np.int32)], 1.0)
    softened = cv2.GaussianBlur(cover, (0, 0), 1.6)[..., None]
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    period, tilt = rng.uniform(7, 16), rng.normal(0, 0.1)
    weave = np.ones((rows, columns))
    if style.pattern != "plain":
        weave += 0.3 * np.sin(2 * np.pi * (x + tilt * y) / period) ** 3
    if style.pattern == "plaid":
        weave += 0.3 * np.sin(2 * np.pi * (y - tilt * x) / period) ** 3
    roundness = 1 - 0.75 * np.clip(np.abs(x - middle) / (half * 1.15), 0, 1) ** 2
    cloth = (weave * roundness)[..., None] * style.cloth
    return (canvas * (1 - softened) + cloth * softened).astype(np.float32)


def _add_lamp(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """Paint one small bright lamp with a glow into the canvas, away from the middle."""
    rows, columns = canvas.shape[:2]
    x, y = rng.uniform(0, columns), rng.uniform(0, rows)
    if abs(x / columns - 0.5) < 0.2 and abs(y / rows - 0.5) < 0.2:
        return
    reach, radius = 10, rng.uniform(0.5, 1.3)
    left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
    patch = canvas[top : int(y) + reach + 1, left : int(x) + reach + 1]
    across, down = np.meshgrid(np.arange(patch.shape[1]) + left - x, np.arange(patch.shape[0]) + top - y)
    squared = across**2 + down**2
    glow = 1.5 * np.exp(-squared / (2 * radius**2)) + 0.02 * np.exp(-np.sqrt(squared) / 3)
    patch += (glow[..., None] * (1 + rng.normal(0, 0.1, 3))).astype(np.float32)
