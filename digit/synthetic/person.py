"""What a person looks like up close: age, hair, marks and nail polish on the skin, and what is worn."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from digit.hand.open_hand.skin import load_skin
from digit.synthetic.subjects import Subject, to_linear

HANDS_KEPT = 8
"""Painted hands that a process remembers; frames come capture by capture."""


@dataclass(frozen=True, eq=False)
class Person:
    """A subject's looks, the same in all frames.

    ``age``, ``hair`` and ``grain`` are strengths in 0..1, ``swelling`` is how much thicker than the wrist the forearm
    gets; ``polish`` is a linear colour or None.
    """

    subject: Subject
    age: float
    hair: float
    grain: float
    swelling: float
    polish: tuple[float, float, float] | None


@dataclass(frozen=True)
class Complexion:
    """Of each vertex of the fine skin: linear ``albedo`` (V, 3), ``relief_mm`` (V,) off the smooth surface."""

    albedo: np.ndarray
    relief_mm: np.ndarray


def make_person(rng: np.random.Generator, subject: Subject) -> Person:
    """Draw the looks of a subject."""
    polished = rng.random() < (0.3 if subject.gender == "female" else 0.02)
    color = np.clip(bright_color(rng), 0.01, 0.8).tolist()
    return Person(
        subject=subject,
        age=float(rng.beta(1.2, 1.8)),
        hair=float(rng.beta(1.2, 1.2) * (rng.random() < (0.25 if subject.gender == "female" else 0.8))),
        grain=float(rng.uniform(0.2, 1.0)),
        swelling=float(rng.uniform(0.25, 0.75)),
        polish=(color[0], color[1], color[2]) if polished else None,
    )


def bright_color(rng: np.random.Generator) -> np.ndarray:
    """A linear colour (3,) of any hue, from pastel to saturated, from nearly black to nearly white."""
    hue = rng.uniform(0, 1)
    wheel = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    saturation, value = rng.beta(1.2, 1.5), rng.uniform(0.08, 0.95)
    return to_linear(value * (1 - saturation * (1 - wheel)))


@lru_cache(maxsize=HANDS_KEPT)
def complexion(side: str, person: Person) -> Complexion:
    """Paint the fine skin of one hand."""
    subject, marks = person.subject, load_skin(side).marks
    rng = np.random.default_rng(subject.skin_seed)
    colors = load_skin(side).colors(subject.tone, subject.skin_seed)
    count, back = len(colors), 1 - marks.palmar
    lines, blue, fair = marks.crease * (0.15 + 0.5 * person.age), marks.vein * person.age, np.mean(subject.tone)
    colors *= 1 - lines[:, None] * [0.35, 0.45, 0.45] - (blue * rng.uniform(0, 0.14))[:, None] * [1.0, 0.5, 0.2]
    blotches = rng.normal(0, 0.05, (2, 1)) * np.sin(marks.points_mm @ rng.normal(0, 0.06, (2, 3)).T + [0, 1]).T
    colors *= 1 + blotches.sum(axis=0)[:, None] * [0.4, 1.0, 1.1]
    colors *= 1 + rng.normal(0, 0.035, (count, 1)) * person.grain
    spots = (rng.random(count) < 0.012 * person.age * fair) * back
    colors *= 1 - spots[:, None] * [0.15, 0.25, 0.3]
    hairs = person.hair * back * (marks.nail < 0.05) * _hairy(marks.points_mm) * rng.exponential(0.2, count)
    colors *= 1 - np.clip(hairs, 0, 0.6)[:, None] * (0.3 + 0.6 * fair)
    if person.polish is not None:
        polish = np.array(person.polish) ** (1 / 2.2)
        colors += np.clip(1.4 * marks.nail, 0, 1)[:, None] * (polish - colors)
    relief = 0.5 * person.age * marks.vein + (0.3 + 0.8 * person.age) * marks.tendon - 0.7 * marks.crease
    return Complexion(to_linear(np.clip(colors, 0, 1)).astype(np.float32), relief)


def _hairy(points_mm: np.ndarray) -> np.ndarray:
    """Where hair grows: the back of the hand towards the wrist and little finger, and the first phalanges."""
    distal = -points_mm[:, 0]
    hand = np.clip(1 - distal / 75, 0, 1) + 0.5 * (np.abs(distal - 118) < 9)
    return np.clip(hand, 0, 1)
