"""The layers of the open hand put together: mesh, rig, correctives."""

import numpy as np

from digit.hand.open_hand.anatomy import flexion_axes, template_to_wrist_mm, wrist_mm_to_template
from digit.hand.open_hand.generate import rig
from digit.hand.open_hand.generate.correctives import corrective_offsets
from digit.hand.open_hand.generate.remesh import make_mesh
from digit.hand.open_hand.model import pack


def generate() -> dict[str, np.ndarray]:
    """Make the right hand from nothing: the arrays of the frozen file. Takes about ten seconds."""
    vertices_mm, faces = rig.manos_order(*make_mesh())
    return rigged(wrist_mm_to_template(vertices_mm).astype(np.float32), faces)


def rigged(vertices_m: np.ndarray, faces: np.ndarray) -> dict[str, np.ndarray]:
    """Everything that follows from the mesh: (778, 3) float32 template vertices and (1538, 3) faces -> frozen file."""
    vertices_mm = template_to_wrist_mm(vertices_m.astype(np.float64), "right")
    weights = rig.skinning_weights(vertices_mm, faces)
    model = {
        "v_template": vertices_m,
        "f": faces,
        "shapedirs": rig.shape_directions(vertices_mm, weights) / 1000,
        "J_regressor": rig.joint_regressor(vertices_mm),
        "weights": weights,
        "hands_mean": rig.hands_mean(),
    }
    return pack(model, corrective_offsets(vertices_mm, faces, weights), flexion_axes())
