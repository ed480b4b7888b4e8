"""The surfaces of a frame: refined and painted hands with their forearms, and the light that falls on them."""

from dataclasses import dataclass

import numpy as np

from digit.hand.mano import Hands
from digit.hand.mesh import seal
from digit.hand.open_hand.skin import load_skin
from digit.render.shading import Shadows, diffuse_light, gather_light, light_visibility, vertex_normals
from digit.synthetic.forearm import SIDES, arm_colors, forearm, sleeve, tube_faces, wrist_axis
from digit.synthetic.lighting import Studio
from digit.synthetic.poses import PosedHand
from digit.synthetic.subjects import SKIN_GLOSS, Subject, albedo, gloss

LAMP_SHADOWS = Shadows(texel_mm=1.0, offset_mm=1.2, tolerance_mm=2.5)
DOME_SHADOWS = Shadows(texel_mm=2.5, offset_mm=2.0, tolerance_mm=3.0)
SKIN_RIM = slice(-SIDES - 1, -1)
"""Rows of the fine skin's vertices around the wrist; the last one is the centre of its flat end."""

SKIN_WRAP = np.array([0.32, 0.14, 0.08])
"""How far light bleeds past the terminator of skin, per channel."""

SPREAD_ROUNDS = np.array([6, 2, 1])
"""Rounds of averaging over neighbouring vertices (about 1.3 mm apart) that stand for light under the skin."""


@dataclass(frozen=True)
class Surface:
    """Everything in front of the backdrop, world mm.

    ``vertices_mm`` (N, 3), ``normals`` (N, 3), ``faces`` (M, 3), linear ``albedo`` (N, 3) and ``gloss`` (N,);
    ``coarse_mm`` (V, 3) and ``coarse_faces`` are a lighter version that casts the dome's shadows.
    """

    vertices_mm: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    coarse_mm: np.ndarray
    coarse_faces: np.ndarray


@dataclass(frozen=True)
class LitSurface:
    """A surface, the ``light`` (N, 3) that falls on it, and how much of each lamp: ``lamps_seen`` (K, N)."""

    surface: Surface
    studio: Studio
    light: np.ndarray
    lamps_seen: np.ndarray


def build_surface(rng: np.random.Generator, hands: Hands, posed: dict[str, PosedHand], subject: Subject) -> Surface:
    """Refine, paint and dress the hands of one frame."""
    fine, coarse = [], []
    for side, hand in posed.items():
        skin, colors = load_skin(side), albedo(side, subject.tone, subject.skin_seed)
        skin_mm = skin.subdivide(hand.vertices_mm)
        fine.append((skin_mm, skin.faces, colors, gloss(side)))
        coarse.append((seal(hand.vertices_mm), hands[side].sealed_faces))
        for part in _arm(rng, side, hand.elbow_axis, skin_mm, colors, subject):
            fine.append(part)
            coarse.append(part[:2])
    vertices_mm, faces = _joined([(v, f) for v, f, *_ in fine])
    coarse_mm, coarse_faces = _joined(coarse)
    return Surface(
        vertices_mm=vertices_mm,
        normals=vertex_normals(vertices_mm, faces),
        faces=faces,
        albedo=np.concatenate([item[2] for item in fine]),
        gloss=np.concatenate([item[3] for item in fine]),
        coarse_mm=coarse_mm,
        coarse_faces=coarse_faces,
    )


def light_surface(surface: Surface, studio: Studio) -> LitSurface:
    """Cast all shadows and gather the light at every vertex, for any number of cameras."""
    lamps_seen = light_visibility(
        surface.vertices_mm,
        surface.normals,
        surface.vertices_mm,
        surface.faces,
        studio.lamps.directions,
        LAMP_SHADOWS,
    )
    dome_seen = light_visibility(
        surface.vertices_mm,
        surface.normals,
        surface.coarse_mm,
        surface.coarse_faces,
        studio.dome.directions,
        DOME_SHADOWS,
    )
    light = gather_light(
        surface.normals, studio.lamps.directions, studio.lamps.radiance, lamps_seen, SKIN_WRAP
    ) + gather_light(surface.normals, studio.dome.directions, studio.dome.radiance, dome_seen, SKIN_WRAP)
    return LitSurface(surface, studio, diffuse_light(light, surface.faces, SPREAD_ROUNDS), lamps_seen)


def _arm(
    rng: np.random.Generator,
    side: str,
    elbow_axis: np.ndarray,
    skin_mm: np.ndarray,
    skin_colors: np.ndarray,
    subject: Subject,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Forearm and, where the subject wears one, sleeve: vertices, faces, albedo and gloss of each."""
    rim_mm, rim_colors = skin_mm[SKIN_RIM], skin_colors[SKIN_RIM]
    arm_mm = forearm(rim_mm, wrist_axis(rim_mm, skin_mm.mean(axis=0)), elbow_axis)
    parts = [(arm_mm, arm_colors(rim_colors), SKIN_GLOSS)]
    folds = rng.uniform(0, 2 * np.pi, 4)
    if subject.cuff_mm is not None:
        cloth_mm = sleeve(arm_mm, subject.cuff_mm, folds)
        parts.append((cloth_mm, np.tile(np.array(subject.cloth_rgb, np.float32), (len(cloth_mm), 1)), 0.0))
    return [
        (vertices, tube_faces(len(vertices) // SIDES, side), colors, np.full(len(vertices), shine, np.float32))
        for vertices, colors, shine in parts
    ]


def _joined(meshes: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Several meshes as one: vertices (N, 3) and faces (M, 3)."""
    starts = np.cumsum([0] + [len(vertices) for vertices, _ in meshes[:-1]])
    faces = [faces + start for (_, faces), start in zip(meshes, starts, strict=True)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)
