"""Colour of the skin at rest: where nails, creases, redness, tendons and veins lie, and how they tint a tone.

Points are in the right hand's wrist frame, mm; normals point outwards. Strengths are in 0..1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from digit.hand.open_hand.anatomy import LONG_FINGERS, Finger, point, skeleton, smoothstep, unit

PALM_CREASES = (
    ((86, 32), (78, 16), (74, -6), (75, -34)),
    ((86, 32), (74, 22), (62, 6), (50, -16), (46, -28)),
    ((84, 31), (70, 17), (54, 7), (36, 3), (16, 5)),
)
"""The heart, head and life lines as (distal, radial) points in mm."""

VEINS = (
    ((12, -8), (34, -6), (52, -14), (78, -26)),
    ((20, 6), (40, 12), (60, 16), (82, 12)),
    ((40, 12), (56, 2), (76, -6)),
)
"""On the back of the hand, (distal, radial) points in mm."""

PALE_SKIN = np.array([0.90, 0.68, 0.58])
"""What palms and nail beds tend to, whatever the tone."""


@dataclass(frozen=True)
class Marks:
    """Strength of each feature at each of V points, (V,) in 0..1; ``points_mm`` (V, 3) seats the mottling."""

    points_mm: np.ndarray
    palmar: np.ndarray
    red: np.ndarray
    crease: np.ndarray
    nail: np.ndarray
    nail_moon: np.ndarray
    nail_edge: np.ndarray
    tendon: np.ndarray
    vein: np.ndarray


def _bump(distance: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-((distance / width) ** 2))


def find_marks(points_mm: np.ndarray, normals: np.ndarray) -> Marks:
    """Find the features of (V, 3) points with (V, 3) outward unit normals."""
    beyond_wrist = 0.3 + 0.7 * smoothstep((-points_mm[:, 0] - 2) / 26)
    palmar = smoothstep((0.25 - normals[:, 1]) / 0.9) * beyond_wrist
    red, crease = _palm_redness(points_mm) * palmar, _palm_creases(points_mm, normals)
    nail, moon, edge = (np.zeros(len(points_mm)) for _ in range(3))
    for finger in skeleton().values():
        finger_red, finger_crease = _joint_marks(finger, points_mm, normals)
        red, crease = red + finger_red, crease + finger_crease
        finger_nail, finger_moon, finger_edge = _nail(finger, points_mm, normals)
        nail, moon = np.maximum(nail, finger_nail), np.maximum(moon, finger_moon)
        edge = np.maximum(edge, finger_edge)
    dorsal = smoothstep((normals[:, 1] - 0.2) / 0.6)
    tendon, vein = _tendons(points_mm) * dorsal, _veins(points_mm) * dorsal
    return Marks(points_mm, palmar, np.clip(red, 0, 1), np.clip(crease, 0, 1), nail, moon, edge, tendon, vein)


def _joint_marks(finger: Finger, points_mm: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Redness of tip and knuckles, and the creases across the joints, of one finger."""
    red = 0.8 * _bump(np.linalg.norm(points_mm - finger.joints_mm[3], axis=1), 13)
    crease = np.zeros(len(points_mm))
    for joint in range(1 if finger.name == "thumb" else 0, 3):
        before = max(joint - 1, 0)
        palmar = finger.palmar[before]
        offset = points_mm - finger.joints_mm[joint]
        along = offset @ unit(finger.along[joint] + finger.along[before])
        beyond = np.maximum(np.linalg.norm(offset, axis=1) - finger.half_widths_mm[2 * joint] * 1.15, 0)
        near = np.exp(-(beyond**2) / 12)
        dorsal_side, palmar_side = smoothstep(-(normals @ palmar) / 0.9), smoothstep((normals @ palmar) / 0.8)
        red += 0.55 * near * dorsal_side * _bump(along, 6)
        if joint > 0:
            for shift in (-2.2, 1.6) if joint == 1 else (0.0,):
                crease += 0.65 * near * palmar_side * _bump(along - shift, 1.2)
            for shift in (-3.0, -1.0, 1.0, 3.0):
                crease += 0.26 * near * dorsal_side * _bump(along - shift, 0.8)
    if finger.name != "thumb":
        crease += _base_crease(finger, points_mm, normals)
    return red, crease


def _base_crease(finger: Finger, points_mm: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Find the palmar crease where a long finger leaves the palm."""
    offset = points_mm - finger.joints_mm[0]
    along = offset @ finger.along[0]
    radius = np.linalg.norm(offset - np.outer(along, finger.along[0]), axis=1)
    near = np.exp(-(np.maximum(radius - finger.half_widths_mm[1] * 1.15, 0) ** 2) / 6) * (along > 0)
    return 0.8 * near * smoothstep((normals @ finger.palmar[0]) / 0.8) * _bump(along - 23, 1.3)


def _nail(finger: Finger, points_mm: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nail plate, its pale moon and the fold around it: a rounded rectangle on the back of the fingertip."""
    half_width = finger.half_widths_mm[6] * 0.92
    half_length = half_width * 1.25
    offset = points_mm - finger.joints_mm[3]
    u = (offset @ finger.along[2] + half_length * 1.02) / half_length
    v = (offset @ finger.flexion[2]) / half_width
    radius = (np.abs(u) ** 3.2 + np.abs(v) ** 3.2) ** (1 / 3.2)
    back = (normals @ finger.palmar[2] < -0.15) & (np.linalg.norm(offset, axis=1) < 26)
    plate = np.where(back, smoothstep((1.06 - radius) / 0.14), 0)
    moon = np.where(back, smoothstep((1.0 - radius) / 0.1) * smoothstep((-u - 0.45) / 0.3), 0)
    return plate, moon, np.where(back, _bump(radius - 1.08, 0.10), 0)


def _distance_to_curve(points_mm: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Distance of points, seen from above, to a (K, 2) polyline's (distal, radial) nodes."""
    plane = np.stack([-points_mm[:, 0], points_mm[:, 2]], axis=1)
    return np.linalg.norm(plane[:, None] - curve[None], axis=2).min(axis=1)


def _spline(nodes: Sequence[tuple[float, float]], samples: int) -> np.ndarray:
    return CubicSpline(np.linspace(0, 1, len(nodes)), np.array(nodes, dtype=float))(np.linspace(0, 1, samples))


def _palm_creases(points_mm: np.ndarray, normals: np.ndarray) -> np.ndarray:
    palm_side = smoothstep((-normals[:, 1] - 0.2) / 0.4)
    lines = (_bump(_distance_to_curve(points_mm, _spline(nodes, 80)), 1.7) for nodes in PALM_CREASES)
    return 0.6 * palm_side * np.maximum.reduce(list(lines))


def _palm_redness(points_mm: np.ndarray) -> np.ndarray:
    """Redden the balls of the little finger and of the thumb."""
    hypothenar = np.linalg.norm((points_mm - point(44, -12, -22)) / [26, 20, 14], axis=1)
    thenar = np.linalg.norm((points_mm - point(42, -14, 32)) / [26, 20, 18], axis=1)
    return 0.35 * np.exp(-hypothenar) + 0.35 * np.exp(-thenar)


def _tendons(points_mm: np.ndarray) -> np.ndarray:
    strength = np.zeros(len(points_mm))
    for name in LONG_FINGERS:
        start, knuckle = skeleton()[name].start_mm, skeleton()[name].joints_mm[0]
        bone = knuckle - start
        t = np.clip((points_mm - start) @ bone / (bone @ bone), 0, 1)
        aside = np.abs(points_mm[:, 2] - start[2] - t * bone[2])
        strength = np.maximum(strength, _bump(aside, 1.9) * smoothstep((t - 0.12) / 0.35) * smoothstep((1 - t) / 0.15))
    return strength


def _veins(points_mm: np.ndarray) -> np.ndarray:
    strength = np.zeros(len(points_mm))
    for nodes in VEINS:
        curve = _spline(nodes, 80) + np.outer(1.5 * np.sin(np.linspace(0, 9, 80)), [0, 1])
        strength = np.maximum(strength, _bump(_distance_to_curve(points_mm, curve), 1.5))
    return strength


def _mottling(points_mm: np.ndarray, rng: np.random.Generator, frequency: float) -> np.ndarray:
    """Smooth noise of about unit size: the mean of 24 waves in random directions."""
    waves, phases = rng.normal(size=(24, 3)) * frequency, rng.uniform(0, 2 * np.pi, 24)
    return 2 * np.sin(points_mm @ waves.T + phases).mean(axis=1)


def skin_colors(marks: Marks, tone_rgb: np.ndarray, seed: int) -> np.ndarray:
    """Tint a tone with the marks: (V, 3) sRGB in 0..1.

    Args:
        marks: from ``find_marks``.
        tone_rgb: (3,) colour of the back of the hand, sRGB in 0..1.
        seed: draws the mottling and the strength of redness, creases, tendons and veins.
    """
    rng = np.random.default_rng(seed)
    redness, lines, tendons, veins = rng.uniform((0.7, 0.7, 0.4, 0.2), (1.2, 1.15, 1.3, 1.3))
    mottle = 0.5 * _mottling(marks.points_mm, rng, 0.16) + 0.35 * _mottling(marks.points_mm, rng, 0.35)

    darkness = 1 - tone_rgb.mean()
    palm = tone_rgb + (PALE_SKIN - tone_rgb) * np.clip(1.1 * darkness - 0.15, 0.1, 0.6)
    nail_bed = tone_rgb * [1.08, 1.0, 1.07] + (PALE_SKIN - tone_rgb) * np.clip(darkness - 0.2, 0.05, 0.5)

    def tint(colors: np.ndarray, strength: np.ndarray, loss: Sequence[float]) -> np.ndarray:
        return colors * (1 - np.outer(strength, loss))

    def mix(colors: np.ndarray, strength: np.ndarray, target: np.ndarray) -> np.ndarray:
        return colors + strength[:, None] * (target - colors)

    colors = mix(np.tile(tone_rgb, (len(mottle), 1)), marks.palmar, palm)
    colors = tint(colors, -tendons * marks.tendon, (0.05, 0.045, 0.04))
    colors = tint(colors, veins * marks.vein, (0.075, 0.035, 0.0))
    colors = tint(colors, -0.035 * mottle, (0.6, 1.0, 1.0))
    colors = tint(colors, redness * marks.red, (0.01, 0.13, 0.13))
    colors = tint(colors, lines * marks.crease, (0.16, 0.27, 0.28))
    colors = tint(colors, 0.8 * marks.nail_edge, (0.14, 0.22, 0.22))
    colors = mix(colors, 0.85 * marks.nail, nail_bed)
    colors = mix(colors, 0.22 * marks.nail_moon, np.array([0.93, 0.84, 0.80]))
    return np.clip(colors, 0, 1)
