"""Fitted hands of records, for the page's 3D viewer."""

import base64

import numpy as np
import pytest
import trimesh

from digit.gallery.meshes import add_meshes, surfaces
from digit.hand.mano import load_hands
from digit.mesh.fit import Fitter
from digit.pages.entry import CAM, entry_of
from digit.skeleton import HAND_JOINT_NAMES, HANDS


@pytest.fixture(scope="module")
def hands():
    return load_hands()


def test_each_fitted_hand_has_the_mesh_of_its_parameters(make, hands):
    records = [make.make_record(f"{seed}.jpg", seed)[0] for seed in range(5)]
    fits = {}
    for number, record in enumerate(records):
        for side, hand in record["crops"][0]["hands"].items():
            if hand["mano"]:
                joints = [[hand["joints"][name][key] for key in CAM] for name in HAND_JOINT_NAMES]
                fits[number, side] = Fitter(hands)(np.array([joints]), [side])
                hand["mano"] |= fits[number, side].mano_parameters(0)
    records[1]["crops"][0]["hands"]["right"]["mano"] = None
    del fits[1, "right"]
    entries = [entry_of(record) for record in records]
    add_meshes(entries, records, hands)
    of_side = dict(zip(HANDS, surfaces(hands), strict=True))
    for number, entry in enumerate(entries):
        for side, hand in zip(HANDS, entry["crops"][0]["hands"], strict=True):
            assert ("mesh" in hand) == ((number, side) in fits)
            if "mesh" not in hand:
                continue
            steps = np.frombuffer(base64.b64decode(hand["mesh"]["tenths"]), "<i2").reshape(-1, 3)
            vertices = steps / 10 + hand["mesh"]["middle"]
            np.testing.assert_allclose(vertices[:778], fits[number, side].vertices_cam_mm[0], atol=0.1)
            faces = np.reshape(of_side[side]["faces"], (-1, 3))
            solid = trimesh.Trimesh(vertices, faces, process=False)
            assert solid.is_watertight and solid.volume > 0
    assert len(fits) == 5


def test_no_pictures_have_no_meshes(hands):
    add_meshes([], [], hands)
    (right, left) = surfaces(hands)
    assert right["color"][0] > right["color"][2] and left["color"][2] > left["color"][0]
