"""Meshes for the page's 3D viewer, made from the MANO parameters of the records."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from digit.hand.mano import Hands
from digit.hand.mesh import seal
from digit.mesh.overlay import COLORS
from digit.pages.entry import present_hands
from digit.skeleton import HANDS

STEPS_PER_MM = 10
"""In which vertices are rounded; 16 bits reach 3 m from the middle of a hand."""


def surfaces(hands: Hands) -> list[dict[str, Any]]:
    """Faces and colour of the right and the left hand's mesh, as ``overlay.js`` expects them."""
    return [
        {
            "faces": hands[side].sealed_faces.ravel().tolist(),
            "color": [round(255 * channel) for channel in COLORS[side]],
        }
        for side in HANDS
    ]


def add_meshes(entries: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]], hands: Hands) -> None:
    """Give each fitted hand of entries (:mod:`digit.pages.entry`) its ``mesh``.

    Args:
        entries: to change.
        records: that they were made from.
        hands: the model that was fitted.
    """
    for number, side in enumerate(HANDS):
        fitted = [
            (entry["crops"][crop]["hands"][number], known["mano"])
            for entry, record in zip(entries, records, strict=True)
            for crop, hand, known in present_hands(record)
            if hand == side and known.get("mano")
        ]
        if fitted:
            for (hand, _), vertices in zip(fitted, _vertices(hands, side, [mano for _, mano in fitted]), strict=True):
                hand["mesh"] = _packed(seal(vertices))


def _vertices(hands: Hands, side: str, fitted: Sequence[dict[str, Any]]) -> np.ndarray:
    """(n, 778, 3) of hands of one side, in the camera's frame, mm."""
    orient, pose, betas, transl_mm = (
        np.array([mano[name] for mano in fitted]) for name in ("global_orient", "hand_pose", "betas", "transl_mm")
    )
    return hands[side].vertices_world_mm(np.concatenate([orient, pose], axis=1), betas, transl_mm / 1000)


def _packed(vertices: np.ndarray) -> dict[str, Any]:
    """Vertices (V, 3) as little text: 16-bit steps from their middle, in base64."""
    middle = vertices.mean(axis=0).round()
    steps = np.round((vertices - middle) * STEPS_PER_MM).astype("<i2")
    return {"middle": middle.tolist(), "tenths": base64.b64encode(steps.tobytes()).decode()}
