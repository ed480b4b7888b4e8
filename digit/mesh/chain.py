"""The 21 joints of a hand model as a function of its parameters, and their derivatives, for many hands at once.

A regressed joint is a weighted mean of skinned vertices. Sums over vertices can be taken beforehand, for each joint
and each bone that carries some of its vertices: what remains is a skinned point for each such pair, with the shape
directions and pose correctives of the whole mesh. The joints are those of the posed mesh, not an approximation.
"""

from dataclasses import dataclass

import numpy as np

from digit.hand.mano import Hand
from digit.hand.open_hand.anatomy import PARENTS
from digit.mesh.limits import ANGLE_BONE, angle_axes, tip_vertices

BONES = np.arange(1, 16).reshape(5, 3)
"""(5, 3) MANO's joints by finger."""

ORIENT, SHIFT, ANGLES, BETAS = slice(0, 3), slice(3, 6), slice(6, 31), slice(31, 41)
"""Columns of derivatives: turns about the axes of the camera through the wrist, translation, angles, shape."""
PARAMETERS = 41

DTYPE = np.float32


@dataclass(frozen=True)
class Chain:
    """A hand model in mm, reduced to P pairs of a joint and a bone that carries it; the template's frame, at rest.

    ``axes`` (5, 5, 3) of the angles; ``rest`` (16, 3) and ``rest_shape`` (16, 3, 10) MANO's joints;
    ``bone`` (P,) of each pair; ``weight`` (P,), ``point`` (P, 3), ``point_shape`` (P, 3, 10), ``point_pose`` (P, 3, 15,
    9) sums over vertices; ``sums`` (21, P) adds pairs up to joints; ``carried`` (21, 16, P) only those that a joint of
    MANO's moves.
    """

    side: str
    axes: np.ndarray
    rest: np.ndarray
    rest_shape: np.ndarray
    bone: np.ndarray
    weight: np.ndarray
    point: np.ndarray
    point_shape: np.ndarray
    point_pose: np.ndarray
    sums: np.ndarray
    carried: np.ndarray


@dataclass(frozen=True)
class Posed:
    """n hands: ``joints`` (n, 21, 3); what their derivatives are made of: ``turns`` (n, 16, 3, 3) and ``places``
    (n, 16, 3) of MANO's joints, ``local`` (n, 5, 3, 3, 3) rotations of the fingers' joints in their parents' frames,
    ``axes`` (n, 5, 5, 3) of the angles in the same, ``points`` (n, P, 3).
    """

    joints: np.ndarray
    turns: np.ndarray
    places: np.ndarray
    local: np.ndarray
    axes: np.ndarray
    points: np.ndarray


def chain_of(hand: Hand) -> Chain:
    """Reduce a hand model."""
    arrays = {name: np.asarray(buffer, np.float64) for name, buffer in hand.model.named_buffers()}
    template, shapes = 1000 * arrays["v_template"], 1000 * arrays["shapedirs"]
    correctives = 1000 * arrays["posedirs"].reshape(15, 9, -1, 3)
    shares = np.einsum("jv,vk->jkv", hand.joint_regressor, arrays["lbs_weights"])
    joint, bone = np.nonzero(np.abs(shares).sum(axis=2) > 1e-9)
    shares = shares[joint, bone]
    rest = arrays["J_regressor"] @ template
    sums = (np.arange(21)[:, None] == joint).astype(DTYPE)
    moved = np.eye(16, dtype=bool)
    for k in range(1, 16):  # parents come first, so that a joint moves with all its ancestors
        moved[:, k] |= moved[:, PARENTS[k]]
    tables = {
        "axes": angle_axes(rest, template[tip_vertices()], hand.side),
        "rest": rest,
        "rest_shape": np.tensordot(arrays["J_regressor"], shapes, 1),
        "weight": shares.sum(axis=1),
        "point": shares @ template,
        "point_shape": np.tensordot(shares, shapes, 1),
        "point_pose": np.tensordot(shares, correctives, (1, 2)).transpose(0, 3, 1, 2),
        "sums": sums,
        "carried": sums[:, None] * moved[:, bone],
    }
    return Chain(side=hand.side, bone=bone, **{name: table.astype(DTYPE, order="C") for name, table in tables.items()})


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: (..., 3) axis-angle -> (..., 3, 3)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = cross_matrices(vectors / np.maximum(angle[..., 0], 1e-12))
    return np.eye(3, dtype=vectors.dtype) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def cross_matrices(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) -> (..., 3, 3) that multiply by the cross product."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)


def local_rotations(chain: Chain, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations of the fingers' joints (n, 5, 3, 3, 3) for angles (n, 5, 5), and the angles' axes (n, 5, 5, 3).

    Both in the frame of the joint's parent. Joint 1 turns by abduction after flexion after twist.
    """
    turn = rotation_matrices(chain.axes * angles[..., None])
    flexed, abducted = turn[:, :, 0], turn[:, :, 1]
    both = abducted @ flexed
    axes = np.broadcast_to(chain.axes, (*angles.shape, 3)).copy()
    axes[:, :, 0] = (abducted @ chain.axes[:, 0, :, None])[..., 0]
    axes[:, :, 2] = (both @ chain.axes[:, 2, :, None])[..., 0]
    return np.stack([both @ turn[:, :, 2], turn[:, :, 3], turn[:, :, 4]], axis=2), axes


def pose(chain: Chain, orient: np.ndarray, shift: np.ndarray, angles: np.ndarray, betas: np.ndarray) -> Posed:
    """Pose n hands.

    Args:
        chain: of their side.
        orient: (n, 3, 3) rotation about the wrist.
        shift: (n, 3) MANO's translation, mm.
        angles: (n, 5, 5) rad.
        betas: (n, 10) shape coefficients.
    """
    local, axes = local_rotations(chain, angles)
    rest = chain.rest + (chain.rest_shape @ betas[:, None, :, None])[..., 0]
    turns, places = np.empty((len(angles), 16, 3, 3), DTYPE), np.empty((len(angles), 16, 3), DTYPE)
    turns[:, 0], places[:, 0] = orient, rest[:, 0] + shift
    for level in range(3):
        parents, children = (0 if level == 0 else BONES[:, level - 1]), BONES[:, level]
        parent_turns = turns[:, parents] if level else turns[:, :1]
        steps = rest[:, children] - (rest[:, parents] if level else rest[:, :1])
        turns[:, children] = parent_turns @ local[:, :, level]
        places[:, children] = (places[:, parents] if level else places[:, :1]) + _turned(parent_turns, steps)
    features = (local - np.eye(3, dtype=DTYPE)).reshape(len(angles), -1)
    flat = len(chain.bone) * 3
    points = chain.point + (betas @ chain.point_shape.reshape(flat, -1).T).reshape(len(betas), -1, 3)
    points += (features @ chain.point_pose.reshape(flat, -1).T).reshape(len(betas), -1, 3)
    points = _turned(turns[:, chain.bone], points - chain.weight[:, None] * rest[:, chain.bone])
    points += chain.weight[:, None] * places[:, chain.bone]
    return Posed(chain.sums @ points, turns, places, local, axes, points)


def derivatives(chain: Chain, posed: Posed) -> np.ndarray:
    """Derivatives (n, 21, 3, 41) of the joints: columns ``ORIENT``, ``SHIFT``, ``ANGLES``, ``BETAS``."""
    count, pairs = posed.points.shape[:2]
    jacobian = np.empty((count, 21, 3, PARAMETERS), DTYPE)
    moments = (chain.carried.reshape(-1, pairs) @ posed.points).reshape(count, 21, 16, 3)
    levers = moments - (chain.carried @ chain.weight)[..., None] * posed.places[:, None]
    jacobian[..., ORIENT] = -cross_matrices(levers[:, :, 0])
    jacobian[..., SHIFT] = (chain.sums @ chain.weight)[:, None, None] * np.eye(3, dtype=DTYPE)

    of_angle = BONES[:, ANGLE_BONE].ravel()
    parents = np.array(PARENTS)[of_angle]
    axes = _turned(posed.turns[:, parents], posed.axes.reshape(count, 25, 3))
    by_angle = np.cross(axes[:, None], levers[:, :, of_angle])
    spins = cross_matrices(posed.axes) @ posed.local[:, :, ANGLE_BONE]
    bends = spins.reshape(count, 25, 9).transpose(1, 2, 0)
    tables = chain.point_pose.transpose(2, 0, 1, 3)[of_angle - 1].reshape(25, pairs * 3, 9)
    corrected = (tables @ bends).reshape(25, pairs, 3, count).transpose(3, 1, 2, 0)
    corrected = posed.turns[:, chain.bone] @ corrected
    by_angle_columns = by_angle.transpose(0, 1, 3, 2)
    jacobian[..., ANGLES] = by_angle_columns + (chain.sums @ corrected.reshape(count, pairs, -1)).reshape(
        by_angle_columns.shape
    )
    jacobian[..., BETAS] = _by_shape(chain, posed)
    return jacobian


def _by_shape(chain: Chain, posed: Posed) -> np.ndarray:
    """Derivatives (n, 21, 3, 10) by the shape: it moves the points, and the joints about which they turn."""
    count, pairs = posed.points.shape[:2]
    places = np.empty((count, 16, 3, 10), DTYPE)
    places[:, 0] = chain.rest_shape[0]
    for level in range(3):
        parents, children = (np.zeros(5, int) if level == 0 else BONES[:, level - 1]), BONES[:, level]
        steps = chain.rest_shape[children] - chain.rest_shape[parents]
        places[:, children] = places[:, parents] + posed.turns[:, parents] @ steps
    weight = chain.weight[:, None, None]
    own = chain.point_shape - weight * chain.rest_shape[chain.bone]
    points = posed.turns[:, chain.bone] @ own + weight * places[:, chain.bone]
    return (chain.sums @ points.reshape(count, pairs, -1)).reshape(count, 21, 3, 10)


def _turned(rotations: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (rotations @ vectors[..., None])[..., 0]
