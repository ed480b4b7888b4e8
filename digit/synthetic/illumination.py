"""Light of any place: even studios with many lamps, rooms with a window, sun and sky, a flash beside the lens."""

import numpy as np

from digit.render.shading import Lights
from digit.synthetic.lighting import Studio

PLACES = {"studio": 0.4, "room": 0.35, "outdoors": 0.15, "flash": 0.1}
"""Kinds of light and how often each is drawn."""

DOME_LIGHTS = 12


def draw_light(rng: np.random.Generator, place: str, camera_direction: np.ndarray) -> Studio:
    """Draw the light of one frame.

    Args:
        rng: source of randomness.
        place: a key of ``PLACES``.
        camera_direction: (3,) unit vector towards one of the cameras, where a flash would be.
    """
    up, tint = dome_directions()[:, 1] * -0.5 + 0.5, _tint(rng, 0.05)
    if place == "studio":  # lamps all around, as a capture dome has
        lamps = _lamps(rng, _sphere(rng, 3), rng.uniform(0.05, 0.7, 3), 0.04)
        share, contrast = rng.uniform(0.8, 1.3), 0.35
    elif place == "room":
        lamps = _lamps(rng, _sphere(rng, 2, lowest=-0.3), np.array([rng.uniform(0.5, 2.2), rng.uniform(0, 0.6)]), 0.14)
        share, contrast = rng.uniform(0.25, 1.0), 0.8
    elif place == "outdoors":
        lamps = _lamps(rng, _sphere(rng, 1, lowest=0.1), np.array([rng.uniform(0.0, 3.0)]), 0.08)
        share, contrast, tint = rng.uniform(0.5, 1.1), 0.5, tint * (0.92, 1.0, 1.12)
    else:
        towards = camera_direction + rng.normal(0, 0.12, 3)
        lamps = _lamps(rng, (towards / np.linalg.norm(towards))[None], np.array([rng.uniform(1.2, 2.5)]), 0.05)
        share, contrast = rng.uniform(0.1, 0.5), 0.6
    sky = np.exp(rng.normal(0, contrast, 1) + rng.normal(0, 0.5 * contrast, DOME_LIGHTS))
    ground = rng.uniform(0.25, 1.0)
    level = sky * (ground + (1 - ground) * up)
    colors = tint * (1 + rng.normal(0, 0.05, 3) * (up[:, None] - 0.5))
    radiance = level[:, None] / level.mean() * colors * share * 3.0 / DOME_LIGHTS
    return Studio(lamps, Lights(dome_directions(), radiance))


def _lamps(rng: np.random.Generator, directions: np.ndarray, strength: np.ndarray, spread: float) -> Lights:
    tints = np.stack([_tint(rng, spread) for _ in strength])
    return Lights(directions, strength[:, None] * tints)


def _tint(rng: np.random.Generator, spread: float) -> np.ndarray:
    """A light's colour (3,), between candle and shade, with a little green or magenta."""
    warmth, green = rng.normal(0, spread), 0.4 * rng.normal(0, spread)
    return np.clip(np.array([1 + warmth, 1 + green, 1 - warmth]), 0.3, 1.7)


def _sphere(rng: np.random.Generator, count: int, lowest: float = -0.9) -> np.ndarray:
    """Directions (count, 3), higher than ``lowest`` above the horizon; -y is up."""
    height, turn = rng.uniform(lowest, 1, count), rng.uniform(0, 2 * np.pi, count)
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), -height, ring * np.sin(turn)], axis=1)


def dome_directions() -> np.ndarray:
    """(DOME_LIGHTS, 3) on a Fibonacci sphere."""
    k = np.arange(DOME_LIGHTS) + 0.5
    y = 1 - 2 * k / DOME_LIGHTS
    turn, ring = np.pi * (1 + np.sqrt(5)) * k, np.sqrt(1 - y**2)
    return np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=1)
