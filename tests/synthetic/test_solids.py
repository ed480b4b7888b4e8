import numpy as np
import pytest
import trimesh

from digit.synthetic.solids import block, frame_along, hoop, lathe, tube

ANGLE = np.arange(16) * 2 * np.pi / 16
RINGS = np.stack([np.stack([9 * np.cos(ANGLE), 9 * np.sin(ANGLE), np.full(16, z)], axis=1) for z in (0.0, 10, 25)])


@pytest.mark.parametrize(
    ("solid", "volume"),
    [
        (tube(RINGS), np.pi * 81 * 25),
        (tube(RINGS[:, ::-1], mirrored=True), np.pi * 81 * 25),
        (lathe(np.array([[7.0, -5.0], [7.0, 15.0]])), np.pi * 49 * 20),
        (hoop(9.0, 2.0, 3.0), np.pi * 1.0 * 1.5 * 2 * np.pi * 9),
        (block(np.array([2.0, 3.0, 4.0])), 24.0),
    ],
    ids=["tube", "mirrored tube", "lathe", "hoop", "block"],
)
def test_solids_are_closed_and_wound_outwards(solid, volume):
    mesh = trimesh.Trimesh(*solid, process=False)
    mesh.merge_vertices()
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(volume, rel=0.12)


def test_a_frame_is_a_rotation_whose_z_is_the_axis():
    rng = np.random.default_rng(0)
    for axis, hint in [*rng.normal(0, 1, (5, 2, 3)), (np.array([0, 0, 2.0]), np.array([0, 0, 1.0]))]:
        frame = frame_along(axis, hint)
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(frame) == pytest.approx(1)
        np.testing.assert_allclose(frame[:, 2], axis / np.linalg.norm(axis))
