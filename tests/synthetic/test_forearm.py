import numpy as np
import trimesh

from digit.hand.mano import load_hands
from digit.hand.open_hand.skin import load_skin
from digit.synthetic.forearm import SIDES, forearm, runs_into, sleeve, tube_faces, wrist_axis
from digit.synthetic.scene import SKIN_RIM


def test_the_rim_of_the_skin_is_the_loop_around_the_wrist():
    vertices_mm = load_hands().right.vertices_world_mm(np.zeros((1, 48)), np.zeros((1, 10)), np.zeros((1, 3)))[0]
    rim = load_skin("right").subdivide(vertices_mm)[SKIN_RIM]
    assert len(rim) == SIDES
    steps = np.linalg.norm(rim - np.roll(rim, 1, axis=0), axis=1)
    assert steps.max() < 6 * steps.mean() / 3
    assert wrist_axis(rim, vertices_mm.mean(axis=0))[0] > 0.9  # fingers of the right hand point to -x


def test_arms_and_sleeves_face_outwards_on_both_sides():
    hands = load_hands()
    for side in ("right", "left"):
        mesh_mm = hands[side].vertices_world_mm(np.zeros((1, 48)), np.zeros((1, 10)), np.zeros((1, 3)))[0]
        rim = load_skin(side).subdivide(mesh_mm)[SKIN_RIM]
        axis = wrist_axis(rim, mesh_mm.mean(axis=0))
        arm = forearm(rim, axis, axis)
        for vertices in (arm, sleeve(arm, 25.0, np.zeros(4))):
            tube = trimesh.Trimesh(vertices, tube_faces(len(vertices) // SIDES, side), process=False)
            middle = vertices.reshape(-1, SIDES, 3).mean(axis=1)
            outwards = (vertices.reshape(-1, SIDES, 3) - middle[:, None]).reshape(-1, 3)
            assert np.mean((tube.vertex_normals * outwards).sum(axis=1) > 0) > 0.99


def test_an_arm_runs_into_what_stands_in_its_way():
    assert runs_into(np.zeros(3), np.array([1.0, 0, 0]), np.array([[100.0, 10, 0]]))
    assert not runs_into(np.zeros(3), np.array([1.0, 0, 0]), np.array([[100.0, 60, 0], [-80.0, 0, 0]]))
