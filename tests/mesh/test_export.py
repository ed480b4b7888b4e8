"""Files that other programs read."""

import json

import numpy as np
import pytest
import trimesh

from digit.hand.mano import load_hands
from digit.mesh.export import write_meshes
from digit.mesh.fit import fit_hands
from digit.run.errors import UserError


@pytest.fixture(scope="module")
def hands():
    return load_hands()


@pytest.fixture(scope="module")
def fits(hands):
    """A right hand, a hand that is absent, and two left ones, 600 mm before the camera."""
    sides = ["right", "right", "left", "left"]
    pose, trans_m = np.zeros((1, 48)), np.array([[0.0, 0.05, 0.6]])
    joints = [
        hands[side].joints_world_mm(hands[side].vertices_world_mm(pose, np.zeros((1, 10)), trans_m)) for side in sides
    ]
    joints = np.concatenate(joints)
    joints[1] = np.nan
    return fit_hands(hands, joints, sides)


def read_obj(path):
    """The objects of a file by name; trimesh itself makes one of all that have the same material."""
    vertices, faces = [], {}
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "o":
            name = words[0]
            faces[name] = []
        elif kind == "v":
            vertices.append([float(word) for word in words])
        elif kind == "f":
            faces[name].append([int(word.split("/")[0]) - 1 for word in words])
    return {
        name: trimesh.Trimesh(vertices[np.min(own) : np.max(own) + 1], np.array(own) - np.min(own), process=False)
        for name, own in faces.items()
    }


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_other_programs_find_closed_hands_in_metres(hands, fits, suffix, tmp_path):
    path = tmp_path / f"hands{suffix}"
    write_meshes(path, hands, fits)
    meshes = trimesh.load_scene(path, process=False).geometry if suffix == ".glb" else read_obj(path)
    assert sorted(meshes) == ["left", "left2", "right"]
    for name, row in (("right", 0), ("left", 2), ("left2", 3)):
        mesh = meshes[name]
        assert mesh.is_watertight and mesh.is_winding_consistent
        assert 250e-6 < mesh.volume < 450e-6  # m³, and not inside out
        assert np.allclose(mesh.vertices[:778] * [1000, -1000, -1000], fits.vertices_cam_mm[row], atol=0.01)
        assert mesh.centroid[2] < -0.5, "it lies before a viewer who looks along -z"
        outwards = (mesh.vertices + 1e-3 * mesh.vertex_normals) - mesh.centroid
        assert (np.linalg.norm(outwards, axis=1) > np.linalg.norm(mesh.vertices - mesh.centroid, axis=1)).mean() > 0.7


def test_the_files_say_their_unit_and_frame(hands, fits, tmp_path):
    write_meshes(tmp_path / "hands.obj", hands, fits)
    assert "metres" in (tmp_path / "hands.obj").read_text().splitlines()[0]
    assert "mtllib" not in (tmp_path / "hands.obj").read_text()
    write_meshes(tmp_path / "hands.glb", hands, fits)
    content = (tmp_path / "hands.glb").read_bytes()
    document = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    assert "metres" in document["scenes"][0]["extras"]["frame"]
    assert {"POSITION", "NORMAL"} <= set(document["meshes"][0]["primitives"][0]["attributes"])


def test_no_hands_are_an_empty_file_and_other_suffixes_an_error(hands, tmp_path):
    nobody = fit_hands(hands, np.full((1, 21, 3), np.nan), ["left"])
    for name in ("none.glb", "none.obj"):
        write_meshes(tmp_path / name, hands, nobody)
        assert (tmp_path / name).is_file()
    with pytest.raises(UserError, match=r"\.glb or \.obj"):
        write_meshes(tmp_path / "hands.stl", hands, nobody)
    assert not (tmp_path / "hands.stl").exists()
