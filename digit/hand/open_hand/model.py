"""The frozen open hand: a compact file that unfolds to the arrays of a MANO model.

The file holds the right hand only; the left is its mirror image. Pose correctives are kept as two offsets per
vertex and joint, ``a`` and ``b`` of ``a sin(angle) + b (1 - cos(angle))`` about the joint's flexion axis, which
MANO's linear form in the entries of R - I expresses exactly: with the axis as cross-product matrix K,
R - I = sin K + (1 - cos) K^2, and <K, K> = <K^2, K^2> = 2, <K, K^2> = 0.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from digit.hand.open_hand.anatomy import PARENTS
from digit.run.errors import UserError

FROZEN_FILE = "open_right.npz"
KEPT_WEIGHTS = 4
MIRROR = np.array([-1.0, 1.0, 1.0])
MIRROR_ROTATION = np.array([1.0, -1.0, -1.0])
"""Factors that turn an axis-angle vector of one hand into its mirror image for the other."""


@cache
def load_open_hand() -> dict[str, dict[str, np.ndarray]]:
    """Both hands as dictionaries of MANO's arrays, metres.

    Keys: v_template (778, 3), f (1538, 3), shapedirs (778, 3, 10), posedirs (778, 3, 135), J_regressor (16, 778),
    weights (778, 16), kintree_table (2, 16), hands_mean (45,), hands_components (45, 45).

    Raises:
        UserError: the data file is not in the installed package.
    """
    path = Path(str(files("digit.hand.open_hand"))) / FROZEN_FILE
    try:
        with np.load(path, allow_pickle=False) as packed:
            right = unpack({key: packed[key] for key in packed.files})
    except OSError as error:
        raise UserError(f"{path}: the open hand's data are missing; reinstall the package") from error
    return {"right": right, "left": mirrored(right)}


def pack(model: dict[str, np.ndarray], offsets_mm: np.ndarray, axes: np.ndarray) -> dict[str, np.ndarray]:
    """Lay out the right hand's arrays as they are stored.

    Args:
        model: MANO's arrays (see ``load_open_hand``); posedirs is ignored in favour of the two arguments below.
        offsets_mm: (778, 3, 15, 2) corrective offsets a and b.
        axes: (15, 3) the joints' flexion axes.
    """
    strongest = np.argsort(-model["weights"], axis=1, kind="stable")[:, :KEPT_WEIGHTS]
    return {
        "vertices": model["v_template"].astype(np.float32),
        "faces": model["f"].astype(np.uint16),
        "shape_directions": model["shapedirs"].astype(np.float32),
        "corrective_offsets_mm": offsets_mm.astype(np.float16),
        "flexion_axes": axes,
        "weight_joints": strongest.astype(np.uint8),
        "weight_values": np.take_along_axis(model["weights"], strongest, axis=1),
        "joint_regressor": model["J_regressor"],
        "hands_mean": model["hands_mean"],
    }


def unpack(packed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Undo ``pack``: MANO's arrays of the right hand, floats in double precision."""
    vertices = packed["vertices"].astype(np.float64)
    weights = np.zeros((len(vertices), len(PARENTS)))
    np.put_along_axis(weights, packed["weight_joints"].astype(np.int64), packed["weight_values"], axis=1)
    root, joints = np.iinfo(np.uint32).max, np.arange(len(PARENTS))
    return {
        "v_template": vertices,
        "f": packed["faces"].astype(np.int64),
        "shapedirs": packed["shape_directions"].astype(np.float64),
        "posedirs": pose_directions(packed["corrective_offsets_mm"].astype(np.float64) / 1000, packed["flexion_axes"]),
        "J_regressor": packed["joint_regressor"],
        "weights": weights,
        "kintree_table": np.stack([np.array([root, *PARENTS[1:]], dtype=np.int64), joints]),
        "hands_mean": packed["hands_mean"],
        "hands_components": np.eye(45),
    }


def pose_directions(offsets: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """MANO's posedirs (778, 3, 135) from offsets (778, 3, 15, 2) per unit of sine and of 1 - cosine."""
    x, y, z = axes.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, versine = cross.reshape(-1, 9) / 2, (cross @ cross).reshape(-1, 9) / 2
    blocks = offsets[..., :1] * sine + offsets[..., 1:] * versine
    return blocks.reshape(*offsets.shape[:2], -1)


def mirrored(right: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Mirror a right hand in x to make the left."""
    # R - I of a mirrored rotation is M (R - I) M: entries with exactly one x index change sign.
    feature_signs = np.tile(np.outer(MIRROR, MIRROR).ravel(), 15)
    rotations = np.tile(MIRROR_ROTATION, 15)
    return right | {
        "v_template": right["v_template"] * MIRROR,
        "f": right["f"][:, [0, 2, 1]],
        "shapedirs": right["shapedirs"] * MIRROR[:, None],
        "posedirs": right["posedirs"] * MIRROR[:, None] * feature_signs,
        "hands_mean": right["hands_mean"] * rotations,
        "hands_components": right["hands_components"] * rotations,
    }
