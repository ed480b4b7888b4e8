import numpy as np
import pytest

from digit.hand.mano import load_hands
from digit.hand.mesh import SEAL_RING
from digit.render.shading import vertex_normals
from digit.skeleton import HANDS
from digit.synthetic.arms import face_cameras
from digit.synthetic.cameras import SUBJECT_MM
from digit.synthetic.contact import depths
from digit.synthetic.interaction import CLASP_DEPTH_MM, FARTHEST_WRISTS_MM, pose_frame


@pytest.fixture(scope="module")
def pairs():
    hands, rng = load_hands(), np.random.default_rng(3)
    return hands, [pose_frame(rng, hands, rng.normal(0, 1, 10), "interacting") for _ in range(40)]


def overlap_and_gap_mm(hands, pair) -> tuple[float, float]:
    meshes = {side: pair[side].vertices_mm for side in HANDS}
    normals = {side: vertex_normals(meshes[side], hands[side].faces) for side in HANDS}
    into_right, _, gap = depths(meshes["left"], meshes["right"], normals["right"])
    into_left, _, _ = depths(meshes["right"], meshes["left"], normals["left"])
    return max(into_right.max(), into_left.max()), gap


def test_hands_sink_into_each_other_no_deeper_than_flesh_gives(pairs):
    hands, posed = pairs
    overlaps = [overlap_and_gap_mm(hands, pair)[0] for pair in posed]
    assert max(overlaps) <= CLASP_DEPTH_MM + 0.5


def test_most_pairs_touch_and_some_do_not(pairs):
    hands, posed = pairs
    gaps = np.array([overlap_and_gap_mm(hands, pair)[1] for pair in posed])
    assert 0.6 < np.mean(gaps < 6) < 1.0
    assert gaps.max() > 10


def test_wrists_stay_within_reach_and_hands_near_the_subjects_place(pairs):
    _, posed = pairs
    for pair in posed:
        wrists = [pair[side].vertices_mm[list(SEAL_RING)].mean(axis=0) for side in HANDS]
        assert np.linalg.norm(wrists[0] - wrists[1]) < FARTHEST_WRISTS_MM + 1
        middle = np.concatenate([pair[side].vertices_mm for side in HANDS]).mean(axis=0)
        assert np.linalg.norm(middle - SUBJECT_MM) < 110


def test_parameters_reproduce_the_meshes_also_after_facing_cameras(pairs):
    hands, posed = pairs
    rng = np.random.default_rng(4)
    for pair in posed[:5]:
        for turned in (pair, face_cameras(rng, hands, pair, SUBJECT_MM + rng.normal(0, 600, (4, 3)))):
            for side, hand in turned.items():
                parameters = hand.pose[None], hand.shape[None], hand.trans_m[None]
                mesh_mm = hands[side].vertices_world_mm(*parameters)[0]
                np.testing.assert_allclose(mesh_mm, hand.vertices_mm, atol=1e-3)


def test_a_person_turns_until_no_forearm_points_at_the_camera(pairs):
    hands, posed = pairs
    rng = np.random.default_rng(5)
    before, after = [], []
    for pair in posed:
        camera_mm = SUBJECT_MM + 900 * np.array([np.sin(angle := rng.uniform(0, 6.3)), 0, np.cos(angle)])
        towards = (camera_mm - SUBJECT_MM) / 900
        turned = face_cameras(rng, hands, pair, camera_mm[None])
        before += [hand.elbow_axis @ towards for hand in pair.values()]
        after += [hand.elbow_axis @ towards for hand in turned.values()]
    assert max(before) > 0.85
    assert max(after) < 0.8


def test_every_hand_type_is_posed():
    hands, rng = load_hands(), np.random.default_rng(6)
    for hand_type, sides in (("right", {"right"}), ("left", {"left"}), ("interacting", set(HANDS))):
        assert set(pose_frame(rng, hands, np.zeros(10), hand_type)) == sides
