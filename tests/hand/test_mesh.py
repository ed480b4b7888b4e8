import numpy as np
import pytest
import trimesh

from digit.hand import mesh
from digit.hand.mano import load_hands
from digit.hand.open_hand.model import load_open_hand
from digit.skeleton import HAND_JOINT_NAMES, HANDS, PART_NAMES


@pytest.fixture(scope="module")
def hands():
    return load_hands()


@pytest.mark.parametrize("side", HANDS)
def test_open_mesh_is_a_disk_with_manos_counts_and_ring(hands, side):
    faces = hands[side].faces
    assert faces.shape == (1538, 3) and faces.dtype == np.int64
    assert np.array_equal(np.unique(faces), np.arange(778))
    half_edges = {
        tuple(edge) for edge in np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    }
    assert len(half_edges) == 3 * 1538, "an edge is used twice in the same direction"
    rim = {edge for edge in half_edges if edge[::-1] not in half_edges}
    ring = mesh.SEAL_RING
    forwards = {(ring[k], ring[k - 1]) for k in range(16)}
    assert rim == (forwards if side == "right" else {edge[::-1] for edge in forwards})
    edge_count = (len(half_edges) - len(rim)) // 2 + len(rim)
    assert 778 - edge_count + 1538 == 1


@pytest.mark.parametrize("side", HANDS)
def test_sealed_mesh_is_watertight_and_encloses_a_hand(hands, side):
    hand = hands[side]
    vertices = mesh.seal(load_open_hand()[side]["v_template"])
    assert vertices.shape == (779, 3)
    assert hand.sealed_faces.shape == (1554, 3)
    assert np.array_equal(hand.sealed_faces[:1538], hand.faces)
    body = trimesh.Trimesh(1000 * vertices, hand.sealed_faces, process=False)
    assert body.is_watertight and body.is_winding_consistent and body.body_count == 1
    assert 300e3 < body.volume < 420e3
    assert body.area_faces.min() > 4


def test_seal_keeps_leading_axes():
    vertices = np.random.default_rng(0).normal(size=(2, 3, 778, 3))
    sealed = mesh.seal(vertices)
    assert sealed.shape == (2, 3, 779, 3)
    assert np.allclose(sealed[1, 2, 778], vertices[1, 2, list(mesh.SEAL_RING)].mean(axis=0))


def test_left_faces_mirror_the_right(hands):
    def triangles(faces):
        return {tuple(np.roll(face, -np.argmin(face)).tolist()) for face in faces}

    assert triangles(hands.left.sealed_faces) == triangles(hands.right.sealed_faces[:, [0, 2, 1]])


@pytest.mark.parametrize(("side", "first"), [("right", 1), ("left", 17)])
def test_labels_cover_the_16_parts_of_each_side(hands, side, first):
    labels = hands[side].face_labels
    assert labels.dtype == np.uint8 and labels.shape == (1554,)
    counts = np.bincount(labels, minlength=33)
    assert counts.sum() == counts[first : first + 16].sum()
    assert counts[first : first + 16].min() >= 20
    assert np.argmax(counts) == first + PART_NAMES.index("palm")


def test_part_of_a_face_is_the_joint_with_the_largest_summed_weight():
    weights = np.zeros((4, 16))
    weights[0, [0, 15]] = 0.4, 0.6
    weights[1, [0, 15]] = 0.4, 0.6
    weights[2, 0] = 1.0
    weights[3, 15] = 1.0
    ids = mesh.labels_by_skinning(np.array([[0, 1, 2], [0, 1, 3]]), weights)
    assert [PART_NAMES[k] for k in ids] == ["palm", "thumb3"]


def test_fallback_ids_are_those_of_the_published_table():
    """Of MANO's joints in its order: wrist, then index, middle, pinky, ring, thumb 1-3 (1 next to the palm)."""
    published = [8, 10, 1, 11, 3, 14, 4, 2, 13, 6, 0, 15, 5, 7, 9, 12]
    faces = np.arange(48).reshape(16, 3)
    weights = np.repeat(np.eye(16), 3, axis=0)
    ids = mesh.labels_by_skinning(faces, weights)
    assert ids.tolist() == published
    assert mesh.face_labels(ids, "right").tolist() == [1 + k for k in published]
    assert mesh.face_labels(ids, "left").tolist() == [17 + k for k in published]


@pytest.mark.parametrize("side", HANDS)
def test_parts_lie_along_the_bones_they_are_named_after(hands, side):
    hand = hands[side]
    flat = np.concatenate([np.zeros(3), -load_open_hand()[side]["hands_mean"]])[None]
    vertices = hand.vertices_world_mm(flat, np.zeros((1, 10)), np.zeros((1, 3)))
    joints, corners = hand.joints_world_mm(vertices)[0], mesh.seal(vertices)[0][hand.sealed_faces]
    bones = [name for name in HAND_JOINT_NAMES if name[-1] in "123"]
    middles = np.stack([joints[[HAND_JOINT_NAMES.index(b), HAND_JOINT_NAMES.index(_next(b))]].mean(0) for b in bones])
    part_ids = hand.face_labels - (1 if side == "right" else 17)
    for part in bones:
        centre = corners[part_ids == PART_NAMES.index(part)].mean(axis=(0, 1))
        assert bones[np.linalg.norm(middles - centre, axis=1).argmin()] == part


def _next(joint: str) -> str:
    return f"{joint[:-1]}{int(joint[-1]) + 1}"


def test_joint_regressor_rows_are_convex_and_follow_the_names(hands):
    for side in HANDS:
        regressor = hands[side].joint_regressor
        assert regressor.shape == (21, 778) and regressor.dtype == np.float64
        assert regressor.min() >= 0
        assert np.allclose(regressor.sum(axis=1), 1, atol=1e-9)
        for finger, vertex in mesh.TIP_VERTICES.items():
            row = regressor[HAND_JOINT_NAMES.index(f"{finger}4")]
            assert np.flatnonzero(row).tolist() == [vertex]


def test_regress_joints_is_linear_and_batched(hands):
    vertices = np.random.default_rng(1).normal(size=(4, 778, 3))
    joints = mesh.regress_joints(hands.right.joint_regressor, vertices)
    assert joints.shape == (4, 21, 3)
    assert np.allclose(joints[2, 20], hands.right.joint_regressor[20] @ vertices[2])
