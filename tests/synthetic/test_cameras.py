import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digit.geometry import project, world_to_camera
from digit.synthetic.cameras import ANGLES_DEG, SUBJECT_MM, look_at, make_cameras

coordinate = st.floats(-900, 900)


@given(st.tuples(coordinate, coordinate, st.floats(-900, 500)), st.floats(-3, 3))
def test_look_at_is_a_right_handed_rotation_that_centres_the_target(position, roll):
    rotation = look_at(np.array(position), SUBJECT_MM, roll)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    seen = world_to_camera(SUBJECT_MM[None], rotation, np.array(position))[0]
    np.testing.assert_allclose(seen[:2], 0, atol=1e-6)
    assert seen[2] > 0


def test_up_in_the_world_is_up_in_the_picture():
    rotation = look_at(np.zeros(3), SUBJECT_MM, 0.0)
    higher = world_to_camera(SUBJECT_MM[None] - (0, 50, 0), rotation, np.zeros(3))[0]
    assert higher[1] < 0


@pytest.mark.parametrize("views", ["narrow", "wide"])
def test_cameras_stay_within_their_angles_and_see_the_subject(views):
    cameras = make_cameras(np.random.default_rng(0), 12, views)
    (west, east), (low, high) = ANGLES_DEG[views]
    assert len({camera.name for camera in cameras}) == 12
    assert {(camera.width, camera.height) for camera in cameras} == {(512, 334), (334, 512)}
    assert 0 < sum(camera.grey for camera in cameras) < 6
    for camera in cameras:
        towards = camera.position_mm - SUBJECT_MM
        distance = np.linalg.norm(towards)
        assert 900 <= distance <= 1150
        assert west <= np.degrees(np.arctan2(towards[0], -towards[2])) <= east
        assert low <= np.degrees(np.arcsin(-towards[1] / distance)) <= high
        seen = world_to_camera(SUBJECT_MM[None], camera.rotation, camera.position_mm)
        pixel = project(seen, camera.focal_px, camera.princpt_px)[0]
        assert np.all(np.abs(pixel - np.array([camera.width, camera.height]) / 2) < 90)
