import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from digit.hand.mano import load_hands
from digit.hand.mesh import seal
from digit.render.gl import gl_platform, label_mask_gl
from digit.render.raster import label_mask
from digit.run.errors import UserError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def platform():
    try:
        return gl_platform()
    except UserError as error:
        pytest.skip(f"no OpenGL on this machine: {error}")


@pytest.fixture(scope="module")
def scene():
    """Two curled, overlapping hands about 90 cm in front of the camera, their faces and labels."""
    hands = load_hands()
    rng = np.random.default_rng(5)
    pose = rng.normal(0, 0.25, (2, 48))
    pose[:, :3] = [[1.3, 0.2, 0.1], [1.2, -0.3, 0.2]]
    trans_m = np.array([[-0.03, 0.01, 0.9], [0.04, 0.0, 0.93]])
    sides = [hands.right, hands.left]
    meshes = [
        seal(hand.vertices_world_mm(pose[k : k + 1], np.zeros((1, 10)), trans_m[k : k + 1])[0])
        for k, hand in enumerate(sides)
    ]
    faces = np.concatenate([sides[0].sealed_faces, sides[1].sealed_faces + len(meshes[0])])
    return np.concatenate(meshes), faces, np.concatenate([hand.face_labels for hand in sides])


def borders(mask):
    """Pixels whose 3x3 neighbourhood holds more than one label."""
    square = np.ones((3, 3), np.uint8)
    return cv2.dilate(mask, square) != cv2.erode(mask, square)


@pytest.mark.parametrize(
    ("focal", "princpt", "size"),
    [((1250.3, 1251.1), (254.2, 170.9), (512, 334)), ((1400, 1390), (166.6, 255.1), (334, 512))],
)
def test_opengl_draws_the_same_labels(platform, scene, focal, princpt, size):
    arguments = (*scene, np.array(focal, float), np.array(princpt, float), *size)
    ours, reference = label_mask(*arguments), label_mask_gl(*arguments)
    assert reference.shape == ours.shape == (size[1], size[0]) and reference.dtype == np.uint8
    assert len(np.unique(ours)) > 25
    inside = ~(borders(ours) | borders(reference))
    assert (ours == reference).mean() >= 0.9995
    np.testing.assert_array_equal(ours[inside], reference[inside])
    assert inside.mean() > 0.8


def test_half_a_pixel_would_be_noticed(platform, scene):
    focal, princpt = np.array([1250.3, 1251.1]), np.array([254.2, 170.9])
    ours = label_mask(*scene, focal, princpt, 512, 334)
    shifted = label_mask_gl(*scene, focal, princpt + np.array([0.5, 0.0]), 512, 334)
    assert (ours == shifted).mean() < 0.998


def test_faces_behind_the_camera_are_left_out(platform, scene):
    vertices, faces, labels = scene
    vertices = vertices.copy()
    vertices[779:, 2] = -500
    vertices[0] = np.nan
    arguments = (vertices, faces, labels, np.array([1250.0, 1250.0]), np.array([256.0, 167.0]), 512, 334)
    reference = label_mask_gl(*arguments)
    assert set(np.unique(reference)) <= set(range(17)) and reference.any()
    assert (reference == label_mask(*arguments)).mean() >= 0.9995
    vertices[:, 2] = -1.0
    assert not label_mask_gl(*arguments).any()


def test_a_machine_without_opengl_is_told_what_to_install():
    code = "from digit.render.gl import gl_platform\ngl_platform()"
    environment = os.environ | {"PYOPENGL_PLATFORM": "none", "PYTHONPATH": str(REPOSITORY)}
    trial = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert trial.returncode == 1
    assert "UserError: parts.backend" in trial.stderr
    assert "libegl1" in trial.stderr and "libosmesa6" in trial.stderr and "numba" in trial.stderr
