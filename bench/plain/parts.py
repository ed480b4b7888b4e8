"""Drawing part masks the plain way: an image at a time, a pyrender scene with one coloured mesh, one PNG file."""

from pathlib import Path

import cv2
import numpy as np
import torch

from digit import geometry
from digit.hand.mano import Hands
from digit.hand.mesh import seal
from digit.render.gl import gl_platform
from digit.samples.index import SplitIndex
from digit.skeleton import HANDS

LEVELS_PER_LABEL = 7
"""Label k is drawn in the grey level 7 k, and read back by rounding."""


class Painter:
    """Draws masks of an index's samples into a folder; one renderer for each image size."""

    def __init__(self, index: SplitIndex, hands: Hands, folder: Path) -> None:
        gl_platform()
        self.index, self.hands, self.folder = index, hands, folder
        self.renderers: dict[tuple[int, int], object] = {}

    def draw(self, row: int) -> Path:
        """Pose the hands of one sample, draw them and write the mask."""
        import pyrender
        import trimesh

        index, frame, camera = self.index, self.index.frame_row[row], self.index.camera_row[row]
        vertices, faces, labels = [], [], []
        for side, name in enumerate(HANDS):
            if not index.mano_valid[frame, side]:
                continue
            hand = self.hands[name]
            pose = torch.tensor(index.mano_pose[frame, side], dtype=torch.float64)[None]
            shape = torch.tensor(index.mano_shape[frame, side], dtype=torch.float64)[None]
            trans = torch.tensor(index.mano_trans_m[frame, side], dtype=torch.float64)[None]
            with torch.no_grad():
                posed = hand.model(global_orient=pose[:, :3], hand_pose=pose[:, 3:], betas=shape, transl=trans)
            faces.append(hand.sealed_faces + sum(map(len, vertices)))
            vertices.append(seal(posed.vertices[0].numpy() * 1000))
            labels.append(hand.face_labels)
        colors = np.repeat(np.concatenate(labels)[:, None] * LEVELS_PER_LABEL, 3, axis=1).astype(np.uint8)
        points = geometry.world_to_camera(np.concatenate(vertices), index.rotation[camera], index.position_mm[camera])
        mesh = trimesh.Trimesh(points / 1000 * (1, -1, -1), np.concatenate(faces), face_colors=colors, process=False)
        scene = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=[1.0, 1.0, 1.0])
        scene.add(pyrender.Mesh.from_trimesh(mesh, smooth=False))
        (fx, fy), (cx, cy) = index.focal_px[camera].tolist(), (index.princpt_px[camera] + 0.5).tolist()
        scene.add(pyrender.IntrinsicsCamera(fx, fy, cx, cy, znear=0.1, zfar=10.0))
        size = int(index.width[row]), int(index.height[row])
        if size not in self.renderers:
            self.renderers[size] = pyrender.OffscreenRenderer(*size)
        flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.SKIP_CULL_FACES
        image, _ = self.renderers[size].render(scene, flags=flags)  # type: ignore[attr-defined]
        mask = np.rint(image[..., 0] / LEVELS_PER_LABEL).astype(np.uint8)
        path = (self.folder / index.keys(slice(row, row + 1))[0]).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), mask)
        return path
