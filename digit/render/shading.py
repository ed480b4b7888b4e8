"""Shaded pictures of skin on the CPU: lights that cast shadows, soft skin shading, antialiased drawing.

Light is gathered at the vertices of a fine mesh, once for all cameras: every directional light has a depth map
seen from its side, so that hands and fingers shade one another. A camera then adds highlights and draws.
All colours are linear RGB; units are mm and px; pixel centres lie at integers.
"""

from dataclasses import dataclass

import numpy as np

from digit.render.raster import face_buffer, nearness_buffer
from digit.run.compiled import compiled

LIGHT_DISTANCE_MM = 20000.0
"""Shadow maps are drawn from this far, where perspective is negligible."""

FRESNEL_FACING = 0.028
"""Reflectance of skin at normal incidence."""


@dataclass(frozen=True)
class Lights:
    """Directional lights: ``directions`` (K, 3) unit vectors towards them, ``radiance`` (K, 3) linear RGB."""

    directions: np.ndarray
    radiance: np.ndarray


@dataclass(frozen=True)
class Shadows:
    """How shadow maps are sampled: texel size, distance off the surface at which they are read, depth tolerance."""

    texel_mm: float
    offset_mm: float
    tolerance_mm: float


@compiled
def extent(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates (D,) of points (N, D)."""
    low, high = np.full(points.shape[1], np.inf), np.full(points.shape[1], -np.inf)
    for p in range(len(points)):
        for k in range(points.shape[1]):
            low[k], high[k] = min(low[k], points[p, k]), max(high[k], points[p, k])
    return low, high


@compiled
def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) of vertices (N, 3), mean over faces (M, 3) weighted by their areas."""
    normals = np.zeros_like(vertices)
    for m in range(faces.shape[0]):
        a, b, c = faces[m, 0], faces[m, 1], faces[m, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for n in range(len(normals)):
        length = np.sqrt(normals[n, 0] ** 2 + normals[n, 1] ** 2 + normals[n, 2] ** 2) + 1e-12
        normals[n] /= length
    return normals


def light_visibility(
    points_mm: np.ndarray,
    normals: np.ndarray,
    occluder_mm: np.ndarray,
    occluder_faces: np.ndarray,
    directions: np.ndarray,
    shadows: Shadows,
    closed: bool = False,
) -> np.ndarray:
    """How much of each directional light reaches each point: (K, N) float32 in 0..1, soft at shadow edges.

    Args:
        points_mm: (N, 3) points.
        normals: (N, 3) of the surface there.
        occluder_mm: (V, 3) vertices of what casts shadows, same frame.
        occluder_faces: (M, 3).
        directions: (K, 3) unit vectors towards the lights.
        shadows: sampling of the shadow maps.
        closed: whether what casts shadows is closed and wound outwards, so that half of its faces need no drawing.
    """
    lowest, highest = extent(occluder_mm)
    centre = (lowest + highest) / 2
    radius = np.linalg.norm(occluder_mm - centre, axis=1).max()
    size = 2 * int(np.ceil(radius / shadows.texel_mm)) + 5
    focal_px = np.full(2, LIGHT_DISTANCE_MM / shadows.texel_mm)
    princpt_px = np.full(2, (size - 1) / 2)
    offset_mm = points_mm + normals * shadows.offset_mm - centre
    visibility = np.empty((len(directions), len(points_mm)), np.float32)
    for k, direction in enumerate(directions):
        frame = _light_frame(direction)
        seen_mm = (occluder_mm - centre) @ frame.T
        seen_mm[:, 2] += LIGHT_DISTANCE_MM
        faces = front_faces(seen_mm, occluder_faces) if closed else occluder_faces
        _, depth_mm = face_buffer(seen_mm, faces, focal_px, princpt_px, size, size)
        _sample_shadow(offset_mm @ frame.T, depth_mm, focal_px[0], princpt_px[0], shadows.tolerance_mm, visibility[k])
    return visibility


def _light_frame(direction: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) into a camera that looks along the light, from its side."""
    forward = -direction
    side = np.cross(forward, (1.0, 0.0, 0.0) if abs(forward[0]) < 0.7 else (0.0, 1.0, 0.0))
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(forward, side), forward])


@compiled
def _sample_shadow(
    points: np.ndarray, depth: np.ndarray, focal: float, centre: float, tolerance: float, out: np.ndarray
) -> None:
    height, width = depth.shape
    for n in range(len(points)):
        z = points[n, 2] + LIGHT_DISTANCE_MM
        u, v = focal * points[n, 0] / z + centre, focal * points[n, 1] / z + centre
        column, row = int(np.floor(u)), int(np.floor(v))
        share_u, share_v = u - column, v - row
        lit = 0.0
        for i in range(2):
            for j in range(2):
                y, x = row + i, column + j
                weight = (share_v if i else 1 - share_v) * (share_u if j else 1 - share_u)
                if y < 0 or x < 0 or y >= height or x >= width or z - tolerance < depth[y, x]:
                    lit += weight
        out[n] = lit


@compiled
def gather_light(
    normals: np.ndarray, directions: np.ndarray, radiance: np.ndarray, visibility: np.ndarray, wrap: np.ndarray
) -> np.ndarray:
    """Light that falls on each vertex: (N, 3) float32.

    Args:
        normals: (N, 3).
        directions: (K, 3) unit vectors towards the lights.
        radiance: (K, 3) linear RGB.
        visibility: (K, N) share of each light that arrives.
        wrap: (3,) how far light bleeds past the terminator in each channel, 0 for Lambert's law; skin lets red
            through the most.
    """
    light = np.zeros((len(normals), 3), np.float32)
    for k in range(len(directions)):
        for n in range(len(normals)):
            seen = visibility[k, n]
            if seen == 0.0:
                continue
            cosine = (
                normals[n, 0] * directions[k, 0] + normals[n, 1] * directions[k, 1] + normals[n, 2] * directions[k, 2]
            )
            for c in range(3):
                wrapped = (cosine + wrap[c]) / ((1 + wrap[c]) * (1 + wrap[c]))
                if wrapped > 0:
                    light[n, c] += radiance[k, c] * seen * wrapped
    return light


@compiled
def diffuse_light(light: np.ndarray, faces: np.ndarray, rounds: np.ndarray) -> np.ndarray:
    """Light (N, 3) spread under the skin: each channel averaged with its neighbours ``rounds`` (3,) times."""
    spread = light.copy()
    count = np.zeros(len(light), np.float32)
    for m in range(faces.shape[0]):
        for k in range(3):
            count[faces[m, k]] += 2.0
    for step in range(rounds.max()):
        total = np.zeros_like(light)
        for m in range(faces.shape[0]):
            for k in range(3):
                here, one, two = faces[m, k], faces[m, (k + 1) % 3], faces[m, (k + 2) % 3]
                for c in range(3):
                    total[here, c] += spread[one, c] + spread[two, c]
        for n in range(len(light)):
            for c in range(3):
                if step < rounds[c] and count[n] > 0:
                    spread[n, c] = 0.4 * spread[n, c] + 0.6 * total[n, c] / count[n]
    return spread


@compiled
def add_highlights(
    points: np.ndarray,
    normals: np.ndarray,
    reflected: np.ndarray,
    light: np.ndarray,
    eye: np.ndarray,
    directions: np.ndarray,
    radiance: np.ndarray,
    visibility: np.ndarray,
    gloss: np.ndarray,
) -> np.ndarray:
    """Colours (N, 3) float32 seen from one eye: diffuse reflection plus Blinn-Phong highlights with Schlick's Fresnel.

    Args:
        points: (N, 3) mm.
        normals: (N, 3).
        reflected: (N, 3) diffusely reflected light.
        light: (N, 3) light that falls on the vertex, mirrored faintly at grazing angles.
        eye: (3,) the camera's place in the same frame.
        directions: (K, 3) unit vectors towards the lights that make highlights.
        radiance: (K, 3) linear RGB.
        visibility: (K, N) share of each light that arrives.
        gloss: (N,) Blinn-Phong exponent of each vertex; 0 for no highlight.
    """
    colors = reflected.copy()
    for n in range(len(points)):
        if gloss[n] <= 0.0:
            continue
        vx, vy, vz = eye[0] - points[n, 0], eye[1] - points[n, 1], eye[2] - points[n, 2]
        length = np.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx / length, vy / length, vz / length
        facing = vx * normals[n, 0] + vy * normals[n, 1] + vz * normals[n, 2]
        if facing <= 0.0:
            continue
        sheen = 0.25 * (FRESNEL_FACING + (1 - FRESNEL_FACING) * (1 - facing) ** 5) * 0.5
        for c in range(3):
            colors[n, c] += sheen * light[n, c]
        for k in range(len(directions)):
            cosine = (
                normals[n, 0] * directions[k, 0] + normals[n, 1] * directions[k, 1] + normals[n, 2] * directions[k, 2]
            )
            if cosine <= 0.0 or visibility[k, n] == 0.0:
                continue
            hx, hy, hz = vx + directions[k, 0], vy + directions[k, 1], vz + directions[k, 2]
            norm = np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
            half = max((hx * normals[n, 0] + hy * normals[n, 1] + hz * normals[n, 2]) / norm, 0.0)
            grazing = 1 - max((hx * vx + hy * vy + hz * vz) / norm, 0.0)
            fresnel = FRESNEL_FACING + (1 - FRESNEL_FACING) * grazing**5
            strength = fresnel * (gloss[n] + 8) / 8 * half ** gloss[n] * cosine * visibility[k, n]
            for c in range(3):
                colors[n, c] += strength * radiance[k, c]
    return colors


def draw(
    points_cam_mm: np.ndarray,
    faces: np.ndarray,
    colors: np.ndarray,
    focal_px: np.ndarray,
    princpt_px: np.ndarray,
    size_px: tuple[int, int],
    samples: int = 2,
    closed: bool = False,
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Draw coloured vertices, antialiased by ``samples`` x ``samples`` points in each pixel.

    Args:
        points_cam_mm: (N, 3) camera frame, all in front of the camera.
        faces: (M, 3).
        colors: (N, 3) float32 linear RGB.
        focal_px: (2,) focal lengths.
        princpt_px: (2,) principal point.
        size_px: width and height of the picture.
        samples: samples along each side of a pixel.
        closed: whether the mesh is closed and wound outwards, so that faces seen from behind need no drawing.

    Returns:
        (h, w, 4) float32 premultiplied RGB and coverage of the window that the mesh touches, and the window's
        rows and columns in the picture. The window is empty when nothing is in view.
    """
    if closed:
        faces = front_faces(points_cam_mm, faces)
    seen_px = points_cam_mm[:, :2] / points_cam_mm[:, 2:] * focal_px + princpt_px
    lowest, highest = extent(seen_px)
    low = np.clip(np.floor(lowest).astype(int) - 1, 0, size_px)
    high = np.clip(np.ceil(highest).astype(int) + 2, 0, size_px)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    width, height = np.maximum(high - low, 0)
    if width == 0 or height == 0:
        return np.zeros((height, width, 4), np.float32), window
    fine_princpt = (princpt_px - low + 0.5) * samples - 0.5
    face_index, _ = nearness_buffer(
        points_cam_mm, faces, focal_px * samples, fine_princpt, int(width) * samples, int(height) * samples
    )
    fine_px = (seen_px - low + 0.5) * samples - 0.5
    return _resolve(face_index, fine_px, 1 / points_cam_mm[:, 2], faces, colors, samples), window


@compiled
def front_faces(points_cam_mm: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The faces (M, 3) of points (N, 3), camera frame, whose outer side is seen: (K, 3)."""
    seen = np.empty_like(faces)
    count = 0
    for m in range(len(faces)):
        a, b, c = faces[m, 0], faces[m, 1], faces[m, 2]
        ax, ay, az = points_cam_mm[a, 0], points_cam_mm[a, 1], points_cam_mm[a, 2]
        ux, uy, uz = points_cam_mm[b, 0] - ax, points_cam_mm[b, 1] - ay, points_cam_mm[b, 2] - az
        vx, vy, vz = points_cam_mm[c, 0] - ax, points_cam_mm[c, 1] - ay, points_cam_mm[c, 2] - az
        if (uy * vz - uz * vy) * ax + (uz * vx - ux * vz) * ay + (ux * vy - uy * vx) * az < 0:
            seen[count] = faces[m]
            count += 1
    return seen[:count]


@compiled
def _resolve(
    face_index: np.ndarray,
    corners_px: np.ndarray,
    inverse_depth: np.ndarray,
    faces: np.ndarray,
    colors: np.ndarray,
    samples: int,
) -> np.ndarray:
    """Average perspective-correct colours of the samples in each pixel."""
    height, width = face_index.shape[0] // samples, face_index.shape[1] // samples
    picture = np.zeros((height, width, 4), np.float32)
    share = np.float32(1.0 / (samples * samples))
    for row in range(face_index.shape[0]):
        for column in range(face_index.shape[1]):
            face = face_index[row, column]
            if face < 0:
                continue
            a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
            ax, ay = corners_px[a, 0] - column, corners_px[a, 1] - row
            bx, by = corners_px[b, 0] - column, corners_px[b, 1] - row
            cx, cy = corners_px[c, 0] - column, corners_px[c, 1] - row
            wa = abs(bx * cy - by * cx) * inverse_depth[a]
            wb = abs(cx * ay - cy * ax) * inverse_depth[b]
            wc = abs(ax * by - ay * bx) * inverse_depth[c]
            scale = share / (wa + wb + wc + 1e-30)
            y, x = row // samples, column // samples
            for k in range(3):
                picture[y, x, k] += (wa * colors[a, k] + wb * colors[b, k] + wc * colors[c, k]) * scale
            picture[y, x, 3] += share
    return picture


@compiled
def lay_over(picture: np.ndarray, layer: np.ndarray) -> float:
    """Put what :func:`draw` drew, (h, w, 4), over linear light (h, w, 3) float32, in place.

    Returns:
        the mean light of the layer where it covers.
    """
    whole, total, cover = np.float32(1.0), 0.0, 0.0
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            share = layer[y, x, 3]
            if share > 0:
                cover += share
                for c in range(3):
                    total += layer[y, x, c]
                    picture[y, x, c] = picture[y, x, c] * (whole - share) + layer[y, x, c]
    return total / max(3 * cover, 1.0)
