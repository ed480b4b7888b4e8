"""Posed hands as a camera sees them, for other programs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digit import geometry
from digit.hand.mano import Hand
from digit.hand.mesh import VERTEX_COUNT, seal
from digit.render.raster import label_mask
from digit.run.errors import UserError

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class PosedHand:
    """A hand somewhere in the world."""

    hand: Hand
    vertices_world_mm: np.ndarray
    """(778, 3)."""

    @property
    def joints_world_mm(self) -> np.ndarray:
        """(21, 3) in InterHand2.6M's order."""
        return self.hand.joints_world_mm(self.vertices_world_mm)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion, z forward, y down; by default at the origin of the world."""

    focal_px: Numbers
    """(2,) focal lengths."""
    princpt_px: Numbers
    """(2,) principal point, pixel centres at integers."""
    width: int
    height: int
    rotation: np.ndarray | None = None
    """(3, 3) from world to camera."""
    position_mm: Numbers = (0.0, 0.0, 0.0)
    """(3,) in the world."""

    def see(self, points_world_mm: np.ndarray) -> np.ndarray:
        """(..., N, 3) points in the camera's frame, mm."""
        rotation = np.eye(3) if self.rotation is None else np.asarray(self.rotation, np.float64)
        return geometry.world_to_camera(points_world_mm, rotation, np.asarray(self.position_mm, np.float64))


def pose_hand(
    hand: Hand, pose: Numbers | None = None, shape: Numbers | None = None, trans_m: Numbers = (0.0, 0.0, 0.0)
) -> PosedHand:
    """Pose one hand.

    Args:
        hand: ``digit.load_hands("open")["right"]``.
        pose: (48,) axis-angle vectors relative to MANO's mean pose, the global orientation first; None is all 0.
        shape: (10,) shape coefficients; None is all 0.
        trans_m: (3,) translation in metres, as MANO has it.

    Raises:
        UserError: when these are not so many numbers.

    Examples:
        >>> right = digit.pose_hand(digit.load_hands("open")["right"], trans_m=(0, 0, 0.6))
    """
    given = {"pose": (pose, 48), "shape": (shape, 10), "trans_m": (trans_m, 3)}
    values = {}
    for name, (value, count) in given.items():
        values[name] = np.zeros(count) if value is None else np.asarray(value, np.float64).ravel()
        if values[name].shape != (count,) or not np.isfinite(values[name]).all():
            raise UserError(f"{name}: give {count} finite numbers, not {values[name].size}")
    vertices = hand.vertices_world_mm(*(value[None] for value in values.values()))[0]
    return PosedHand(hand, vertices)


def render_parts(hands: Sequence[PosedHand], camera: Camera) -> np.ndarray:
    """Draw which part of which hand every pixel shows; the nearest wins.

    Args:
        hands: posed hands, in one world.
        camera: that looks at them.

    Returns:
        (height, width) uint8 labels, ``digit.skeleton.LABEL_NAMES``; 0 where there is no hand. What is behind the
        camera is not drawn.

    Examples:
        >>> hands = digit.load_hands("open")
        >>> right = digit.pose_hand(hands["right"], trans_m=(0, 0, 0.6))
        >>> camera = digit.Camera(focal_px=(500, 500), princpt_px=(128, 128), width=256, height=256)
        >>> labels = digit.render_parts([right], camera)
    """
    if not hands:
        return np.zeros((camera.height, camera.width), np.uint8)
    vertices = np.concatenate([camera.see(seal(posed.vertices_world_mm)) for posed in hands])
    faces = np.concatenate([posed.hand.sealed_faces + k * (VERTEX_COUNT + 1) for k, posed in enumerate(hands)])
    labels = np.concatenate([posed.hand.face_labels for posed in hands])
    focal_px, princpt_px = (np.asarray(value, np.float64) for value in (camera.focal_px, camera.princpt_px))
    return label_mask(vertices, faces, labels, focal_px, princpt_px, camera.width, camera.height)
