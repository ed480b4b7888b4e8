"""Predicting on folders as users have them: a result for every picture that has one, and a sentence for the others."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from digit import geometry, scoring
from digit.cli import app
from digit.pages.files import FOLDER, PAGE, is_own
from digit.run.errors import UserError
from digit.samples.index import open_index
from digit.stages import predict as stage

KEYS = {"x_px", "y_px", "depth_mm", "confidence", "x_cam_mm", "y_cam_mm", "z_cam_mm"}
ROOT = Path(__file__).parents[2]
CASES = ROOT.parent / "shared" / "cases"


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    cv2.imwrite(str(folder / "a.png"), cv2.resize(noise, (80, 60)))
    cv2.imwrite(str(folder / "b.jpg"), cv2.resize(noise[::-1], (60, 80)))
    return folder


@pytest.fixture
def case(tmp_path):
    """Function that copies one of the small inputs that users had trouble with."""

    def copy(name):
        found = next(CASES.glob(f"{name}-*"), None) if CASES.is_dir() else None
        if found is None:
            pytest.skip(f"{CASES} has no case {name}")
        shutil.copytree(found, tmp_path / name, copy_function=shutil.copyfile)
        for path in [tmp_path / name, *(tmp_path / name).rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        (tmp_path / name / "README").unlink()
        return tmp_path / name

    return copy


def digit(*arguments):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    return result.exit_code, result.stdout, str(result.exception) if result.exit_code else ""


def predict(checkpoint, image, output, boxes=None, **options):
    return stage.predict(checkpoint, [image], output, stage.Options(boxes, **options))


def names(folder):
    """Files below a folder, those of the page of a run aside."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path.as_posix() for path in files if not is_own(folder / path)]


def digests(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names(folder)}


def crop_of(path):
    """The only crop of a pose file."""
    (crop,) = json.loads(path.read_text())["crops"]
    return crop


def without_numbers(text):
    """A text with marks in the place of its decimal numbers, and these."""
    decimal = r"-?\d+\.\d+(?:e-?\d+)?"
    return re.sub(decimal, "#", text), [float(number) for number in re.findall(decimal, text)]


def joints(path):
    return [
        (j["x_px"], j["y_px"], j["depth_mm"])
        for hand in crop_of(path)["hands"].values()
        for j in hand["joints"].values()
    ]


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
    assert names(tmp_path / "out") == names(tmp_path / "whole")
    assert len(names(tmp_path / "out")) == 72
    for name in names(tmp_path / "out"):
        found, expected = (tmp_path / folder / name for folder in ("out", "whole"))
        if name.endswith(".png"):
            assert found.read_bytes() == expected.read_bytes()
        else:  # a network's last bits depend on how many pictures it sees at once, so the last decimal may
            one, other = (without_numbers(path.read_text()) for path in (found, expected))
            assert one[0] == other[0]
            np.testing.assert_allclose(one[1], other[1], rtol=1e-5, atol=1.01e-3)
    pages = [re.sub(r"-?[\d.]+", "#", (tmp_path / folder / PAGE).read_text()) for folder in ("out", "whole")]
    assert pages[0] == pages[1]


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


def test_several_inputs_and_standard_input(checkpoint, pictures, tmp_path):
    (tmp_path / "more").mkdir()
    shutil.copy(pictures / "a.png", tmp_path / "more" / "a.png")
    inputs = [pictures, tmp_path / "more" / "a.png", tmp_path / "gone.jpg", "-"]
    call = ["predict", *map(str, inputs), "--checkpoint", str(checkpoint), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, call, input=(pictures / "b.jpg").read_bytes())
    assert result.exit_code == 1 and "1 of 5 pictures have no result" in str(result.exception)
    assert "gone.jpg: does not exist" in str(result.exception)
    found = [name for name in names(tmp_path / "out") if name.endswith(".json")]
    assert found == ["more/a.pose.json", "pictures/a.pose.json", "pictures/b.pose.json", "stdin.pose.json"]
    assert joints(tmp_path / "out" / "stdin.pose.json") == joints(tmp_path / "out" / "pictures" / "b.pose.json")
    assert joints(tmp_path / "out" / "more" / "a.pose.json") == joints(tmp_path / "out" / "pictures" / "a.pose.json")


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


def test_the_focal_length_comes_from_exif(checkpoint, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(34665)[41989] = 26
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    (written,) = predict(checkpoint, tmp_path / "a.jpg", tmp_path / "out").poses
    camera = json.loads(written.read_text())["camera"]
    assert camera["focal_px"] == pytest.approx([26 / 43.267 * 50] * 2, rel=1e-3) and camera["focal_from"] == "exif"


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


def test_sub_folders_keep_their_paths(checkpoint, pictures, tmp_path):
    (pictures / "one").mkdir()
    shutil.copy(pictures / "b.jpg", pictures / "one" / "a.png")
    boxes = tmp_path / "boxes.json"
    boxes.write_text('{"a.png": [1, 2, 30, 30], "b.jpg": [0, 0, 9, 9], "one/a.png": [5, 5, 40, 40], "x": [0, 0, 1, 1]}')
    outcome = predict(checkpoint, pictures, pictures / "out", boxes, recursive=True)
    found = names(pictures / "out")
    assert [name for name in found if "json" in name] == ["a.pose.json", "b.pose.json", "one/a.pose.json"]
    pose = json.loads((pictures / "out" / "one" / "a.pose.json").read_text())
    assert pose["image"] == "one/a.png" and pose["crops"][0]["box_px"] == [0, 0, 50, 50] and pose["width"] == 60
    assert predict(checkpoint, pictures, pictures / "out", boxes, recursive=True).poses == outcome.poses
    flat = predict(checkpoint, pictures, tmp_path / "flat")
    assert flat.found.skipped == {
        "one": "a folder; --recursive looks into it",
        "out": "a folder; --recursive looks into it",
    }


def test_bad_pictures_and_boxes_do_not_stop_the_others(checkpoint, pictures, tmp_path, caplog):
    caplog.set_level("INFO", "digit")
    (pictures / "cut.jpg").write_bytes((pictures / "b.jpg").read_bytes()[:300])
    (pictures / "empty.png").touch()
    (pictures / "gone.jpg").symlink_to("nowhere")
    (pictures / "notes.txt").write_text("not a picture")
    for name in ("beside.png", "wrong.png", "without.png"):
        shutil.copy(pictures / "a.png", pictures / name)
    boxes = tmp_path / "boxes.json"
    given = {name: [0, 0, 50, 50] for name in ("a.png", "b.jpg", "cut.jpg", "empty.png", "gone.jpg", "typo.png")}
    boxes.write_text(json.dumps(given | {"beside.png": [80, 0, 50, 50], "wrong.png": [0, 0, 5]}))
    status, out, error = digit(pictures, "--checkpoint", checkpoint, "--output", tmp_path / "out", "--boxes", boxes)
    assert status == 1
    assert out.split() == [str(tmp_path / "out" / f"{name}.pose.json") for name in "ab"]
    assert names(tmp_path / "out") == ["a.overlay.png", "a.pose.json", "b.overlay.png", "b.pose.json"]
    lines = error.splitlines()
    assert lines[0] == "6 of 8 pictures have no result:"
    for line, (name, reason) in zip(
        lines[1:],
        {
            "beside.png": "does not touch the picture, which is 80 x 60 px",
            "cut.jpg": "damaged or cut off",
            "empty.png": "is empty",
            "gone.jpg": "No such file",
            "without.png": "has no box",
            "wrong.png": "is not four numbers",
        }.items(),
        strict=True,
    ):
        assert name in line and reason in line
    assert "left out 1 of the folder" in caplog.text and "notes.txt: no picture" in caplog.text
    assert "1 boxes belong to no picture: typo.png" in caplog.text


def test_a_full_disk_stops_at_once(checkpoint, pictures, tmp_path, monkeypatch):
    def full(*_):
        raise UserError("no room") from OSError(28, "No space left on device")

    monkeypatch.setattr("digit.predictor.picture_files.write_overlay", full)
    with pytest.raises(UserError, match="no room"):
        predict(checkpoint, pictures, tmp_path / "out")


def test_what_is_wrong_with_the_call_is_said_before_anything_is_written(checkpoint, pictures, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "notes.txt").write_text("[1, 2, 3]")
    (tmp_path / "nothing").mkdir()
    for call, message in (
        (lambda: predict(checkpoint, tmp_path / "nowhere", out), r"nowhere: does not exist"),
        (lambda: predict(checkpoint, tmp_path / "nothing", out), "holds no picture"),
        (lambda: predict(pictures / "a.png", pictures, out), r"a\.png"),
        (lambda: predict(checkpoint, pictures, out, hand_threshold=2), "hand threshold 2"),
        (lambda: predict(checkpoint, pictures, out, boxes=tmp_path / "notes.txt"), "not a JSON object of boxes"),
        (lambda: predict(checkpoint, pictures, tmp_path / "notes.txt"), r"notes\.txt is a file, not a folder"),
    ):
        with pytest.raises(UserError, match=message):
            call()
    assert not out.exists()


def test_names_of_any_bytes_get_results(checkpoint, tmp_path):
    (tmp_path / "in").mkdir()
    png = cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    for name in (b"m\xe4dchen.png", "\u624b {x} $HOME.png".encode(), b"new\nline.png"):
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(png)
    status, _, error = digit(tmp_path / "in", "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert (status, error) == (0, "")
    assert {os.fsencode(path.name) for path in (tmp_path / "out").glob("*.pose.json")} == {
        b"m\xe4dchen.pose.json",
        "\u624b {x} $HOME.pose.json".encode(),
        b"new\nline.pose.json",
    }


def test_case_01_turned_pictures(case, checkpoint, tmp_path):
    folder = case("01")
    outcome = predict(checkpoint, folder, tmp_path / "out", folder / "boxes.json")
    assert not outcome.failed
    upright, turned = (joints(tmp_path / "out" / f"{name}.pose.json") for name in ("u0", "r0"))
    np.testing.assert_allclose(turned, upright, atol=0.5)  # the turned one was compressed again
    sizes = {cv2.imread(str(path)).shape for path in (tmp_path / "out").glob("*.png")}
    assert len(sizes) == 1


def test_every_orientation_gives_one_pose(checkpoint, tmp_path):
    noise = np.random.default_rng(5).integers(0, 256, (12, 16, 3), np.uint8)
    picture = Image.fromarray(cv2.resize(noise, (96, 72), interpolation=cv2.INTER_CUBIC))
    to_stored = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose
    (tmp_path / "in").mkdir()
    for orientation, turn in to_stored.items():
        exif = Image.Exif()
        exif[274] = orientation
        stored = picture if turn is None else picture.transpose(turn)
        stored.save(tmp_path / "in" / f"{orientation}.png", exif=exif)
    outcome = predict(checkpoint, tmp_path / "in", tmp_path / "out")
    poses = [joints(path) for path in outcome.poses]
    assert len(poses) == 8
    for pose in poses[1:]:
        np.testing.assert_array_equal(pose, poses[0])


def test_case_02_results_beside_the_pictures(case, checkpoint):
    folder = case("02")
    before = digests(folder)
    for _ in range(2):
        assert digit(folder, "--checkpoint", checkpoint, "--output", folder)[0] == 0
        assert digests(folder).items() >= before.items()
        assert names(folder) == ["hand.json", "hand.overlay.png", "hand.png", "hand.pose.json"]


def test_cases_10_and_11_bad_files(case, checkpoint, tmp_path):
    status, _, error = digit(case("10") / "huge.png", "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert status == 1 and "huge.png: has 1,600 million pixels" in error
    status, out, error = digit(case("11"), "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert status == 1 and out.split() == [str(tmp_path / "out" / "a.pose.json")]
    assert "1 of 2 pictures have no result" in error and "._a.jpg: is no picture but what macOS leaves" in error


def test_case_16_a_phone_s_folder(case, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    status, out, error = digit(case("16"), "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert status == 1 and len(out.split()) == 2
    assert names(tmp_path / "out")[::2] == ["IMG_3.overlay.png", "hand.overlay.png"]
    assert "IMG_2.HEIC: is a HEIC picture; run `pip install pillow-heif`" in error


def test_case_17_a_box_beside_the_picture(case, checkpoint, tmp_path):
    image, boxes = case("01") / "u0.jpg", case("17") / "boxes.json"
    status, _, error = digit(image, "--checkpoint", checkpoint, "--output", tmp_path / "out", "--boxes", boxes)
    assert status == 1 and "the box [5000, 5000, 50, 50] does not touch the picture" in error
    assert not list((tmp_path / "out").iterdir())
