"""From the signed distance function to exactly 778 vertices: marching cubes, then isotropic remeshing.

A disk with a 16-edge rim and 778 vertices has 1538 faces, MANO's number, whatever its connectivity. The remeshing
follows Botsch & Kobbelt (2004): collapse short edges, split long ones, even out valences, smooth in the tangent
plane, project back to the surface; the wanted edge length varies over the hand.
"""

import math

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components

from digit.hand.mesh import SEAL_RING, VERTEX_COUNT
from digit.hand.open_hand.anatomy import LONG_FINGERS, skeleton, unit
from digit.hand.open_hand.generate.editable import Edge, EditableMesh
from digit.hand.open_hand.generate.surface import CUT_MM, gradient, hand_distance, project
from digit.hand.open_hand.skin import refine

ROUNDS = 16
SIZING_ROUNDS = 9
"""Rounds in which edges are still collapsed and split by length; later ones only mend the counts."""

GRID_MM = 2.6
PALM_EDGE_MM = 12.5
FINGER_EDGE_MM = 6.9
_FINGER_EDGE_FACTORS = {"index": 1.0, "middle": 1.0, "ring": 0.97, "pinky": 0.88, "thumb": 1.12}


def wanted_length(points: np.ndarray) -> np.ndarray:
    """(N,) wanted edge length in mm before scaling: short on fingers, joints and tips, long on the palm."""
    wanted = np.full(len(points), PALM_EDGE_MM)
    for name, finger in skeleton().items():
        nearest, along = _chain_coordinates(points, finger.joints_mm, finger.lengths_mm)
        factor = _FINGER_EDGE_FACTORS[name]
        joint2, joint3 = np.cumsum(finger.lengths_mm[:2])
        edge = FINGER_EDGE_MM - 1.3 * np.exp(-(((along - joint2) / 6.0) ** 2))
        edge -= 1.1 * np.exp(-(((along - joint3) / 5.5) ** 2))
        half = finger.lengths_mm[2] / 2
        edge -= 1.2 / factor * np.clip((along - joint3 - half) / half, 0, 1)
        beyond_knuckle = np.clip((along - (30 if name == "thumb" else 6)) / 16, 0, 1)
        on_finger = np.clip(1 - (nearest - finger.half_widths_mm[1] * 1.25) / 10, 0, 1)
        wanted = np.minimum(wanted, PALM_EDGE_MM + (edge * factor - PALM_EDGE_MM) * beyond_knuckle * on_finger)
        if name in LONG_FINGERS:
            from_knuckle = np.linalg.norm(points - finger.joints_mm[0], axis=1)
            wanted = np.minimum(wanted, PALM_EDGE_MM - 4.5 * np.exp(-(((from_knuckle - 11) / 14.0) ** 2)))
    return wanted


def _chain_coordinates(points: np.ndarray, joints: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of points to a finger's bones and how far along them the nearest place lies, mm."""
    nearest, along = np.full(len(points), np.inf), np.zeros(len(points))
    for bone in range(3):
        axis = joints[bone + 1] - joints[bone]
        t = np.clip((points - joints[bone]) @ axis / (axis @ axis), 0, 1)
        distance = np.linalg.norm(points - joints[bone] - t[:, None] * axis, axis=1)
        closer = distance < nearest
        nearest = np.where(closer, distance, nearest)
        along = np.where(closer, lengths[:bone].sum() + t * lengths[bone], along)
    return nearest, along


def marching_cubes_mesh(grid_mm: float = GRID_MM) -> EditableMesh:
    """The hand up to the wrist plane at a grid's resolution, wound outwards, its rim on the plane."""
    from skimage.measure import marching_cubes

    axes = (np.arange(CUT_MM, -206, -grid_mm)[::-1], np.arange(-62, 36, grid_mm), np.arange(-78, 100, grid_mm))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.concatenate([hand_distance(part, skeleton()) for part in np.array_split(grid, 16)])
    volume = values.reshape([len(axis) for axis in axes])
    points, faces, _, _ = marching_cubes(volume, 0.0, spacing=(grid_mm,) * 3)
    points = points.astype(np.float64) + [axis[0] for axis in axes]
    start, end = faces.ravel(), np.roll(faces, 1, axis=1).ravel()
    links = sparse.coo_matrix((np.ones(len(start)), (start, end)), shape=(len(points),) * 2)
    _, component = connected_components(links, directed=False)
    keep = component == np.bincount(component).argmax()
    number = np.cumsum(keep) - 1
    mesh = EditableMesh(points[keep], number[faces[keep[faces[:, 0]]]])
    for v in mesh.rim:
        mesh.points[v] = (CUT_MM, *mesh.points[v][1:])
    return mesh


def _lengths(mesh: EditableMesh, scale: float) -> tuple[list[Edge], np.ndarray, np.ndarray]:
    """Edges, their lengths and their wanted lengths."""
    edges = mesh.edges()
    points = np.array(mesh.points)
    a, b = points[[e[0] for e in edges]], points[[e[1] for e in edges]]
    return edges, np.linalg.norm(a - b, axis=1), wanted_length((a + b) / 2) * scale


def _collapse_short(mesh: EditableMesh, scale: float) -> None:
    edges, lengths, wanted = _lengths(mesh, scale)
    ratios = lengths / wanted
    for k in np.argsort(ratios, kind="stable"):
        if ratios[k] > 0.78:
            return
        a, b = edges[k]
        if mesh.around[a] & mesh.around[b] and mesh.length(a, b) <= 0.78 * wanted[k]:
            mesh.collapse(a, b)


def _split_long(mesh: EditableMesh, scale: float) -> None:
    edges, lengths, wanted = _lengths(mesh, scale)
    ratios = lengths / wanted
    for k in np.argsort(-ratios, kind="stable"):
        if ratios[k] < 1.4:
            return
        a, b = edges[k]
        if mesh.around[a] & mesh.around[b]:
            mesh.split(a, b)


def _set_rim(mesh: EditableMesh, count: int) -> None:
    """Collapse the shortest or split the longest edges of the rim until it has ``count``."""
    while len(edges := mesh.rim_edges()) != count:
        edges.sort(key=lambda edge: mesh.length(*edge))
        if len(edges) < count:
            mesh.split(*edges[-1])
        elif not any(mesh.collapse(a, b) for a, b in edges):
            raise RuntimeError(f"the rim cannot be reduced below {len(edges)} edges")


def _set_count(mesh: EditableMesh, scale: float, count: int) -> None:
    """Collapse or split the inner edges furthest from their wanted length until ``count`` vertices are left."""
    while (found := len(mesh.vertices())) != count:
        edges, lengths, wanted = _lengths(mesh, scale)
        inner = [k for k, (a, b) in enumerate(edges) if not (a in mesh.rim and b in mesh.rim)]
        inner.sort(key=lambda k: lengths[k] / wanted[k])
        if found < count:
            mesh.split(*edges[inner[-1]])
        elif not any(mesh.collapse(*edges[k]) for k in inner):
            raise RuntimeError(f"the mesh cannot be reduced below {found} vertices")


def _relax(mesh: EditableMesh, scale: float, steps: int, pinned: list[int]) -> None:
    """Move vertices towards the weighted centres of their faces, along the surface; keep the rim on its plane."""
    used = mesh.vertices()
    number = {v: k for k, v in enumerate(used)}
    points, faces = mesh.arrays()
    on_rim = np.array([v in mesh.rim for v in used])
    rim_edges = np.array([(number[a], number[b]) for a, b in mesh.rim_edges()])
    fixed = [number[v] for v in pinned]
    for _ in range(steps):
        corners = points[faces]
        areas = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        weight = areas / (wanted_length(points) * scale)[faces].mean(axis=1) ** 2
        total = np.bincount(faces.ravel(), np.repeat(weight, 3), minlength=len(points))
        pull = corners.mean(axis=1) * weight[:, None]
        target = np.stack([np.bincount(faces.ravel(), np.repeat(pull[:, k], 3)) for k in range(3)], axis=1)
        normals = unit(gradient(lambda at: hand_distance(at, skeleton()), points))
        shift = target / total[:, None] - points
        moved = points + 0.6 * (shift - normals * (shift * normals).sum(axis=1, keepdims=True))
        neighbours = np.zeros_like(points)
        np.add.at(neighbours, rim_edges, points[rim_edges[:, ::-1]])
        moved[on_rim] = 0.5 * points[on_rim] + 0.25 * neighbours[on_rim]
        moved[fixed] = points[fixed]
        points = project(moved, skeleton(), on_rim, 2)
    for v, place in zip(used, points.tolist(), strict=True):
        mesh.points[v] = tuple(place)


def _pin_tips(mesh: EditableMesh) -> list[int]:
    """Move the vertex nearest to each fingertip exactly onto the finger's axis; their numbers."""
    pinned = []
    for finger in skeleton().values():
        tip = finger.joints_mm[3]
        nearest = min(mesh.vertices(), key=lambda v: math.dist(mesh.points[v], tip))
        place = project((tip - 0.3 * finger.along[2])[None], skeleton(), np.zeros(1, dtype=bool), 6)
        mesh.points[nearest] = tuple(place[0].tolist())
        pinned.append(nearest)
    return pinned


def make_mesh() -> tuple[np.ndarray, np.ndarray]:
    """The right hand: (778, 3) vertices in the wrist frame, mm, and (1538, 3) faces, in no particular order."""
    mesh = marching_cubes_mesh()
    scale = 1.0
    for number in range(ROUNDS):
        if number < SIZING_ROUNDS:
            for _ in range(3 if number == 0 else 1):
                _collapse_short(mesh, scale)
            _split_long(mesh, scale)
        if number in (2, 4, 6):
            scale *= math.sqrt(len(mesh.vertices()) / VERTEX_COUNT)
        if number >= SIZING_ROUNDS - 1:
            _set_rim(mesh, len(SEAL_RING))
            _set_count(mesh, scale, VERTEX_COUNT)
        for _ in range(3):
            if not mesh.flip_where_better():
                break
        last = number == ROUNDS - 1
        _relax(mesh, scale, 14 if last else 4, _pin_tips(mesh) if last else [])
    points, faces = mesh.arrays()
    return inflate(points, faces), faces


def inflate(points: np.ndarray, faces: np.ndarray, share: float = 0.6) -> np.ndarray:
    """Push vertices out against the shrinking of Loop's subdivision; the rim stays on its plane."""
    matrix, _ = refine(faces, len(points), 3)
    outwards = points - matrix[: len(points)] @ points
    outwards[np.abs(points[:, 0] - CUT_MM) < 1e-6, 0] = 0
    return points + share * outwards
