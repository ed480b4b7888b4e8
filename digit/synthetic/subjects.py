"""People of the data set: the shape of their hands, their skin, their sleeves."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtri

from digit.hand.open_hand.skin import SKIN_TONES, load_skin

SHAPE_LIMIT = 2.0
"""Shape coefficients stay within this many standard deviations."""

SKIN_GLOSS, NAIL_GLOSS = 14.0, 60.0
"""Exponents of highlights."""


@dataclass(frozen=True)
class Subject:
    """One person: ``shape`` (10,) MANO coefficients, skin tone in sRGB, a seed for marks, and a sleeve.

    ``cuff_mm`` is how far behind the wrist the sleeve begins, None for bare arms.
    """

    number: int
    gender: str
    shape: np.ndarray
    tone: tuple[float, float, float]
    skin_seed: int
    cuff_mm: float | None
    cloth_rgb: tuple[float, float, float]


def make_subject(rng: np.random.Generator, number: int, size_rank: float, tone_rank: float) -> Subject:
    """Draw a person.

    Args:
        rng: source of everything but the two ranks.
        number: the id in subject.txt.
        size_rank: quantile (0..1) of the size of the hand, the first shape coefficient.
        tone_rank: place (0..1) in the range of skin tones, from light to dark.
    """
    tones = np.array(list(SKIN_TONES.values()))
    place = tone_rank * (len(tones) - 1)
    low = int(place)
    tone = tones[low] + (place - low) * (tones[min(low + 1, len(tones) - 1)] - tones[low])
    cloth = rng.uniform(0.03, 0.2) * (1 + rng.uniform(-0.4, 0.4, 3))
    shape = rng.normal(0, 1, 10)
    shape[0] = ndtri(np.clip(size_rank, 0.01, 0.99))
    return Subject(
        number=number,
        gender="female" if rng.random() < 0.5 else "male",
        shape=np.clip(shape, -SHAPE_LIMIT, SHAPE_LIMIT),
        tone=_rgb(np.clip(tone * (1 + rng.normal(0, 0.02, 3)), 0.05, 0.95)),
        skin_seed=int(rng.integers(2**31)),
        cuff_mm=None if rng.random() < 0.4 else float(rng.choice([4.0, 25.0, 60.0])),
        cloth_rgb=_rgb(np.clip(cloth, 0.01, 0.5)),
    )


def _rgb(values: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = values.tolist()
    return red, green, blue


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """SRGB values in 0..1 to linear light (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


@cache
def albedo(side: str, tone: tuple[float, float, float], seed: int) -> np.ndarray:
    """Linear albedo (V, 3) float32 of the fine skin of one hand."""
    return to_linear(load_skin(side).colors(tone, seed)).astype(np.float32)


@cache
def gloss(side: str) -> np.ndarray:
    """Exponent of the highlight (V,) of each vertex of the fine skin; nails shine."""
    nail = load_skin(side).marks.nail
    return (SKIN_GLOSS + (NAIL_GLOSS - SKIN_GLOSS) * np.clip(nail, 0, 1)).astype(np.float32)
