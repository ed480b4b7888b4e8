"""Ties the frozen file to the generator: every layer above the mesh is made again and compared."""

import os
from importlib.resources import files

import numpy as np
import pytest

from digit.hand.mesh import TIP_VERTICES
from digit.hand.open_hand.anatomy import flexion_axes, rest_joints_mm, skeleton, template_to_wrist_mm
from digit.hand.open_hand.generate import build
from digit.hand.open_hand.generate.rig import manos_order
from digit.hand.open_hand.generate.surface import CUT_MM, hand_distance
from digit.hand.open_hand.model import load_open_hand, pose_directions, unpack

TOLERANCES = {"corrective_offsets_mm": 5e-3, "joint_regressor": 1e-7, "weight_values": 1e-9, "shape_directions": 1e-7}


@pytest.fixture(scope="module")
def frozen():
    with np.load(files("digit.hand.open_hand") / "open_right.npz") as packed:
        return dict(packed)


@pytest.fixture(scope="module")
def vertices_mm(frozen):
    return template_to_wrist_mm(frozen["vertices"].astype(np.float64), "right")


def assert_same_hand(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].dtype == value.dtype, key
        if key in ("weight_joints", "weight_values"):
            continue
        difference = np.abs(found[key].astype(np.float64) - value.astype(np.float64)).max()
        assert difference <= TOLERANCES.get(key, 1e-9), key
    assert np.abs(unpack(found)["weights"] - unpack(expected)["weights"]).max() < 1e-9


def test_frozen_layers_follow_from_the_frozen_mesh(frozen):
    assert_same_hand(build.rigged(frozen["vertices"], frozen["faces"].astype(np.int64)), frozen)


def test_frozen_mesh_lies_on_the_generators_surface(vertices_mm):
    """Up to the push against the shrinking of the subdivision, which is outwards on convex places."""
    distances = hand_distance(vertices_mm, skeleton())
    assert np.abs(distances).mean() < 0.6
    assert np.abs(distances).max() < 2.5


def test_frozen_mesh_is_in_its_own_order(frozen, vertices_mm):
    shuffle = np.random.default_rng(0).permutation(778)
    reordered, faces = manos_order(vertices_mm[shuffle], np.argsort(shuffle)[frozen["faces"].astype(np.int64)])
    assert np.array_equal(reordered, vertices_mm)
    assert np.array_equal(faces, frozen["faces"])


@pytest.mark.skipif(
    "DIGIT_SLOW" not in os.environ, reason="set DIGIT_SLOW=1; other machines' rounding may remesh otherwise"
)
def test_regeneration_gives_the_frozen_hand(frozen):
    assert_same_hand(build.generate(), frozen)


def test_file_is_small():
    assert (files("digit.hand.open_hand") / "open_right.npz").stat().st_size < 300_000


def test_rim_lies_in_the_wrist_plane_and_tips_on_the_fingers(frozen, vertices_mm):
    rim = np.flatnonzero(np.abs(vertices_mm[:, 0] - CUT_MM) < 1e-3)
    assert len(rim) == 16
    for name, vertex in TIP_VERTICES.items():
        assert np.linalg.norm(vertices_mm[vertex] - skeleton()[name].joints_mm[3]) < 3


def test_regressed_joints_are_the_skeleton_exactly(vertices_mm):
    regressor = load_open_hand()["right"]["J_regressor"]
    assert np.abs(regressor @ vertices_mm - rest_joints_mm()).max() < 1e-9
    assert regressor.min() >= 0


def test_correctives_in_manos_form_equal_sine_and_cosine():
    """The linear form in R - I must give back a sin(angle) + b (1 - cos(angle)) for bends about the flexion axis."""
    rng = np.random.default_rng(0)
    offsets, axes = rng.normal(size=(4, 3, 15, 2)), flexion_axes()
    directions = pose_directions(offsets, axes)
    for joint, angle in ((0, 0.4), (8, -1.2), (14, 2.0)):
        x, y, z = axes[joint]
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        feature = np.zeros((15, 9))
        feature[joint] = (np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross).ravel()
        expected = offsets[:, :, joint, 0] * np.sin(angle) + offsets[:, :, joint, 1] * (1 - np.cos(angle))
        assert np.allclose(directions @ feature.ravel(), expected)
