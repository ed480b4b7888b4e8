"""Hands of results with the model fitted to them, and the files that predict leaves of it."""

import hashlib
import json

import cv2
import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from digit import geometry
from digit.cli import app
from digit.hand.mano import load_hands
from digit.predictor.camera_space import lift_poses
from digit.predictor.engine import Crop, Picture, Result
from digit.predictor.hand_meshes import HandMeshes
from digit.predictor.pose import Pose
from digit.stages import predict as stage

BOX = [[0.0, 0.0, 60.0, 60.0]]


@pytest.fixture(scope="module")
def meshes():
    return HandMeshes(load_hands())


def result_with(meshes, probabilities, pixels=(480, 640)):
    """A result with a crop for each pair of probabilities: both mean hands, half a metre away, side by side."""
    picture = Picture(np.full((*pixels, 3), 90, np.uint8))
    camera = picture.camera
    hands = (meshes.hands[side] for side in ("right", "left"))
    joints = [
        hand.joints_world_mm(hand.vertices_world_mm(np.zeros((1, 48)), np.zeros((1, 10)), np.array([[x, 0, 0.5]])))[0]
        for hand, x in zip(hands, (-0.1, 0.1), strict=True)
    ]
    joints_cam_mm = np.concatenate(joints)
    joints_px = geometry.project(joints_cam_mm, camera.focal_px, camera.princpt_px)
    depth_mm = np.concatenate([each[:, 2] - each[20, 2] for each in joints])
    poses = [Pose(joints_px, depth_mm, np.array(each), 0.0, None, np.eye(2, 3)) for each in probabilities]
    spaces = lift_poses(poses, [camera] * len(poses))
    square = np.array([0.0, 0.0, 480.0, 480.0])
    return Result(picture, [Crop(pose, square, "given", space) for pose, space in zip(poses, spaces, strict=True)])


def test_present_hands_are_fitted_where_they_are_and_others_are_not(meshes):
    given = [result_with(meshes, [(0.9, 0.2), (0.9, 0.9)]), result_with(meshes, []), result_with(meshes, [(0.1, 0.7)])]
    results = meshes.fit(given)
    assert [result.fits.fitted.tolist() for result in results] == [[True, False, True, True], [], [False, True]]
    hands = [crop["hands"] for result in results for crop in result.record()["crops"]]
    assert [hands[0]["left"]["mano"], hands[2]["right"]["mano"]] == [None, None]
    mano = hands[2]["left"]["mano"]
    assert {key: np.size(value) for key, value in mano.items()} == {
        "global_orient": 3, "hand_pose": 45, "betas": 10, "transl_mm": 3, "fit_error_mm": 1
    }  # fmt: skip
    assert mano["fit_error_mm"] < 3 and abs(mano["transl_mm"][0] - 100) < 10
    np.testing.assert_allclose(results[0].fits.vertices_cam_mm[0], results[0].fits.vertices_cam_mm[2], atol=0.1)
    camera = given[0].picture.camera
    seen_px = geometry.project(results[2].fits.joints_cam_mm[1], camera.focal_px, camera.princpt_px)
    assert np.abs(seen_px - given[2].crops[0].pose.joints_px[21:]).max() < 4
    assert given[0].record()["crops"][0]["hands"]["right"]["mano"] is None, "it was not asked for"


def test_no_results_and_no_hands_have_no_meshes(meshes, tmp_path):
    assert meshes.fit([]) == []
    (alone,) = meshes.fit([result_with(meshes, [])])
    meshes.write(tmp_path / "a", alone)
    assert cv2.imread(str(tmp_path / "a.mesh.png")).std() == 0 and (tmp_path / "a.glb").is_file()


def test_shaded_pictures_of_large_ones_are_smaller_and_their_hands_where_they_were(meshes, tmp_path):
    drawn = {}
    for factor in (1, 9):
        (fitted,) = meshes.fit([result_with(meshes, [(0.9, 0.9)], (480 * factor, 640 * factor))])
        meshes.write(tmp_path / "a", fitted)
        drawn[factor] = cv2.imread(str(tmp_path / "a.mesh.png"))
    assert drawn[9].shape == (1536, 2048, 3)
    small, large = (cv2.resize(image, (640, 480), interpolation=cv2.INTER_AREA).astype(int) for image in drawn.values())
    assert (abs(small - large).max(axis=2) > 30).mean() < 0.002 and small.std() > 10


def predict(checkpoint, pictures, output, **options):
    return stage.predict(checkpoint, [pictures], output, stage.Options(box=BOX, hand_threshold=0.0, **options))


def of_run(folder, *names):
    return {path.name: path for path in folder.iterdir() if path.name.endswith(names)}


def test_predict_writes_meshes_once(checkpoint, pictures, tmp_path):
    out = tmp_path / "out"
    call = ["predict", str(pictures), "--checkpoint", str(checkpoint), "--output", str(out)]
    assert CliRunner().invoke(app, [*call, "--mesh", "--hand-threshold", "0", "--box", "0,0,60,60"]).exit_code == 0
    written = of_run(out, ".glb", ".png", ".pose.json")
    for name in "ab":
        assert {f"{name}.glb", f"{name}.mesh.png", f"{name}.overlay.png", f"{name}.pose.json"} <= set(written)
        hands = json.loads(written[f"{name}.pose.json"].read_text())["crops"][0]["hands"]
        assert {side: hand["mano"] is None for side, hand in hands.items()} == {"right": False, "left": False}
        assert sorted(trimesh.load_scene(written[f"{name}.glb"]).geometry) == ["left", "right"]
    assert cv2.imread(str(out / "a.mesh.png")).shape == cv2.imread(str(out / "a.overlay.png")).shape
    times = {name: path.stat().st_mtime_ns for name, path in written.items()}
    assert predict(checkpoint, pictures, out, mesh="glb").kept == 2
    assert {name: path.stat().st_mtime_ns for name, path in written.items()} == times
    (out / "b.glb").unlink()
    assert predict(checkpoint, pictures, out, mesh="glb").kept == 1, "a missing mesh is made again"
    assert predict(checkpoint, pictures, out).kept == 0, "without meshes the results are others"
    assert json.loads((out / "a.pose.json").read_text())["crops"][0]["hands"]["left"]["mano"] is None
    assert predict(checkpoint, pictures, out, mesh="obj").kept == 0 and (out / "a.obj").is_file()


def test_files_of_others_are_not_replaced_and_own_ones_are_no_pictures(checkpoint, pictures):
    (pictures / "a.glb").write_bytes(b"glTF of somebody else")
    cv2.imwrite(str(pictures / "b.mesh.png"), np.zeros((9, 9, 3), np.uint8))
    theirs = [pictures / "a.glb", pictures / "b.mesh.png"]
    before = [hashlib.sha256(path.read_bytes()).digest() for path in theirs]
    outcome = predict(checkpoint, pictures, pictures, mesh="glb")
    assert [path.name for path in outcome.poses] == ["b.mesh.pose.json"]
    for path, failure in zip(theirs, outcome.failed, strict=True):
        assert f"{path}: is there and was not written by digit" in failure
    assert [hashlib.sha256(path.read_bytes()).digest() for path in theirs] == before
    assert not (pictures / "a.overlay.png").exists() and not (pictures / "b.glb").exists()
    assert set(of_run(pictures, ".glb")) == {"a.glb", "b.mesh.glb"}
    again = predict(checkpoint, pictures, pictures, mesh="glb")
    assert again.kept == 1 and again.poses == outcome.poses
    assert set(again.found.skipped) == {"a.glb"} and set(again.found.pictures) == {"a.png", "b.jpg", "b.mesh.png"}


def test_a_hand_model_and_a_format_are_for_meshes(checkpoint, pictures, tmp_path):
    common = ["predict", str(pictures), "--checkpoint", str(checkpoint), "--output", str(tmp_path / "out")]
    for options, message in (
        (["--hand-model", str(tmp_path)], "--hand-model is what --mesh fits"),
        (["--mesh-format", "obj"], "--mesh-format is what --mesh writes"),
        (["--mesh", "--hand-model", str(tmp_path)], "MANO_RIGHT.pkl"),
    ):
        result = CliRunner().invoke(app, [*common, *options])
        assert result.exit_code == 1 and message in str(result.exception)
    assert not (tmp_path / "out").exists()
