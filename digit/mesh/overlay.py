"""Shaded hands over their picture."""

from itertools import compress

import numpy as np

from digit.figures import upscale
from digit.hand.mano import Hands
from digit.hand.mesh import VERTEX_COUNT, seal
from digit.hand.open_hand.skin import refine
from digit.mesh.fit import Fits
from digit.render.shading import (
    Lights,
    Shadows,
    add_highlights,
    diffuse_light,
    draw,
    gather_light,
    lay_over,
    light_visibility,
    vertex_normals,
)
from digit.skeleton import HANDS

SUBDIVISIONS = 2
"""Steps of Loop's subdivision that make a mesh smooth enough to look at."""

COLORS = {"right": (0.90, 0.70, 0.60), "left": (0.58, 0.71, 0.88)}
"""Colours of the two hands, sRGB in 0..1."""

OPACITY = 0.94
SAMPLES = 3
"""Samples along each side of a pixel."""
GLOSS = 26.0
"""Exponent of the highlights."""
NEAREST_MM = 20.0
"""A hand of which anything is nearer to the camera is not drawn."""

SHADOWS = Shadows(texel_mm=0.8, offset_mm=1.2, tolerance_mm=1.5)
SHADOW_REACH_MM = 500.0
"""Hands whose middles are nearer than this shade one another; a map of shadows is never much larger."""
SOFTNESS = np.array([0.35, 0.30, 0.28])
"""How far light bleeds past the terminator, in red, green and blue."""
SPREAD = np.array([5, 4, 4])
"""How many vertices light spreads under the skin."""
AMBIENT = np.float32(0.15)

KEY, KEY_RADIANCE, KEY_WIDTH = (-0.60, -0.80, -0.55), (0.92, 0.90, 0.87), 0.16
"""The lamp above the camera on its left, and how wide it is: four lights, so that shadows have soft edges."""
FILLS = {(0.9, -0.1, -0.5): (0.22, 0.24, 0.28), (0.1, 0.9, 0.3): (0.10, 0.10, 0.12)}
"""A weaker lamp on the right, and one from below and behind."""


def _lights() -> Lights:
    """Lamps around the camera, in its frame."""
    corners = [(x * KEY_WIDTH, y * KEY_WIDTH, 0.0) for x in (-1, 1) for y in (-1, 1)]
    directions = np.concatenate([np.array(KEY) + corners, list(FILLS)])
    radiance = np.concatenate([np.tile(np.array(KEY_RADIANCE) / len(corners), (len(corners), 1)), list(FILLS.values())])
    return Lights(directions / np.linalg.norm(directions, axis=1, keepdims=True), radiance)


class MeshPainter:
    """Draws the meshes of fits.

    Args:
        hands: that were fitted.
    """

    def __init__(self, hands: Hands) -> None:
        self._surfaces = {side: refine(hands[side].sealed_faces, VERTEX_COUNT + 1, SUBDIVISIONS) for side in HANDS}

    def __call__(
        self,
        image: np.ndarray,
        fits: Fits,
        focal_px: np.ndarray,
        princpt_px: np.ndarray,
        scale: int = 1,
        opacity: float = OPACITY,
    ) -> np.ndarray:
        """Lay the hands of one picture over it; they hide and shade one another.

        Args:
            image: (H, W, 3) uint8 RGB.
            fits: in the frame of the picture's camera; hands that were not fitted, or that reach behind the camera,
                are left out.
            focal_px: (2,) focal lengths.
            princpt_px: (2,) principal point, pixel centres at integers.
            scale: enlarge the picture by this whole number first.
            opacity: 0 to 1, of the hands.

        Returns:
            (H * scale, W * scale, 3) uint8 RGB.
        """
        picture = upscale(image, scale)
        before = fits.vertices_cam_mm[..., 2].min(axis=1, initial=np.inf) > NEAREST_MM
        shown = np.flatnonzero(fits.fitted & before)
        if not len(shown):
            return picture
        surfaces = [self._surface(fits, row) for row in shown.tolist()]
        middles = fits.vertices_cam_mm[shown].mean(axis=1)
        near = np.linalg.norm(middles[:, None] - middles, axis=2) < SHADOW_REACH_MM
        colors = np.concatenate(
            [
                _shade(*surface, *_joined(list(compress(surfaces, neighbours))), COLORS[fits.side[row]])
                for row, surface, neighbours in zip(shown, surfaces, near, strict=True)
            ]
        )
        vertices, faces = _joined(surfaces)
        focal_px, princpt_px = np.asarray(focal_px) * scale, (np.asarray(princpt_px) + 0.5) * scale - 0.5
        size_px = (picture.shape[1], picture.shape[0])
        layer, window = draw(vertices, faces, colors, focal_px, princpt_px, size_px, SAMPLES, closed=True)
        below = to_linear(picture[window].astype(np.float32) / 255).astype(np.float32)
        lay_over(below, np.clip(layer, 0, 1) * np.float32(opacity))
        picture[window] = np.round(to_srgb(below) * 255).astype(np.uint8)
        return picture

    def _surface(self, fits: Fits, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) and faces (F, 3) of a hand, fine and closed."""
        matrix, faces = self._surfaces[fits.side[row]]
        return matrix @ seal(fits.vertices_cam_mm[row]), faces


def _joined(surfaces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in surfaces)])
    faces = [faces + start for (_, faces), start in zip(surfaces, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in surfaces]), np.concatenate(faces)


def _shade(
    vertices: np.ndarray,
    faces: np.ndarray,
    shading_vertices: np.ndarray,
    shading_faces: np.ndarray,
    color: tuple[float, float, float],
) -> np.ndarray:
    """Linear light (V, 3) float32 that a camera at the origin gets from each vertex of a hand, itself in its shade."""
    lights, normals = _lights(), vertex_normals(vertices, faces)
    visibility = light_visibility(
        vertices, normals, shading_vertices, shading_faces, lights.directions, SHADOWS, closed=True
    )
    light = gather_light(normals, lights.directions, lights.radiance, visibility, SOFTNESS) + AMBIENT
    light = diffuse_light(light, faces, SPREAD)
    gloss = np.full(len(vertices), GLOSS)
    return add_highlights(
        vertices,
        normals,
        (to_linear(np.array(color)) * light).astype(np.float32),
        light,
        np.zeros(3),
        lights.directions,
        lights.radiance,
        visibility,
        gloss,
    )


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """Turn sRGB in 0..1 into linear light in 0..1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Inverse of :func:`to_linear`."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
