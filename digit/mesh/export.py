"""Fitted hands as files for other programs: glTF binary (.glb) and Wavefront (.obj).

Both are in metres, with y up and z towards the viewer, as glTF has it: the camera's frame turned half about x, which
keeps the winding. Faces are wound counter-clockwise seen from outside; the wrist is closed by one more vertex.
"""

from pathlib import Path

import numpy as np
import trimesh
from trimesh.exchange import gltf, obj
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from digit.hand.mano import Hands
from digit.hand.mesh import seal
from digit.mesh.fit import Fits
from digit.mesh.overlay import COLORS, to_linear
from digit.run.errors import UserError
from digit.run.files import replacing

TO_FILE = np.array([1e-3, -1e-3, -1e-3])
"""Camera axes in mm (x right, y down, z forward) to the files' in metres (x right, y up, z towards the viewer)."""

FRAME = "metres; x right, y up, z towards the viewer; the camera is at the origin"


def scene_of(hands: Hands, fits: Fits) -> trimesh.Scene:
    """The fitted hands as one scene: a mesh of 779 vertices, MANO's and the wrist's centre, for each.

    They are called ``right`` and ``left``, with a number if a side comes more than once.
    """
    scene = trimesh.Scene(metadata={"frame": FRAME})
    for row in np.flatnonzero(fits.fitted):
        side = fits.side[row]
        color = [*to_linear(np.array(COLORS[side])), 1.0]
        material = PBRMaterial(name=f"{side}_hand", baseColorFactor=color, metallicFactor=0.0, roughnessFactor=0.6)
        mesh = trimesh.Trimesh(
            seal(fits.vertices_cam_mm[row]) * TO_FILE,
            hands[side].sealed_faces,
            visual=TextureVisuals(material=material),
            process=False,
        )
        name = side if fits.side[:row].count(side) == 0 else f"{side}{fits.side[:row].count(side) + 1}"
        scene.add_geometry(mesh, node_name=name, geom_name=name)
    return scene


def write_meshes(path: Path, hands: Hands, fits: Fits) -> None:
    """Write the fitted hands to a ``.glb`` or ``.obj`` file, all or nothing; a scene without hands is one, too.

    Raises:
        UserError: another suffix, or a file that the system refuses.
    """
    suffix = path.suffix.lower()
    if suffix not in (".glb", ".obj"):
        raise UserError(f"{path}: meshes are written as .glb or .obj; choose one of them")
    scene = scene_of(hands, fits)
    with replacing(path) as temporary:
        if suffix == ".glb":
            temporary.write_bytes(gltf.export_glb(scene, include_normals=True))
        else:
            options = {"include_normals": True, "include_color": False, "include_texture": False}
            temporary.write_text(obj.export_obj(scene, header=f"Hands by digit. {FRAME}", **options) + "\n")
