"""Label masks drawn by OpenGL through pyrender: the other backend, and the oracle for our own rasteriser.

The platform is EGL where it works, else OSMesa, unless the environment variable ``PYOPENGL_PLATFORM`` names one.
It has to be chosen before anything imports OpenGL, so pyrender is imported only on first use.
"""

import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from digit.run.errors import UserError

if TYPE_CHECKING:
    import pyrender

PLATFORMS = ("egl", "osmesa")
NEAR_MM = 1.0
"""Faces with a vertex nearer than this are left out, as our own rasteriser does."""

PROBE = "import pyrender; r = pyrender.OffscreenRenderer(8, 8); s = pyrender.Scene(); "
PROBE += "s.add(pyrender.PerspectiveCamera(1.0)); r.render(s)"
TO_GL = np.array([1.0, -1.0, -1.0])
"""Camera axes (x right, y down, z forward) to OpenGL's (x right, y up, z backward)."""


def label_mask_gl(
    vertices_cam_mm: np.ndarray,
    faces: np.ndarray,
    face_labels: np.ndarray,
    focal_px: np.ndarray,
    princpt_px: np.ndarray,
    width: int,
    height: int,
) -> np.ndarray:
    """Find the label of the face that each pixel sees, as :func:`digit.render.raster.label_mask` does.

    Each label is a node drawn with pyrender's segmentation flag: flat, without multisampling, so that no pixel
    mixes two labels. With that flag pyrender always hides faces that look away (whatever SKIP_CULL_FACES says),
    so each face is given in both windings. OpenGL samples pixel i at i + 0.5, so the principal point moves by
    half a pixel.

    Args:
        vertices_cam_mm: (N, 3) camera frame, mm.
        faces: (M, 3) vertex numbers.
        face_labels: (M,) uint8 label of each face, not 0.
        focal_px: (2,) focal lengths.
        princpt_px: (2,) principal point, in the convention of pixel centres at integers.
        width: Columns of the image.
        height: Rows of the image.

    Returns:
        (height, width) uint8, 0 where nothing is seen.

    Raises:
        UserError: when no OpenGL platform works on this machine.
    """
    renderer = _renderer(width, height)
    import pyrender

    drawable = np.isfinite(vertices_cam_mm).all(axis=1) & (vertices_cam_mm[:, 2] > NEAR_MM)
    shown = drawable[faces].all(axis=1)
    if not shown.any():
        return np.zeros((height, width), dtype=np.uint8)
    depths_mm = vertices_cam_mm[faces[shown], 2]
    scene = pyrender.Scene(bg_color=[0, 0, 0, 0])
    fx, fy, cx, cy = (float(value) for value in (*focal_px, *princpt_px))
    scene.add(
        pyrender.IntrinsicsCamera(
            fx, fy, cx + 0.5, cy + 0.5, znear=float(depths_mm.min()) * 0.99, zfar=float(depths_mm.max()) * 1.01
        )
    )
    colors = {}
    positions = np.where(drawable[:, None], vertices_cam_mm, 0.0).astype(np.float32) * TO_GL
    for label in np.unique(face_labels[shown]):
        one_way = faces[shown & (face_labels == label)]
        both_ways = np.concatenate([one_way, one_way[:, ::-1]])
        primitive = pyrender.Primitive(positions=positions, indices=both_ways, mode=pyrender.GLTF.TRIANGLES)
        colors[scene.add(pyrender.Mesh([primitive]))] = (int(label),) * 3
    image, _ = renderer.render(scene, flags=pyrender.RenderFlags.SEG, seg_node_map=colors)
    return np.ascontiguousarray(image[..., 0])


@functools.cache
def gl_platform() -> str:
    """Choose the OpenGL platform of this process and announce it to PyOpenGL.

    Each candidate is tried in a process of its own, because a failed one can neither be undone nor survived.

    Raises:
        UserError: when none works, naming the Debian packages to install.
    """
    wanted = os.environ.get("PYOPENGL_PLATFORM")
    for platform in (wanted,) if wanted else PLATFORMS:
        environment = os.environ | {"PYOPENGL_PLATFORM": platform}
        trial = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, check=False)
        if trial.returncode == 0:
            os.environ["PYOPENGL_PLATFORM"] = platform
            return platform
    tried = f"PYOPENGL_PLATFORM={wanted} does" if wanted else "neither EGL nor OSMesa does"
    raise UserError(
        f"parts.backend: pyrender needs OpenGL, and {tried} not work here; install the Debian packages libegl1 "
        "libgl1-mesa-dri (or libosmesa6), or set parts.backend to numba, which needs no OpenGL"
    )


@functools.cache
def _renderer(width: int, height: int) -> "pyrender.OffscreenRenderer":
    gl_platform()
    import pyrender

    return pyrender.OffscreenRenderer(width, height)
