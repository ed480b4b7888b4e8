"""Studio light: a soft dome all around, and a few lamps."""

from dataclasses import dataclass

import numpy as np

from digit.render.shading import Lights

DOME_LIGHTS = 20


@dataclass(frozen=True)
class Studio:
    """Light of one capture: lamps that make highlights and crisp shadows, and the dome around the subject."""

    lamps: Lights
    dome: Lights


def make_studio(rng: np.random.Generator) -> Studio:
    """Draw a key light from above one side, a fill from the other, a faint rim light from behind, and a dome."""
    side = rng.choice([-1.0, 1.0])
    angles_deg = [
        (side * rng.uniform(10, 60), rng.uniform(15, 65)),
        (-side * rng.uniform(25, 75), rng.uniform(-15, 40)),
        (rng.uniform(-1, 1) * 60 + 180, rng.uniform(10, 60)),
    ]
    directions = np.stack([_direction(azimuth, elevation) for azimuth, elevation in angles_deg])
    strength = np.array([rng.uniform(1.3, 2.1), rng.uniform(0.25, 0.8), rng.uniform(0.2, 1.0)])
    warmth = rng.normal(0.02, 0.06)
    tint = np.array([1 + warmth, 1 + 0.3 * rng.normal(0, 0.04), 1 - warmth]) * (1 + rng.normal(0, 0.03, (3, 3)))
    return Studio(Lights(directions, strength[:, None] * tint), _dome(rng))


def vary(rng: np.random.Generator, studio: Studio) -> Studio:
    """The studio as it is in one frame: lamps a little moved and dimmed."""
    directions = studio.lamps.directions + rng.normal(0, 0.07, (len(studio.lamps.directions), 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    level = np.exp(rng.normal(0, 0.12, (len(directions), 1)))
    dome_level = np.exp(rng.normal(0, 0.1))
    return Studio(
        Lights(directions, studio.lamps.radiance * level),
        Lights(studio.dome.directions, studio.dome.radiance * dome_level),
    )


def _direction(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """Unit vector from the subject: azimuth 0 is towards the front camera (-z), elevation up (-y)."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    return np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), -np.cos(azimuth) * np.cos(elevation)])


def _dome(rng: np.random.Generator) -> Lights:
    """Lights on a Fibonacci sphere: brighter above and in front, each hemisphere with its own tint."""
    k = np.arange(DOME_LIGHTS) + 0.5
    y = 1 - 2 * k / DOME_LIGHTS
    turn = np.pi * (1 + np.sqrt(5)) * k
    ring = np.sqrt(1 - y**2)
    directions = np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=1)
    sky, ground = np.abs(1 + rng.normal(0, 0.07, (2, 3))) * [[1.0], [rng.uniform(0.3, 0.7)]]
    up = (1 - directions[:, 1:2]) / 2
    front = 0.75 - 0.25 * directions[:, 2:3]
    radiance = (up * sky + (1 - up) * ground) * front * rng.uniform(0.55, 1.0)
    return Lights(directions, radiance * 3.0 / DOME_LIGHTS)
