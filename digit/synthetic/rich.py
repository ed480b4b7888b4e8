"""Frames and pictures of variety ``rich``: people, clothes, things, light and surroundings of any kind."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from digit.config import SyntheticSettings
from digit.geometry import world_to_camera
from digit.hand.mano import Hands
from digit.hand.mesh import seal
from digit.hand.open_hand.skin import load_skin
from digit.render.shading import add_highlights, draw, lay_over, vertex_normals
from digit.samples.photographs import photo_files
from digit.synthetic import lens
from digit.synthetic.ambient import Refinement, light_closed_surface
from digit.synthetic.cameras import Camera
from digit.synthetic.illumination import PLACES, dome_directions, draw_light
from digit.synthetic.outfit import Outfit, arm_pieces, draw_outfit, ring_pieces
from digit.synthetic.panoramas import Panorama, panorama_files, panorama_light, panorama_view, read_panorama
from digit.synthetic.person import Person, complexion, make_person
from digit.synthetic.plan import PERSON_STREAM, generator, make_capture
from digit.synthetic.poses import PosedHand
from digit.synthetic.props import draw_prop
from digit.synthetic.scene import SKIN_RIM, LitSurface, Surface
from digit.synthetic.scenery import choose_kind, paint_scenery
from digit.synthetic.solids import Piece
from digit.synthetic.subjects import gloss

PROP_SHARE = 0.18
"""Share of the frames in which a hand holds something."""

PANORAMA_SHARE, PANORAMA_SHOWN = 0.35, 0.6
"""Where there are panoramas: share of the frames that one lights, and of their pictures that also show it."""

NEAREST_ARM = 0.45
"""Forearms end where they would come nearer to a camera than this share of its distance to the hands."""

SKIN_GLOSS_RANGE = (6.0, 40.0)


@cache
def person_of(seed: int, split: str, capture: int, settings: SyntheticSettings) -> Person:
    """The subject of a capture, with looks."""
    rng = generator(seed, split, PERSON_STREAM, capture)
    return make_person(rng, make_capture(seed, split, capture, settings).subject)


@dataclass(frozen=True)
class Sources:
    """Files with real surroundings that one split may show."""

    photos: tuple[Path, ...]
    panoramas: tuple[Path, ...]


def find_sources(settings: SyntheticSettings, split: str) -> Sources:
    """The photographs and panoramas that the settings name; no file is in two splits.

    Raises:
        UserError: some are not where they should be.
    """
    return Sources(photo_files(settings.photos, split), panorama_files(settings.panoramas, split))


@dataclass(frozen=True)
class Scene:
    """One frame: the hands and the light on them, and the panorama that the light comes from, if one does."""

    lit: LitSurface
    panorama: Panorama | None


def stage_frame(
    rng: np.random.Generator,
    hands: Hands,
    posed: dict[str, PosedHand],
    person: Person,
    cameras: list[Camera],
    sources: Sources,
) -> Scene:
    """Dress, equip and light the hands of one frame."""
    outfit = draw_outfit(rng, _longest_arm(posed, cameras))
    surface, refinements = build_surface(rng, hands, posed, person, outfit)
    if sources.panoramas and rng.random() < PANORAMA_SHARE:
        pixels = read_panorama(sources.panoramas[rng.integers(len(sources.panoramas))])
        panorama = Panorama(pixels, rng.uniform(-np.pi, np.pi))
        light = panorama_light(panorama, dome_directions())
        return Scene(light_closed_surface(surface, light, refinements), panorama)
    place = str(rng.choice(list(PLACES), p=list(PLACES.values())))
    middle_mm = surface.coarse_mm.mean(axis=0)
    towards = cameras[0].position_mm - middle_mm
    light = draw_light(rng, place, towards / np.linalg.norm(towards))
    return Scene(light_closed_surface(surface, light, refinements), None)


def build_surface(
    rng: np.random.Generator, hands: Hands, posed: dict[str, PosedHand], person: Person, outfit: Outfit
) -> tuple[Surface, list[Refinement]]:
    """Refine and paint the hands, and add all that is worn and held."""
    pieces, coarse, refinements = [], [], []
    holder = str(rng.choice(list(posed))) if rng.random() < PROP_SHARE else None
    shine = np.exp(rng.uniform(*np.log(SKIN_GLOSS_RANGE)))
    for side, hand in posed.items():
        skin, paint = load_skin(side), complexion(side, person)
        skin_mm = skin.subdivide(hand.vertices_mm)
        skin_mm = skin_mm + vertex_normals(skin_mm, skin.faces) * paint.relief_mm[:, None]
        joints_mm = hands[side].joints_world_mm(hand.vertices_mm)
        turn = Rotation.from_rotvec(hand.pose[:3])
        back, thumb = turn.apply([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        pieces.append(Piece(skin_mm, skin.faces, paint.albedo, np.maximum(gloss(side), shine).astype(np.float32)))
        coarse.append((seal(hand.vertices_mm), hands[side].sealed_faces))
        refinements.append(Refinement(skin.matrix, len(coarse[-1][0])))
        rim = skin_mm[SKIN_RIM], paint.albedo[SKIN_RIM]
        extra = arm_pieces(rng, side, *rim, skin_mm.mean(axis=0), back, hand.elbow_axis, person, outfit)
        extra += ring_pieces(side, joints_mm, skin_mm, outfit)
        if side == holder:
            extra.append(draw_prop(rng, joints_mm[[5, 9, 13, 17, 20]].mean(axis=0), -back, thumb))
        pieces += extra
        coarse += [piece[:2] for piece in extra]
        refinements += [Refinement(None, len(piece.vertices_mm)) for piece in extra]
    vertices_mm, faces = _joined([piece[:2] for piece in pieces])
    coarse_mm, coarse_faces = _joined(coarse)
    surface = Surface(
        vertices_mm=vertices_mm,
        normals=vertex_normals(vertices_mm, faces),
        faces=faces,
        albedo=np.concatenate([piece.albedo for piece in pieces]).astype(np.float32),
        gloss=np.concatenate([piece.gloss for piece in pieces]),
        coarse_mm=coarse_mm,
        coarse_faces=coarse_faces,
    )
    return surface, refinements


def take_picture(rng: np.random.Generator, scene: Scene, camera: Camera, sources: Sources) -> bytes:
    """One camera's JPEG of a scene, before its panorama or surroundings of its own."""
    lit, surface = scene.lit, scene.lit.surface
    colors = add_highlights(
        surface.vertices_mm,
        surface.normals,
        surface.albedo * lit.light,
        lit.light,
        camera.position_mm,
        lit.studio.lamps.directions,
        lit.studio.lamps.radiance,
        lit.lamps_seen,
        surface.gloss,
    )
    points_cam_mm = world_to_camera(surface.vertices_mm, camera.rotation, camera.position_mm)
    size_px = (camera.width, camera.height)
    layer, window = draw(points_cam_mm, surface.faces, colors, camera.focal_px, camera.princpt_px, size_px, closed=True)
    if scene.panorama is not None and rng.random() < PANORAMA_SHOWN:
        picture = panorama_view(scene.panorama, camera)
    else:
        picture = paint_scenery(rng, choose_kind(rng, sources.photos), sources.photos, *size_px)
    level = lay_over(picture[window], layer)
    return lens.encode(rng, lens.develop(rng, lens.blur(rng, picture), lens.exposure(rng, level), camera.grey))


def _longest_arm(posed: dict[str, PosedHand], cameras: list[Camera]) -> float:
    """How long forearms may be (mm) without coming close to a camera."""
    longest = float("inf")
    for hand in posed.values():
        middle_mm = hand.vertices_mm.mean(axis=0)
        for camera in cameras:
            towards_mm = camera.position_mm - middle_mm
            distance_mm = float(np.linalg.norm(towards_mm))
            approach = float(hand.elbow_axis @ towards_mm / distance_mm)
            if approach > 0:
                longest = min(longest, (1 - NEAREST_ARM) * distance_mm / approach - 100)
    return longest


def _joined(meshes: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Several meshes as one: vertices (N, 3) and faces (M, 3)."""
    starts = np.cumsum([0] + [len(vertices) for vertices, _ in meshes[:-1]])
    faces = [faces + start for (_, faces), start in zip(meshes, starts, strict=True)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)
