"""The official MANO files and the published tables that belong to them, checked and repaired."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digit.hand import mesh
from digit.run.errors import UserError
from digit.run.pickles import as_array, load_data_pickle
from digit.skeleton import PARTS_PER_HAND

MANO_SHAPES = {
    "v_template": (778, 3),
    "f": (1538, 3),
    "shapedirs": (778, 3, 10),
    "posedirs": (778, 3, 135),
    "J_regressor": (16, 778),
    "weights": (778, 16),
    "kintree_table": (2, 16),
    "hands_mean": (45,),
    "hands_components": (45, 45),
}
"""Arrays of a MANO file that are used, and their shapes."""
INDICES = {"f": mesh.VERTEX_COUNT, "kintree_table": 16}
"""Arrays of indices, and how many things there are to refer to."""

MANO_REMEDY = (
    "the hand model (data.hand_model, --hand-model) must be 'open' or the folder with MANO_RIGHT.pkl and MANO_LEFT.pkl "
    "from https://mano.is.tue.mpg.de (models/ in mano_v1_2.zip)"
)
TABLE_REMEDY = "set data.sealed_faces to the published sealed_faces.npy, or to null to derive parts from the skinning"
REGRESSOR_REMEDY = "set data.joint_regressor to the published J_regressor_mano_ih26m.npy (21 x 778)"


@dataclass(frozen=True)
class HandFiles:
    """What the user's own files say of the hands; None where none is set, or where it could not be read."""

    models: dict[str, dict[str, np.ndarray]] | None = None
    """By side, the arrays of ``MANO_SHAPES``, metres."""
    parts: tuple[np.ndarray, np.ndarray] | None = None
    """As :func:`load_part_table`."""
    regressor: np.ndarray | None = None
    """(21, 778) as :func:`load_joint_regressor`."""


def load_hand_files(
    hand_model: str | Path,
    sealed_faces: str | None,
    joint_regressor: str | None,
    gathering: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> HandFiles:
    """Read what ``data.hand_model``, ``data.sealed_faces`` and ``data.joint_regressor`` name.

    Args:
        hand_model: ``open``, which brings everything itself, or the folder of the MANO files.
        sealed_faces: file of the part table, or None.
        joint_regressor: file of the regressor, or None.
        gathering: makes the context in which each file is read; one that catches errors lets all files be read.

    Raises:
        UserError: a file is missing, damaged, refused, or does not belong to the model.
    """
    if str(hand_model) == "open":
        for key, value in {"sealed_faces": sealed_faces, "joint_regressor": joint_regressor}.items():
            if value is not None:
                with gathering():
                    text = "belongs to MANO's mesh; set it to null with data.hand_model: open"
                    raise UserError(f"data.{key}: {value} {text}")
        return HandFiles()
    sides: dict[str, dict[str, np.ndarray]] = {}
    parts = regressor = None
    folder = Path(hand_model)
    if not folder.is_dir():
        with gathering():
            raise UserError(f"{folder}: there is no such folder; {MANO_REMEDY}")
    for side in ("right", "left") if folder.is_dir() else ():
        with gathering():
            sides[side] = _load_mano(folder / f"MANO_{side.upper()}.pkl")
    if sealed_faces is not None:
        with gathering():
            parts = load_part_table(Path(sealed_faces), sides["right"]["f"] if "right" in sides else None)
    if joint_regressor is not None:
        with gathering():
            regressor = load_joint_regressor(Path(joint_regressor))
    if len(sides) == 2:
        sides["left"] = repair_left_shapes(sides["left"], sides["right"])
    return HandFiles(sides if len(sides) == 2 else None, parts, regressor)


def _load_mano(path: Path) -> dict[str, np.ndarray]:
    """Read one file; indices become int64, everything else float64."""
    content = load_data_pickle(path, MANO_REMEDY)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__} instead of a MANO model; {MANO_REMEDY}")
    arrays = {}
    for key, shape in MANO_SHAPES.items():
        if key not in content:
            raise UserError(f"{path}: has no '{key}', so it is not a MANO model; {MANO_REMEDY}")
        try:
            array = as_array(content[key])
        except ValueError as error:
            raise UserError(f"{path}: '{key}' is {error}; {MANO_REMEDY}") from error
        if array.shape != shape:
            raise UserError(f"{path}: '{key}' has shape {array.shape} instead of {shape}; {MANO_REMEDY}")
        if not np.isfinite(array).all():
            raise UserError(f"{path}: '{key}' holds NaN or infinite values; {MANO_REMEDY}")
        arrays[key] = array.astype(np.float64 if key not in INDICES else np.int64)
    for key, count in INDICES.items():
        used = arrays[key] if key == "f" else arrays[key][0, 1:]  # the root's parent is no joint
        if used.min() < 0 or used.max() >= count:
            text = f"'{key}' has indices {used.min()} to {used.max()} instead of 0 to {count - 1}"
            raise UserError(f"{path}: {text}, so it is damaged; {MANO_REMEDY}")
    return arrays


def repair_left_shapes(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Negate x of the left hand's shape directions if they equal the right hand's instead of mirroring them."""
    if np.abs(left["shapedirs"][:, 0] - right["shapedirs"][:, 0]).sum() >= 1:
        return left
    return left | {"shapedirs": left["shapedirs"] * np.array([-1.0, 1.0, 1.0])[:, None]}


def load_part_table(path: Path, faces: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Read the published part table of the right hand.

    Args:
        path: sealed_faces.npy, a pickled dictionary.
        faces: (1538, 3) the right hand's own faces, which the table must contain; None if they are unknown.

    Returns:
        (1554, 3) int64 sealed faces and (1554,) part ids 0-15.

    Raises:
        UserError: missing, damaged, refused, or not a table for this mesh.
    """
    table = load_data_pickle(path, TABLE_REMEDY)
    keys = ("sealed_faces_right", "sealed_faces_color_right")
    if not isinstance(table, dict) or any(key not in table for key in keys):
        raise UserError(f"{path}: must hold a dictionary with {' and '.join(keys)}; {TABLE_REMEDY}")
    try:
        sealed, parts = (as_array(table[key]).astype(np.int64) for key in keys)
    except ValueError as error:
        raise UserError(f"{path}: holds {error}; {TABLE_REMEDY}") from error
    parts = parts.ravel()
    if sealed.shape != (mesh.SEALED_FACE_COUNT, 3) or parts.shape != (mesh.SEALED_FACE_COUNT,):
        raise UserError(
            f"{path}: has shapes {sealed.shape} and {parts.shape} instead of (1554, 3), (1554,); {TABLE_REMEDY}"
        )
    if parts.min() < 0 or parts.max() >= PARTS_PER_HAND:
        raise UserError(f"{path}: part ids run from {parts.min()} to {parts.max()} instead of 0 to 15; {TABLE_REMEDY}")
    if sealed.min() < 0 or sealed.max() > mesh.WRIST_CENTRE:
        raise UserError(
            f"{path}: faces refer to vertices {sealed.min()} to {sealed.max()} instead of 0 to 778; {TABLE_REMEDY}"
        )
    known = {tuple(face) for face in np.sort(sealed, axis=1).tolist()}
    if faces is not None and not known.issuperset(tuple(face) for face in np.sort(faces, axis=1).tolist()):
        raise UserError(f"{path}: is a table for another mesh than data.hand_model; {TABLE_REMEDY}")
    return sealed, parts


def load_joint_regressor(path: Path) -> np.ndarray:
    """Read the (21, 778) float64 regressor of joints in InterHand2.6M's order.

    Raises:
        UserError: missing, damaged or of another shape.
    """
    try:
        regressor = as_array(load_data_pickle(path, REGRESSOR_REMEDY)).astype(np.float64)
    except ValueError as error:
        raise UserError(f"{path}: holds {error}; {REGRESSOR_REMEDY}") from error
    if regressor.shape != (21, mesh.VERTEX_COUNT) or not np.isfinite(regressor).all():
        raise UserError(f"{path}: has shape {regressor.shape} or gaps instead of finite (21, 778); {REGRESSOR_REMEDY}")
    return regressor
