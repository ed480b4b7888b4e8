"""The hand model fitted to predicted joints: parameters, surface and joints of every hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from digit.geometry import NEAREST_MM
from digit.hand.mano import Hands
from digit.hand.mesh import VERTEX_COUNT
from digit.mesh.chain import DTYPE, chain_of, local_rotations
from digit.mesh.solver import solve
from digit.mesh.start import first_state
from digit.mesh.targets import Rays, Targets, known_median
from digit.run.errors import UserError
from digit.skeleton import HANDS, JOINTS_PER_HAND

REACH_MM = 250.0
"""A joint farther than this from the middle of its hand is not believed at all."""

LEAST_CONFIDENCE = 1e-4
"""A joint of less confidence, as a share of its hand's highest, is not used."""

FEWEST_JOINTS = 8
"""A hand of which fewer joints are known is not fitted."""


@dataclass(frozen=True)
class View:
    """Where the joints of n hands are seen, so that their meshes cover them in the picture.

    ``joints_px`` (n, 21, 2), pixel centres at integers; ``focal_px`` and ``princpt_px`` (n, 2) or (2,).
    """

    joints_px: np.ndarray
    focal_px: np.ndarray
    princpt_px: np.ndarray


@dataclass(frozen=True)
class Fits:
    """n hands, by MANO's parameters and as meshes; NaN where there was no hand to fit.

    The posed model is ``smplx.MANO`` of ``global_orient``, ``hand_pose``, ``betas`` and ``transl_mm / 1000``, in the
    frame of the given joints. It has 778 vertices and the faces of its ``Hand``.
    """

    side: tuple[str, ...]
    global_orient: np.ndarray
    """(n, 3) axis-angle."""
    hand_pose: np.ndarray
    """(n, 45) axis-angle, relative to the model's mean pose: ``flat_hand_mean=False``, as in InterHand2.6M."""
    betas: np.ndarray
    """(n, 10)."""
    transl_mm: np.ndarray
    """(n, 3)."""
    vertices_cam_mm: np.ndarray
    """(n, 778, 3)."""
    joints_cam_mm: np.ndarray
    """(n, 21, 3) of the mesh, in InterHand2.6M's order."""
    angles_deg: np.ndarray
    """(n, 5, 5) of the joints as in ``digit.hand.open_hand.posing``: fingers in MANO's order, columns ``ANGLES``."""
    fit_error_mm: np.ndarray
    """(n,) mean distance of the mesh's joints from the given ones, weighted by confidence."""

    @property
    def fitted(self) -> np.ndarray:
        """(n,) bool: whether there was a hand to fit."""
        return np.isfinite(self.fit_error_mm)

    def mano_parameters(self, row: int) -> dict[str, list[float]]:
        """One hand's parameters for JSON: ``global_orient``, ``hand_pose``, ``betas``, ``transl_mm``."""
        names = ("global_orient", "hand_pose", "betas", "transl_mm")
        return {name: [round(float(value), 5) for value in getattr(self, name)[row]] for name in names}


class Fitter:
    """Fits both hands of a model; :func:`fit_hands` for many calls.

    Args:
        hands: :func:`digit.load_hands`.
    """

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        self._chains = {side: chain_of(hands[side]) for side in HANDS}

    def __call__(
        self,
        joints_cam_mm: np.ndarray,
        side: Sequence[str],
        confidence: np.ndarray | None = None,
        view: View | None = None,
    ) -> Fits:
        """As :func:`fit_hands`."""
        joints, weight = _checked(np.asarray(joints_cam_mm, np.float64), side, confidence)
        fits = _no_fits(side)
        enough = (weight > 0).sum(axis=1) >= FEWEST_JOINTS
        for name in HANDS:
            rows = np.flatnonzero(enough & (np.array(fits.side) == name))
            if len(rows):
                self._fit(name, joints[rows], weight[rows], view, fits, rows)
        return fits

    def _fit(
        self, side: str, joints: np.ndarray, weight: np.ndarray, view: View | None, fits: Fits, rows: np.ndarray
    ) -> None:
        """Fit hands of one side, and write them into their rows."""
        chain, hand = self._chains[side], self.hands[side]
        shares = weight / weight.sum(axis=1, keepdims=True)
        origin = (shares[..., None] * joints).sum(axis=1)
        near = np.where(weight[..., None] > 0, joints - origin[:, None], 0.0)
        targets = Targets(near.astype(DTYPE), weight.astype(DTYPE), _rays(view, rows, weight, origin))
        state = solve(chain, first_state(chain, targets), targets)
        turns = local_rotations(chain, state.angles)[0].reshape(-1, 3, 3)
        fits.global_orient[rows] = Rotation.from_matrix(state.orient).as_rotvec()
        full_pose = Rotation.from_matrix(turns).as_rotvec().reshape(-1, 45)
        fits.hand_pose[rows] = full_pose - hand.model.hand_mean.numpy()
        fits.angles_deg[rows] = np.degrees(state.angles)
        fits.betas[rows], fits.transl_mm[rows] = state.betas, state.shift + origin
        pose = np.concatenate([fits.global_orient[rows], fits.hand_pose[rows]], axis=1)
        fits.vertices_cam_mm[rows] = hand.vertices_world_mm(pose, fits.betas[rows], fits.transl_mm[rows] / 1000)
        fits.joints_cam_mm[rows] = hand.joints_world_mm(fits.vertices_cam_mm[rows])
        distance = np.linalg.norm(fits.joints_cam_mm[rows] - joints, axis=2)
        fits.fit_error_mm[rows] = (shares * distance).sum(axis=1)


def fit_hands(
    hands: Hands,
    joints_cam_mm: np.ndarray,
    side: Sequence[str],
    confidence: np.ndarray | None = None,
    view: View | None = None,
) -> Fits:
    """Fit the hand model to joints.

    Args:
        hands: :func:`digit.load_hands`.
        joints_cam_mm: (n, 21, 3) in InterHand2.6M's order, mm, camera axes (x right, y down, z forward). Their origin
            may be the camera or the wrist; the meshes have the same one.
        side: ``right`` or ``left`` for each hand.
        confidence: (n, 21), 0 to 1: how much each joint counts beside the others of its hand; by default all count
            the same. Joints of confidence 0, joints that are not finite and joints far away from all others are not
            used. Hands with fewer than ``FEWEST_JOINTS`` others are not fitted: their results are NaN.
        view: where the joints are seen. Their origin must then be the camera.

    Raises:
        UserError: arrays of other shapes, other sides, confidences outside 0 to 1, hands behind the camera.

    Example:
        >>> hands = digit.load_hands()
        >>> fits = fit_hands(hands, joints_cam_mm, ["right", "left"])
        >>> fits.vertices_cam_mm[0], hands["right"].faces, fits.mano_parameters(0)
    """
    return Fitter(hands)(joints_cam_mm, side, confidence, view)


def _checked(joints: np.ndarray, side: Sequence[str], confidence: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Joints (n, 21, 3), 0 where they are not used, and their weights (n, 21), which are 0 there."""
    if joints.ndim != 3 or joints.shape[1:] != (JOINTS_PER_HAND, 3):
        raise UserError(f"joints_cam_mm: give (n, {JOINTS_PER_HAND}, 3), not {joints.shape}")
    if isinstance(side, str) or len(side) != len(joints) or not set(side) <= set(HANDS):
        raise UserError(f"side: give 'right' or 'left' for each of the {len(joints)} hands, not {side!r}")
    weight = np.ones(joints.shape[:2]) if confidence is None else np.nan_to_num(np.asarray(confidence, np.float64))
    if weight.shape != joints.shape[:2] or weight.min(initial=0) < 0 or weight.max(initial=0) > 1:
        raise UserError(f"confidence: give {joints.shape[:2]} numbers from 0 to 1, or none at all")
    weight = np.where(np.isfinite(joints).all(axis=2), weight, 0.0)
    weight = weight / np.maximum(weight.max(axis=1, keepdims=True), np.finfo(float).tiny)
    weight = np.where(weight >= LEAST_CONFIDENCE, weight, 0.0)
    joints = np.where(weight[..., None] > 0, joints, 0.0)
    middle = np.stack([known_median(joints[..., axis], weight > 0) for axis in range(3)], axis=2)
    near = (np.abs(joints - middle) < REACH_MM).all(axis=2)
    return np.where(near[..., None], joints, 0.0), np.where(near, weight, 0.0)


def _rays(view: View | None, rows: np.ndarray, weight: np.ndarray, origin: np.ndarray) -> Rays | None:
    """Where some of the hands are seen.

    Raises:
        UserError: arrays of other shapes, or a hand that is not before the camera.
    """
    if view is None:
        return None
    pixels, focal_px, princpt_px = (np.asarray(value, np.float64) for value in vars(view).values())
    if pixels.shape[1:] != (JOINTS_PER_HAND, 2) or len(pixels) <= rows.max():
        raise UserError(f"view: give joints_px (n, {JOINTS_PER_HAND}, 2) for all n hands, not {pixels.shape}")
    if origin[:, 2].min() < NEAREST_MM:
        raise UserError("view: a hand is not before the camera; joints_cam_mm must be in the camera's frame here")
    focal_px, princpt_px = (np.broadcast_to(value, (len(pixels), 2))[rows, None] for value in (focal_px, princpt_px))
    seen = np.isfinite(pixels[rows]).all(axis=2)
    slopes = np.where(seen[..., None], (pixels[rows] - princpt_px) / focal_px, 0.0)
    return Rays(slopes.astype(DTYPE), (weight * seen).astype(DTYPE), origin.astype(DTYPE))


def _no_fits(side: Sequence[str]) -> Fits:
    shapes = ((3,), (45,), (10,), (3,), (VERTEX_COUNT, 3), (JOINTS_PER_HAND, 3), (5, 5), ())
    return Fits(tuple(side), *(np.full((len(side), *shape), np.nan) for shape in shapes))
