"""Both hands, whatever their model: the embedded open hand or the official MANO files, through smplx."""

import contextlib
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import smplx
import torch
from smplx.utils import Struct

from digit.hand import mesh, official
from digit.hand.open_hand.model import load_open_hand
from digit.run.console import log

FRAMES_PER_BATCH = 64
"""Frames posed at once; larger batches leave the cache and are slower."""


@dataclass(frozen=True)
class Hand:
    """One side: its mesh, the parts of its faces, its joints, and the model that poses it.

    ``faces`` (1538, 3) and ``sealed_faces`` (1554, 3) int64, the latter with the wrist centre as vertex 778;
    ``face_labels`` (1554,) uint8 mask values; ``joint_regressor`` (21, 778) in InterHand2.6M's order.
    """

    side: str
    faces: np.ndarray
    sealed_faces: np.ndarray
    face_labels: np.ndarray
    joint_regressor: np.ndarray
    model: smplx.MANO

    def vertices_world_mm(self, pose: np.ndarray, shape: np.ndarray, trans_m: np.ndarray) -> np.ndarray:
        """Pose the hand in N frames.

        Args:
            pose: (N, 48) axis-angle vectors, the global orientation first; relative to MANO's mean pose.
            shape: (N, 10) shape coefficients.
            trans_m: (N, 3) translation in metres.

        Returns:
            (N, 778, 3) float64, world frame, mm.
        """
        poses, shapes, translations = (
            torch.from_numpy(np.ascontiguousarray(a, dtype=np.float64)) for a in (pose, shape, trans_m)
        )
        vertices_mm = np.empty((len(pose), mesh.VERTEX_COUNT, 3))
        for start in range(0, len(pose), FRAMES_PER_BATCH):
            rows = slice(start, start + FRAMES_PER_BATCH)
            with torch.no_grad():
                posed = self.model(
                    global_orient=poses[rows, :3],
                    hand_pose=poses[rows, 3:],
                    betas=shapes[rows],
                    transl=translations[rows],
                )
            np.multiply(posed.vertices.numpy(), 1000.0, out=vertices_mm[rows], dtype=np.float64)
        return vertices_mm

    def joints_world_mm(self, vertices_world_mm: np.ndarray) -> np.ndarray:
        """(..., 778, 3) vertices -> (..., 21, 3) joints in InterHand2.6M's order, same frame."""
        return mesh.regress_joints(self.joint_regressor, vertices_world_mm)


@dataclass(frozen=True)
class Hands:
    """The right and the left hand."""

    right: Hand
    left: Hand

    def __getitem__(self, side: str) -> Hand:
        return {"right": self.right, "left": self.left}[side]


def load_hands(
    hand_model: str | Path = "open", sealed_faces: str | None = None, joint_regressor: str | None = None
) -> Hands:
    """Load both hands.

    Args:
        hand_model: ``open`` for the embedded hand, or a folder with MANO_RIGHT.pkl and MANO_LEFT.pkl.
        sealed_faces: the published part table ``sealed_faces.npy``; by default parts follow the skinning.
        joint_regressor: ``J_regressor_mano_ih26m.npy``, 21 x 778; the open hand brings its own. With MANO and
            without it, MANO's own joints and single fingertip vertices are used, and the log says so.

    Raises:
        UserError: a file is missing, damaged, refused or does not belong to the model; the message names it.

    Examples:
        >>> hands = digit.load_hands("open")
        >>> hands["right"].vertices_world_mm(np.zeros((1, 48)), np.zeros((1, 10)), np.zeros((1, 3))).shape
    """
    files = official.load_hand_files(hand_model, sealed_faces, joint_regressor)
    models = files.models or load_open_hand()
    if files.models and files.regressor is None:
        log.warning(
            "data.joint_regressor is not set: MANO's own joints and fingertip vertices replace InterHand2.6M's, "
            "so fit errors are approximate by several mm and data.max_fit_error_mm rejects other frames"
        )
    return Hands(*(_hand(models[side], side, files.regressor, files.parts) for side in ("right", "left")))


def _hand(
    arrays: dict[str, np.ndarray],
    side: str,
    regressor: np.ndarray | None,
    part_table: tuple[np.ndarray, np.ndarray] | None,
) -> Hand:
    """Assemble one hand; without a regressor or part table they follow from the model's arrays."""
    if part_table is None:
        closed = mesh.sealed_faces(arrays["f"], side)
        parts = mesh.labels_by_skinning(closed, arrays["weights"])
    else:
        closed, parts = part_table
        closed = closed if side == "right" else closed[:, [1, 0, 2]]
    if regressor is None:
        regressor = mesh.interhand_regressor(arrays["J_regressor"])
    labels = mesh.face_labels(parts, side)
    return Hand(side, arrays["f"], closed, labels, regressor, _smplx_model(arrays, side))


def _smplx_model(arrays: dict[str, np.ndarray], side: str) -> smplx.MANO:
    with contextlib.redirect_stdout(io.StringIO()):  # smplx prints a remark about 10 shape coefficients
        return smplx.MANO(
            "",
            data_struct=Struct(**arrays),
            is_rhand=side == "right",
            use_pca=False,
            flat_hand_mean=False,
            dtype=torch.float64,
        ).eval()


def hand_digest(hands: Hands) -> str:
    """SHA-256 over everything that shapes a mask: both models' arrays, faces, labels and regressors."""
    digest = hashlib.sha256()
    for hand in (hands.right, hands.left):
        buffers = {name: value.numpy() for name, value in hand.model.named_buffers()}
        tables = {"faces": hand.sealed_faces, "labels": hand.face_labels, "regressor": hand.joint_regressor}
        for name, values in sorted((buffers | tables).items()):
            digest.update(f"{hand.side} {name} {values.dtype} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
