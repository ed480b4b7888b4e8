import numpy as np
import trimesh

from digit.hand.mesh import SEAL_RING, TIP_VERTICES, sealed_faces
from digit.hand.open_hand.anatomy import skeleton
from digit.hand.open_hand.generate.remesh import make_mesh, wanted_length
from digit.hand.open_hand.generate.rig import manos_order
from digit.hand.open_hand.generate.surface import CUT_MM


def test_remeshing_hits_manos_counts_with_sound_triangles():
    vertices_mm, faces = manos_order(*make_mesh())
    assert vertices_mm.shape == (778, 3) and faces.shape == (1538, 3)
    assert np.allclose(vertices_mm[list(SEAL_RING), 0], CUT_MM)
    sealed = np.concatenate([vertices_mm, vertices_mm[list(SEAL_RING)].mean(axis=0, keepdims=True)])
    body = trimesh.Trimesh(sealed, sealed_faces(faces, "right"), process=False)
    assert body.is_watertight and body.is_winding_consistent and body.volume > 300e3
    triangles = trimesh.Trimesh(vertices_mm, faces, process=False)
    assert triangles.euler_number == 1
    assert np.degrees(triangles.face_angles.min()) > 20
    for name, vertex in TIP_VERTICES.items():
        assert np.linalg.norm(vertices_mm[vertex] - skeleton()[name].joints_mm[3]) < 3


def test_fingers_get_shorter_edges_than_the_palm():
    index = skeleton()["index"]
    on_finger = (index.joints_mm[1] + index.joints_mm[2]) / 2 + index.palmar[1] * 9
    palm = np.array([-40.0, 16.0, 0.0])
    finger_edge, palm_edge = wanted_length(np.stack([on_finger, palm]))
    assert finger_edge < 7.5 < 12 < palm_edge
