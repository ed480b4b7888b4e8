"""Surroundings of any picture: capture domes, rooms, photographs and noise, with or without a person's clothes."""

import cv2
import numpy as np

from digit.samples.photographs import cut_out, read_photo
from digit.synthetic.person import bright_color
from digit.synthetic.subjects import to_linear

KINDS = {"dome": 0.36, "room": 0.2, "noise": 0.12, "photo": 0.32}
"""Kinds of surroundings and their shares; without photographs the others share their part."""

DECODE = to_linear(np.arange(256) / 255).astype(np.float32)
SHRINK = 2
"""Painted surroundings are drawn at this fraction of the size."""


def paint_scenery(rng: np.random.Generator, kind: str, photos: tuple, width: int, height: int) -> np.ndarray:
    """Paint one view: (height, width, 3) float32 linear RGB.

    Args:
        rng: source of randomness.
        kind: a key of ``KINDS``.
        photos: files to choose from, for ``photo``.
        width: columns.
        height: rows.
    """
    rows, columns = -(-height // SHRINK), -(-width // SHRINK)
    if kind == "photo":
        shown = cut_out(rng, read_photo(photos[rng.integers(len(photos))]), columns, rows)
        canvas = DECODE[shown] * np.float32(np.exp(rng.normal(-0.3, 0.5)))
    elif kind == "room":
        canvas = _room(rng, rows, columns)
    elif kind == "noise":
        canvas = spectrum_noise(rng, rows, columns)
    else:
        canvas = np.full((rows, columns, 3), _dark(rng), np.float32)
    if rng.random() < (0.65 if kind == "dome" else 0.35):
        canvas = _clothes(rng, canvas, dim=kind == "dome")
    blur = rng.choice([0.0, rng.uniform(0.4, 1.2), rng.uniform(1.2, 5)], p=[0.3, 0.4, 0.3])
    if blur > 0:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
    canvas = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_LINEAR)
    if kind == "dome" and rng.random() < 0.75:
        _lamps(rng, canvas)
    return canvas


def choose_kind(rng: np.random.Generator, photos: tuple) -> str:
    """A key of ``KINDS``."""
    kinds = {kind: share for kind, share in KINDS.items() if kind != "photo" or photos}
    shares = np.array(list(kinds.values()))
    return str(rng.choice(list(kinds), p=shares / shares.sum()))


def spectrum_noise(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Cloudy colour noise (rows, columns, 3) whose amplitude falls with frequency as in photographs, linear."""
    slope = rng.uniform(0.8, 1.9)
    across, down = np.fft.rfftfreq(columns), np.fft.fftfreq(rows)
    frequency = np.hypot(across[None], down[:, None])
    frequency[0, 0] = 1.0
    phase = np.exp(2j * np.pi * rng.random((3, *frequency.shape)))
    phase[1:] = phase[1:] * 0.35 + phase[:1]
    waves = np.fft.irfft2(phase * frequency**-slope, s=(rows, columns)).astype(np.float32)
    waves /= waves.std(axis=(1, 2), keepdims=True)
    mean = np.log(np.clip(bright_color(rng), 0.02, 0.6))[:, None, None]
    return np.exp(np.clip(mean + rng.uniform(0.2, 0.9) * waves, -6, 0.3)).transpose(1, 2, 0).astype(np.float32)


def _dark(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.0005, 0.012) * (1 + rng.normal(0, 0.2, 3))


def _room(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Walls and furniture: flat and textured polygons, large ones first, in shades of a few colours."""
    palette = [np.clip(bright_color(rng), 0.01, 0.8) for _ in range(3)] + [np.full(3, rng.uniform(0.15, 0.7))]
    canvas = np.full((rows, columns, 3), palette[-1], np.float32)
    for size in np.sort(np.exp(rng.uniform(np.log(0.06), np.log(0.9), rng.integers(3, 14))))[::-1]:
        centre = (float(rng.uniform(0, columns)), float(rng.uniform(0, rows)))
        sides = tuple(float(v) for v in size * columns * np.exp(rng.normal(0, 0.6, 2)))
        color = palette[rng.integers(4)] * np.exp(rng.normal(0, 0.5)) * (1 + rng.normal(0, 0.08, 3))
        values = tuple(float(v) for v in np.clip(color, 0.002, 1))
        tilt = float(rng.choice([rng.normal(0, 6), rng.uniform(0, 180)]))
        if rng.random() < 0.7:
            corners = cv2.boxPoints((centre, sides, tilt))
            cv2.fillConvexPoly(canvas, (corners * 16).astype(np.int32), values, cv2.LINE_AA, 4)
        else:
            axes = (sides[0] / 2, sides[1] / 2)
            cv2.ellipse(canvas, (centre, (2 * axes[0], 2 * axes[1]), tilt), values, -1)
    slope = np.linspace(0, rng.normal(0, 0.8), rows)[:, None] + np.linspace(0, rng.normal(0, 0.8), columns)[None]
    return canvas * np.exp(slope - slope.mean()).astype(np.float32)[..., None]


def _clothes(rng: np.random.Generator, canvas: np.ndarray, dim: bool) -> np.ndarray:
    """The canvas with a torso in it: plain, striped or plaid cloth with a rounded shade, from any side."""
    rows, columns = canvas.shape[:2]
    colors = np.clip([bright_color(rng), bright_color(rng)], 0.004, 0.7) * (rng.uniform(0.1, 0.7) if dim else 1.0)
    turn = rng.normal(0, 0.25) if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi)
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    left, top = columns * rng.uniform(0.1, 0.9), rows * rng.uniform(-0.6, 0.8)
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    u, v = cos * (x - left) + sin * (y - top), cos * (y - top) - sin * (x - left)
    half = columns * rng.uniform(0.25, 0.75)
    across = u / half
    shoulders = v - rng.uniform(0.05, 0.4) * half * across**2
    cover = np.clip((1 - np.abs(across)) * half / 2, 0, 1) * np.clip(shoulders / 2, 0, 1)
    weave = np.zeros_like(u)
    pattern, period = rng.choice(["plain", "stripes", "plaid"], p=[0.55, 0.2, 0.25]), rng.uniform(4, 18)
    if pattern != "plain":
        weave = np.clip(np.sin(2 * np.pi * v / period) * 3, -1, 1) * 0.5 + 0.5
    if pattern == "plaid":
        weave = 0.5 * weave + 0.25 + 0.25 * np.clip(np.sin(2 * np.pi * u / period) * 3, -1, 1)
    folds = 1 + 0.15 * np.sin(across * rng.uniform(4, 14) + v / rows * rng.uniform(-6, 6) + rng.uniform(0, 6))
    shade = folds * (1 - 0.7 * np.clip(np.abs(across), 0, 1) ** 2)
    first, second = colors.astype(np.float32)
    cloth = (first + weave[..., None] * (second - first)) * shade[..., None]
    return canvas + cover[..., None] * (cloth - canvas)


def _lamps(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """Bright lamps on a tilted lattice, each with its glow and star, added in place."""
    rows, columns = canvas.shape[:2]
    spacing, turn = rng.uniform(0.18, 0.5) * columns, rng.normal(0, 0.3)
    steps = np.stack(np.meshgrid(np.arange(-4, 5), np.arange(-4, 5)), axis=-1).reshape(-1, 2)
    places = steps * spacing * (1, rng.uniform(0.7, 1.2)) + rng.normal(0, 0.08 * spacing, (len(steps), 2))
    places = places @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    places += rng.uniform(0, 1, 2) * (columns, rows)
    places = places[rng.random(len(places)) < rng.uniform(0.3, 1.0)]
    glow = _star(rng.uniform(1.2, 3.2), int(rng.integers(6, 13)), rng.uniform(0.0, 0.5))
    reach = glow.shape[0] // 2
    for x, y in places.astype(int):
        left, top, right, bottom = max(x - reach, 0), max(y - reach, 0), x + reach + 1, y + reach + 1
        patch = canvas[top : max(bottom, 0), left : max(right, 0)]
        if patch.size:
            part = glow[top - y + reach :, left - x + reach :][: patch.shape[0], : patch.shape[1]]
            patch += part[..., None] * (1 + rng.normal(0, 0.06, 3)).astype(np.float32)


def _star(radius: float, rays: int, strength: float, reach: int = 24) -> np.ndarray:
    """A lamp seen through a lens: (2 * reach + 1, same) float32."""
    x, y = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    fade = np.clip(1 - distance / reach, 0, 1)
    disc = 4 / (1 + np.exp(np.clip((distance - radius) * 2.5, -30, 30)))
    star = strength * np.abs(np.cos(angle * rays / 2)) ** 24 * np.exp(-distance / 6)
    return ((disc + 0.25 * np.exp(-distance / (1.2 * radius)) + star) * fade).astype(np.float32)
