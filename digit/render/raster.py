"""A z-buffer in numba: which face, at which depth, every pixel sees. Needs no OpenGL.

Conventions: pixel (column i, row j) is sampled at the image point (i, j), so pixel centres sit at integer
coordinates; ``u = fx X / Z + cx``. Both windings are drawn.

Screen positions are snapped to 1/4096 px and coverage is decided in integers with the top-left rule
(J. Pineda, "A Parallel Algorithm for Polygon Rasterization", 1988), so that a pixel on an edge shared by two
faces belongs to exactly one of them. 1/Z is linear on the screen: the depth is perspective-correct.
"""

import numpy as np

from digit.run.compiled import compiled

NEAR_MM = 1.0
"""Faces with a vertex nearer than this, or behind the camera, are left out whole rather than clipped."""

SUBPIXELS = 4096
FARTHEST_PX = 131072.0
"""Faces with a vertex projected farther out than this are left out: the integers below could overflow."""


def face_buffer(
    vertices_cam_mm: np.ndarray,
    faces: np.ndarray,
    focal_px: np.ndarray,
    princpt_px: np.ndarray,
    width: int,
    height: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the face that each pixel sees, and how far away it is.

    Of several faces at equal depth (equal 1/Z in float32) the one with the lowest index is seen.

    Args:
        vertices_cam_mm: (N, 3) camera frame, mm. Faces with a non-finite vertex are left out.
        faces: (M, 3) vertex numbers; the winding does not matter.
        focal_px: (2,) focal lengths.
        princpt_px: (2,) principal point, in the convention of pixel centres at integers.
        width: Columns of the image.
        height: Rows of the image.

    Returns:
        face_index (height, width) int32, -1 where nothing is seen; depth_mm (height, width) float32, Z in the
        camera frame, infinite where nothing is seen.
    """
    face_index, inverse_depth = nearness_buffer(vertices_cam_mm, faces, focal_px, princpt_px, width, height)
    with np.errstate(divide="ignore"):
        return face_index, np.float32(1.0) / inverse_depth


def nearness_buffer(
    vertices_cam_mm: np.ndarray,
    faces: np.ndarray,
    focal_px: np.ndarray,
    princpt_px: np.ndarray,
    width: int,
    height: int,
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`face_buffer`, with 1/Z, which is what is compared, instead of Z; 0 where nothing is seen."""
    vertices, faces, focal, princpt = _checked(vertices_cam_mm, faces, focal_px, princpt_px)
    face_index = np.full((height, width), -1, dtype=np.int32)
    inverse_depth = np.zeros((height, width), dtype=np.float32)
    numbers = np.arange(len(faces), dtype=np.int32)
    _draw(*_project(vertices, focal, princpt), faces, numbers, 0, 0, face_index, inverse_depth)
    return face_index, inverse_depth


def label_mask(
    vertices_cam_mm: np.ndarray,
    faces: np.ndarray,
    face_labels: np.ndarray,
    focal_px: np.ndarray,
    princpt_px: np.ndarray,
    width: int,
    height: int,
) -> np.ndarray:
    """Find the label of the face that each pixel sees.

    Args:
        vertices_cam_mm: (N, 3) camera frame, mm.
        faces: (M, 3) vertex numbers.
        face_labels: (M,) uint8 label of each face.
        focal_px: (2,) focal lengths.
        princpt_px: (2,) principal point.
        width: Columns of the image.
        height: Rows of the image.

    Returns:
        (height, width) uint8, 0 where nothing is seen.
    """
    vertices, faces, focal, princpt = _checked(vertices_cam_mm, faces, focal_px, princpt_px)
    if len(face_labels) != len(faces):
        raise ValueError(f"face_labels has {len(face_labels)} entries for {len(faces)} faces")
    mask = np.zeros((height, width), dtype=np.uint8)
    _label(*_project(vertices, focal, princpt), faces, np.ascontiguousarray(face_labels, dtype=np.uint8), mask)
    return mask


def _checked(
    vertices: np.ndarray, faces: np.ndarray, focal: np.ndarray, princpt: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Contiguous arrays of the types that the kernels are compiled for; refuses faces that point nowhere."""
    faces = np.ascontiguousarray(faces, dtype=np.int64)
    low, high = _extremes(faces)
    if low < 0 or high >= len(vertices):
        raise ValueError(f"faces name vertices {low}..{high}, but there are {len(vertices)}")
    floats = [np.ascontiguousarray(values, dtype=np.float64) for values in (vertices, focal, princpt)]
    return floats[0], faces, floats[1], floats[2]


@compiled
def _extremes(faces: np.ndarray) -> tuple[int, int]:
    """The lowest and the highest vertex number; 0 and -1 without faces."""
    low, high = 0, -1
    for m in range(len(faces)):
        for k in range(faces.shape[1]):
            low, high = min(low, faces[m, k]), max(high, faces[m, k])
    return low, high


@compiled
def _project(vertices: np.ndarray, focal: np.ndarray, princpt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices on the screen: (N, 2) in 1/4096 px, and (N,) 1/Z, which is 0 for one that cannot be drawn."""
    screen = np.zeros((len(vertices), 2), dtype=np.int64)
    inverse = np.zeros(len(vertices))
    for n in range(len(vertices)):
        z = vertices[n, 2]
        if not (z > NEAR_MM and z < np.inf):
            continue
        u = vertices[n, 0] / z * focal[0] + princpt[0]
        v = vertices[n, 1] / z * focal[1] + princpt[1]
        if abs(u) < FARTHEST_PX and abs(v) < FARTHEST_PX:
            screen[n, 0] = np.int64(np.floor(u * SUBPIXELS + 0.5))
            screen[n, 1] = np.int64(np.floor(v * SUBPIXELS + 0.5))
            inverse[n] = 1.0 / z
    return screen, inverse


@compiled
def _draw(
    screen: np.ndarray,
    inverse: np.ndarray,
    faces: np.ndarray,
    face_values: np.ndarray,
    left: int,
    top: int,
    values: np.ndarray,
    inverse_depth: np.ndarray,
) -> None:
    """Write the value of the nearest face into a window of the image whose first pixel is (left, top), in place."""
    rows, columns = values.shape
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if inverse[a] == 0.0 or inverse[b] == 0.0 or inverse[c] == 0.0:
            continue
        ax, ay = screen[a, 0], screen[a, 1]
        bx, by = screen[b, 0], screen[b, 1]
        cx, cy = screen[c, 0], screen[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        if area < 0:
            b, c = c, b
            bx, by, cx, cy = cx, cy, bx, by
            area = -area
        first = max(-(-min(ax, bx, cx) // SUBPIXELS), left)
        last = min(max(ax, bx, cx) // SUBPIXELS, left + columns - 1)
        first_row = max(-(-min(ay, by, cy) // SUBPIXELS), top)
        last_row = min(max(ay, by, cy) // SUBPIXELS, top + rows - 1)
        if first > last or first_row > last_row:
            continue
        # Twice the area between an edge and the pixel, for the edges opposite to a, b and c, less 1 for edges that
        # do not own the pixels exactly on them: left edges (going up) and top ones (level, going right) do.
        x, y = first * SUBPIXELS, first_row * SUBPIXELS
        bias_a = 0 if cy < by or (cy == by and cx > bx) else 1
        bias_b = 0 if ay < cy or (ay == cy and ax > cx) else 1
        bias_c = 0 if by < ay or (by == ay and bx > ax) else 1
        edge_a = (cx - bx) * (y - by) - (cy - by) * (x - bx) - bias_a
        edge_b = (ax - cx) * (y - cy) - (ay - cy) * (x - cx) - bias_b
        edge_c = (bx - ax) * (y - ay) - (by - ay) * (x - ax) - bias_c
        right_a, right_b, right_c = (by - cy) * SUBPIXELS, (cy - ay) * SUBPIXELS, (ay - by) * SUBPIXELS
        down_a, down_b, down_c = (cx - bx) * SUBPIXELS, (ax - cx) * SUBPIXELS, (bx - ax) * SUBPIXELS
        weight_a, weight_b, weight_c = inverse[a] / area, inverse[b] / area, inverse[c] / area
        for row in range(first_row - top, last_row - top + 1):
            here_a, here_b, here_c = edge_a, edge_b, edge_c
            entered = False
            for column in range(first - left, last - left + 1):
                if (here_a | here_b | here_c) >= 0:
                    entered = True
                    nearness = np.float32(
                        (here_a + bias_a) * weight_a + (here_b + bias_b) * weight_b + (here_c + bias_c) * weight_c
                    )
                    if nearness > inverse_depth[row, column]:
                        inverse_depth[row, column] = nearness
                        values[row, column] = face_values[f]
                elif entered:
                    break
                here_a += right_a
                here_b += right_b
                here_c += right_c
            edge_a += down_a
            edge_b += down_b
            edge_c += down_c


@compiled
def _label(
    screen: np.ndarray, inverse: np.ndarray, faces: np.ndarray, face_labels: np.ndarray, mask: np.ndarray
) -> None:
    """Draw labels into ``mask``, in place, with a depth buffer no larger than what the mesh covers."""
    height, width = mask.shape
    left, right, top, bottom = width, -1, height, -1
    for n in range(len(inverse)):
        if inverse[n] > 0.0:
            left = min(left, -(-screen[n, 0] // SUBPIXELS))
            right = max(right, screen[n, 0] // SUBPIXELS)
            top = min(top, -(-screen[n, 1] // SUBPIXELS))
            bottom = max(bottom, screen[n, 1] // SUBPIXELS)
    left, right, top, bottom = max(left, 0), min(right, width - 1), max(top, 0), min(bottom, height - 1)
    if left > right or top > bottom:
        return
    window = mask[top : bottom + 1, left : right + 1]
    _draw(screen, inverse, faces, face_labels, left, top, window, np.zeros(window.shape, dtype=np.float32))
