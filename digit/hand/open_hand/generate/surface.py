"""The open hand's skin as a signed distance function: capsules and ellipsoids, smoothly joined.

Points are (N, 3) in the right hand's wrist frame, mm; distances are (N,), negative inside. The functions take the
fingers as an argument, so that the same surface serves bent fingers.
"""

from collections.abc import Callable
from functools import reduce

import numpy as np

from digit.hand.open_hand.anatomy import LONG_FINGERS, Finger, point, unit

CUT_MM = 14.0
"""The hand ends at x = CUT_MM, this far behind the wrist joint."""

Fingers = dict[str, Finger]

_WEBS = (("index", "middle", 21, 19), ("middle", "ring", 19, 23), ("ring", "pinky", 22, 20))
"""Neighbours and how far beyond each knuckle the web between them lies, mm."""


def smooth_min(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Polynomial smooth minimum (Quilez): rounds the seam of two surfaces over about ``blend_mm``."""
    h = np.clip(0.5 + 0.5 * (b - a) / blend_mm, 0, 1)
    return b + (a - b) * h - blend_mm * h * (1 - h)


def join(distances: list[np.ndarray], blend_mm: float) -> np.ndarray:
    """Smooth union of several surfaces, in order."""
    return reduce(lambda a, b: smooth_min(a, b, blend_mm), distances)


def sphere(points: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Distance to a ball."""
    return np.linalg.norm(points - centre, axis=1) - radius


def capsule(
    points: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    radii: tuple[float, float],
    flat: np.ndarray | None = None,
    depth: float = 1.0,
) -> np.ndarray:
    """Distance to a tapered capsule, pressed along the unit vector ``flat`` to ``depth`` times its width."""
    axis = ends[1] - ends[0]
    offset = points - ends[0]
    t = np.clip(offset @ axis / (axis @ axis), 0, 1)
    across = offset - t[:, None] * axis
    radius = radii[0] + (radii[1] - radii[0]) * t
    if flat is None:
        return np.linalg.norm(across, axis=1) - radius
    across = across + np.outer((across @ flat) * (1 / depth - 1), flat)
    return (np.linalg.norm(across, axis=1) - radius) * (0.5 + 0.5 * depth)


def ellipsoid(
    points: np.ndarray, centre: np.ndarray, along: np.ndarray, radii: tuple[float, float, float]
) -> np.ndarray:
    """Approximate distance to an ellipsoid with its first axis along a direction and the third horizontal."""
    first = unit(along)
    third = unit(np.cross(first, (0.0, 1.0, 0.0)))
    local = (points - centre) @ np.stack([first, np.cross(third, first), third]).T
    scaled = np.linalg.norm(local / radii, axis=1)
    return scaled * (scaled - 1) / (np.linalg.norm(local / np.square(radii), axis=1) + 1e-9)


def finger_distance(points: np.ndarray, finger: Finger) -> np.ndarray:
    """Distance to one finger: six pressed capsules from the knuckle to the tip, thicker on the pads."""
    thumb = finger.name == "thumb"
    joints, along, pads = finger.joints_mm, finger.along, finger.palmar
    lengths, radii = finger.lengths_mm, finger.half_widths_mm
    centres = [
        joints[0],
        joints[0] + along[0] * lengths[0] * (0.55 if thumb else 0.5),
        joints[1],
        joints[1] + along[1] * lengths[1] * 0.5,
        joints[2],
        joints[2] + along[2] * lengths[2] * 0.45,
        joints[3] - along[2] * radii[6] * 0.95,
    ]
    towards_pad = (0, 0, -0.5, 0.6, -0.5, 0.8, -0.2) if thumb else (0, 0.9, -0.6, 0.8, -0.4, 0.5, -0.2)
    bones = (0, 0, 0, 1, 1, 2, 2)
    nodes = [centre + pads[bone] * shift for centre, bone, shift in zip(centres, bones, towards_pad, strict=True)]
    pieces = [
        capsule(points, (nodes[k], nodes[k + 1]), (radii[k], radii[k + 1]), pads[k // 2], finger.depth)
        for k in range(6)
    ]
    distance = join(pieces, 2.0)
    if thumb:
        return distance
    return smooth_min(distance, sphere(points, joints[1] - pads[0] * 1.6, radii[2] * 0.88), 3.0)


def palm_distance(points: np.ndarray, fingers: Fingers) -> np.ndarray:
    """Distance to the palm with the balls of thumb and little finger, and the wrist."""
    metacarpals = [
        capsule(
            points,
            (fingers[name].start_mm + point(0, -2, 0), fingers[name].joints_mm[0] + point(-4, -3, 0)),
            (14.0, fingers[name].half_widths_mm[0] * 1.06),
        )
        for name in LONG_FINGERS
    ]
    distance = join(metacarpals, 9.0)
    radial = fingers["index"].joints_mm[0] + point(-9, -6.8, -2)
    middle = fingers["ring"].joints_mm[0] + point(-8, -6.8, 2)
    ulnar = fingers["pinky"].joints_mm[0] + point(-6, -5.5, 2)
    distance = smooth_min(distance, capsule(points, (radial, middle), (7.6, 7.6)), 12.0)
    distance = smooth_min(distance, capsule(points, (middle, ulnar), (7.6, 7.2)), 12.0)
    hypothenar = ellipsoid(points, point(44, -7, -21), point(1, 0, -0.30), (36.0, 13.5, 14.5))
    thumb = fingers["thumb"]
    thenar_centre = thumb.joints_mm[0] + thumb.along[0] * 20 + point(0, -3, -5)
    thenar = ellipsoid(points, thenar_centre, thumb.along[0], (31.0, 14.5, 16.0))
    distance = smooth_min(smooth_min(distance, hypothenar, 9.0), thenar, 9.0)
    wrist = capsule(points, (point(-60, 0, 0), point(8, 0, 0)), (28.5, 28.0), np.array([0.0, 1.0, 0.0]), 0.67)
    return smooth_min(distance, wrist, 14.0)


def hand_distance(points: np.ndarray, fingers: Fingers) -> np.ndarray:
    """Distance to the whole hand, which reaches beyond ``CUT_MM`` as a forearm."""
    long_fingers = join([finger_distance(points, fingers[name]) for name in LONG_FINGERS], 4.5)
    for first, second, reach1, reach2 in _WEBS:
        ends = tuple(
            fingers[name].joints_mm[0] + fingers[name].along[0] * reach + fingers[name].palmar[0] * 3.5
            for name, reach in ((first, reach1), (second, reach2))
        )
        long_fingers = smooth_min(long_fingers, capsule(points, ends, (5.8, 5.8)), 6.0)
    thumb, index = fingers["thumb"], fingers["index"]
    web_ends = (thumb.joints_mm[1] - thumb.along[0] * 10 + point(0, 2, -2), index.joints_mm[0] + point(-22, -5, -1))
    palm = smooth_min(palm_distance(points, fingers), capsule(points, web_ends, (7.5, 8.0)), 12.0)
    distance = smooth_min(smooth_min(palm, finger_distance(points, thumb), 9.0), long_fingers, 6.5)
    for name in LONG_FINGERS:
        finger = fingers[name]
        knuckle = sphere(points, finger.joints_mm[0] + np.array([1.5, 2.6, 0]), finger.half_widths_mm[0] * 0.82)
        distance = smooth_min(distance, knuckle, 6.0)
    return distance


def gradient(distance: Callable[[np.ndarray], np.ndarray], points: np.ndarray, step_mm: float = 0.25) -> np.ndarray:
    """(N, 3) central differences of a distance function."""
    steps = step_mm * np.eye(3)
    return np.stack([distance(points + s) - distance(points - s) for s in steps], axis=1) / (2 * step_mm)


def project(points: np.ndarray, fingers: Fingers, on_cut: np.ndarray, steps: int, reach_mm: float = 3.0) -> np.ndarray:
    """Newton steps onto the surface; points ``on_cut`` (N,) bool stay in the wrist plane."""

    def distance(at: np.ndarray) -> np.ndarray:
        return hand_distance(at, fingers)

    for _ in range(steps):
        slope = gradient(distance, points)
        slope[on_cut, 0] = 0
        move = np.clip(distance(points) / ((slope**2).sum(axis=1) + 1e-9), -reach_mm, reach_mm)
        points = points - move[:, None] * slope
        points[on_cut, 0] = CUT_MM
    return points
