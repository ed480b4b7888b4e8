"""Light on a surface, fast: shadows are cast by a coarse mesh, and the dome's are read at its vertices only."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from digit.render.shading import Shadows, diffuse_light, gather_light, light_visibility, vertex_normals
from digit.synthetic.lighting import Studio
from digit.synthetic.scene import SKIN_WRAP, SPREAD_ROUNDS, LitSurface, Surface

LAMP_SHADOWS = Shadows(texel_mm=1.4, offset_mm=1.4, tolerance_mm=3.0)
DOME_SHADOWS = Shadows(texel_mm=4.0, offset_mm=2.5, tolerance_mm=4.0)


@dataclass(frozen=True)
class Refinement:
    """How values at the vertices of one coarse mesh become values at its fine one.

    ``matrix`` (fine, coarse) is None where both are the same; ``count`` coarse vertices, more than the matrix has
    columns where some serve the coarse mesh only.
    """

    matrix: sparse.csr_matrix | None
    count: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Refine values (count, K)."""
        return values if self.matrix is None else self.matrix @ values[: self.matrix.shape[1]]


def light_closed_surface(surface: Surface, studio: Studio, refinements: list[Refinement]) -> LitSurface:
    """Gather the light at every vertex of a closed surface.

    Args:
        surface: its coarse mesh must be closed and wound outwards, too.
        studio: the light.
        refinements: of the meshes that the surface joins, in its order.
    """
    shadow = surface.coarse_mm, surface.coarse_faces
    lamps, dome = studio.lamps, studio.dome
    points = surface.vertices_mm, surface.normals
    lamps_seen = light_visibility(*points, *shadow, lamps.directions, LAMP_SHADOWS, closed=True)
    coarse_points = surface.coarse_mm, vertex_normals(*shadow)
    coarse_seen = light_visibility(*coarse_points, *shadow, dome.directions, DOME_SHADOWS, closed=True).T
    starts = np.cumsum([0] + [refinement.count for refinement in refinements[:-1]])
    parts = [coarse_seen[start:][: part.count] for start, part in zip(starts, refinements, strict=True)]
    fine_seen = [part.apply(values) for part, values in zip(refinements, parts, strict=True)]
    dome_seen = np.ascontiguousarray(np.concatenate(fine_seen).T, dtype=np.float32)
    light = gather_light(surface.normals, lamps.directions, lamps.radiance, lamps_seen, SKIN_WRAP)
    light += gather_light(surface.normals, dome.directions, dome.radiance, dome_seen, SKIN_WRAP)
    return LitSurface(surface, studio, diffuse_light(light, surface.faces, SPREAD_ROUNDS), lamps_seen)
