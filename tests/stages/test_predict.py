"""What a prediction leaves: poses, overlays and a page; kept from run to run, and in nobody's way."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from digit import geometry, scoring
from digit.pages.files import FOLDER, PAGE
from digit.run.errors import UserError
from digit.samples.index import open_index
from tests.stages.predicted import crop_of, digests, digit, joints, names, predict

KEYS = {"x_px", "y_px", "depth_mm", "confidence", "x_cam_mm", "y_cam_mm", "z_cam_mm"}
ROOT = Path(__file__).parents[2]


def test_each_picture_gets_an_overlay_and_a_pose(checkpoint, pictures, tmp_path):
    outcome = predict(checkpoint, pictures, tmp_path / "out", hand_threshold=0.0)
    assert outcome.poses == [tmp_path / "out" / "a.pose.json", tmp_path / "out" / "b.pose.json"]
    assert names(tmp_path / "out") == ["a.overlay.png", "a.pose.json", "b.overlay.png", "b.pose.json"]
    pose = json.loads(outcome.poses[0].read_text())
    assert (pose["format"], pose["image"], pose["width"], pose["height"]) == ("digit.pose/2", "a.png", 80, 60)
    crop = crop_of(outcome.poses[0])
    assert (crop["box"], crop["box_px"]) == ("whole image", [0, -10, 80, 80])
    for hand in ("right", "left"):
        assert crop["hands"][hand]["present"]
        assert len(crop["hands"][hand]["joints"]) == 21
        assert set(crop["hands"][hand]["joints"]["wrist"]) == KEYS
    overlay = cv2.imread(str(tmp_path / "out" / "a.overlay.png"))
    assert overlay.shape[1] / overlay.shape[0] == pytest.approx(80 / 60)


def test_hands_below_the_threshold_are_hidden(checkpoint, pictures, tmp_path):
    image = pictures / "a.png"
    (written,) = predict(checkpoint, image, tmp_path / "out", hand_threshold=1.0).poses
    pose = crop_of(written)
    assert not pose["hands"]["right"]["present"] and not pose["hands"]["left"]["present"]
    overlay = cv2.imread(str(tmp_path / "out" / "a.overlay.png"))
    plain = cv2.resize(cv2.imread(str(image)), overlay.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    assert np.abs(overlay.astype(int) - plain).max() <= 1


def test_a_given_box_gives_what_evaluation_gave(evaluated_run, tmp_path):
    run = evaluated_run
    index = open_index(run.layout.index("test"))
    outputs = scoring.load_outputs(run.layout.evaluation("tiny", "test", "gt") / "predictions.npz", index)
    row = int(outputs.row[3])
    image = Path(run.config.data.root) / "images" / "test" / index.keys([row])[0]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({image.name: index.box_px[row].tolist()}))
    (written,) = predict(run.checkpoint, image, tmp_path / "out", boxes).poses
    expected_px = geometry.apply_map(outputs.inv_trans[3], outputs.joint_coord[3, :, :2] * 4.0)
    np.testing.assert_allclose([joint[:2] for joint in joints(written)], expected_px, atol=0.05)
    pose = crop_of(written)
    assert pose["hands"]["left"]["probability"] == pytest.approx(float(outputs.hand_type[3, 1]), abs=1e-3)
    assert pose["box"] == "given"


def test_results_never_take_the_place_of_other_files(checkpoint, pictures):
    """The folder of the pictures is a good place for results, and a second run finds the same pictures."""
    (pictures / "a.json").write_text('{"my": "annotation"}')
    cv2.imwrite(str(pictures / "A.JPG"), np.zeros((9, 9, 3), np.uint8))
    before = digests(pictures)
    outcome = predict(checkpoint, pictures, pictures)
    assert not outcome.failed and outcome.found.own_results == 0
    first = digests(pictures)
    assert first.items() >= before.items()
    assert first.keys() - before.keys() == {
        f"{name}{kind}" for name in ("a.png", "A.JPG", "b") for kind in (".overlay.png", ".pose.json")
    }
    again = predict(checkpoint, pictures, pictures)
    assert again.poses == outcome.poses and again.found.own_results == 9 and digests(pictures) == first


def test_a_page_shows_the_run_and_is_no_input_of_the_next(checkpoint, pictures):
    (pictures / "cut.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    outcome = predict(checkpoint, pictures, pictures, hand_threshold=0.0, recursive=True)
    page = (pictures / "index.html").read_text()
    assert "4 hands in 2 pictures" in page and "1 picture has no result" in page and "cut.png: is damaged" in page
    assert len((pictures / "joints.csv").read_text().splitlines()) == 1 + 4 * 21
    assert len(json.loads((pictures / "keypoints.coco.json").read_text())["annotations"]) == 4
    again = predict(checkpoint, pictures, pictures, hand_threshold=0.0, recursive=True)
    assert again.poses == outcome.poses and again.kept == 2 and (pictures / "index.html").read_text() == page
    (pictures / FOLDER / "a.jpg").unlink()
    assert predict(checkpoint, pictures, pictures, hand_threshold=0.0, recursive=True).kept == 1
    assert (pictures / FOLDER / "a.jpg").is_file()


def test_a_page_of_somebody_else_is_in_the_way_of_all(checkpoint, pictures):
    (pictures / "index.html").write_text("<p>mine")
    with pytest.raises(UserError, match=r"index\.html: is there and was not written by digit"):
        predict(checkpoint, pictures, pictures)
    assert names(pictures) == ["a.png", "b.jpg", "index.html"]


def test_finished_results_are_kept_while_file_and_settings_are_the_same(checkpoint, pictures, tmp_path):
    out, others = tmp_path / "out", {"hand_threshold": 0.0}
    first = predict(checkpoint, pictures, out)
    before = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    again = predict(checkpoint, pictures, out)
    assert (first.kept, again.kept, again.poses) == (0, 2, first.poses)
    assert {name: (out / name).stat().st_mtime_ns for name in names(out)} == before
    (out / "a.overlay.png").unlink()
    cv2.imwrite(str(pictures / "b.jpg"), np.zeros((9, 9, 3), np.uint8))
    assert predict(checkpoint, pictures, out).kept == 0, "one overlay is gone, the other picture is another one"
    assert json.loads((out / "b.pose.json").read_text())["width"] == 9
    assert (predict(checkpoint, pictures, out, **others).kept, predict(checkpoint, pictures, out, **others).kept) == (
        0,
        2,
    )
    assert predict(checkpoint, pictures, out, **others, focal_px=50).kept == 0
    assert predict(checkpoint, pictures, out, **others, box=[[0, 0, 9, 9]]).kept == 0


def test_a_killed_run_goes_on_to_the_same_files(checkpoint, tmp_path):
    """Killed in the middle, with damaged pictures among the others."""
    folder, noise = tmp_path / "in", np.random.default_rng(3).integers(0, 256, (40, 6, 8, 3), np.uint8)
    folder.mkdir()
    for number, image in enumerate(noise):
        content = cv2.imencode(".jpg", cv2.resize(image, (320, 240)))[1].tobytes()
        (folder / f"{number:02}.jpg").write_bytes(content[:99] if number % 10 == 4 else content)
    command = [sys.executable, "-m", "digit", "predict", folder, "--checkpoint", checkpoint, "--output"]
    expected = subprocess.run([*command, tmp_path / "whole"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert expected.returncode == 1 and "4 of 40 pictures have no result" in expected.stderr
    assert [f"{number}4.jpg: is" in expected.stderr for number in range(4)] == [True] * 4
    process = subprocess.Popen(
        [*command, tmp_path / "out"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(list((tmp_path / "out").glob("*.pose.json"))) < 3:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert len(list((tmp_path / "out").glob("*.pose.json"))) < 36, "killed too late to show anything"
    assert subprocess.run([*command, tmp_path / "out"], cwd=ROOT, capture_output=True, check=False).returncode == 1
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
    assert len(names(tmp_path / "out")) == 72
    assert (tmp_path / "out" / PAGE).read_bytes() == (tmp_path / "whole" / PAGE).read_bytes()


def test_ctrl_c_keeps_what_is_finished(checkpoint, pictures, tmp_path, monkeypatch):
    def stop_after_one(items, *_):
        yield next(iter(items))
        raise KeyboardInterrupt

    monkeypatch.setattr("digit.stages.predict.track", stop_after_one)
    status, out, _ = digit(pictures, "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert status == 130 and out.split() == [str(tmp_path / "out" / "a.pose.json")]
    monkeypatch.undo()
    assert predict(checkpoint, pictures, tmp_path / "out").kept >= 1
    assert all(name.endswith((".json", ".png")) for name in names(tmp_path / "out"))


def test_boxes_and_focal_length_for_all_pictures(checkpoint, pictures, tmp_path):
    common = ["--checkpoint", checkpoint, "--output", tmp_path / "out"]
    assert digit(pictures, *common, "--box", "1,2,30,30", "--box", "5,5,40,40", "--focal", 70)[0] == 0
    pose = json.loads((tmp_path / "out" / "b.pose.json").read_text())
    assert pose["camera"] == {"focal_px": [70, 70], "princpt_px": [29.5, 39.5], "focal_from": "given"}
    assert [(crop["box"], crop["box_px"]) for crop in pose["crops"]] == [
        ("given", [-2.75, -1.75, 37.5, 37.5]),
        ("given", [0, 0, 50, 50]),
    ]
    for options, message in (
        (["--box", "1,2,3"], r"the box '1,2,3' is not four numbers .* write --box"),
        (["--box", "a,b,c,d"], "is not four numbers"),
        (["--box", "1,2,30,30", "--boxes", "x.json"], "give one of them"),
        (["--focal", "0"], "give a positive number of px"),
    ):
        status, _, error = digit(pictures, *common, *options)
        assert status == 1 and re.search(message, error)


def test_without_weights_a_checkpoint_is_asked_for(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("digit.model.shipped.FOLDER", tmp_path)
    status, _, error = digit(pictures, "--output", tmp_path / "out")
    assert status == 1 and "comes without trained weights; name some: --checkpoint FILE" in error


def test_a_file_in_the_way_costs_one_result(checkpoint, pictures):
    theirs = pictures / "a.pose.json"
    theirs.write_text('{"format": "of somebody else"}')
    outcome = predict(checkpoint, pictures, pictures)
    assert [path.name for path in outcome.poses] == ["b.pose.json"]
    assert "a.pose.json: is there and was not written by digit" in outcome.failed[0]
    assert theirs.read_text() == '{"format": "of somebody else"}' and not (pictures / "a.overlay.png").exists()


def test_a_full_disk_stops_at_once(checkpoint, pictures, tmp_path, monkeypatch):
    def full(*_):
        raise UserError("no room") from OSError(28, "No space left on device")

    monkeypatch.setattr("digit.predictor.picture_files.write_overlay", full)
    with pytest.raises(UserError, match="no room"):
        predict(checkpoint, pictures, tmp_path / "out")
