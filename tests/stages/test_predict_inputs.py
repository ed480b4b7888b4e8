"""Predicting on folders as users have them: a result for every picture that has one, and a sentence for the others."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from digit.cli import app
from digit.detector import HandDetector
from digit.hand.mano import load_hands
from digit.predictor.boxes import parse_box
from digit.run.errors import UserError
from tests.stages.predicted import digests, digit, joints, names, predict

CASES = Path(__file__).parents[3] / "shared" / "cases"


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


def test_the_focal_length_comes_from_exif(checkpoint, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(34665)[41989] = 26
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    (written,) = predict(checkpoint, tmp_path / "a.jpg", tmp_path / "out").poses
    camera = json.loads(written.read_text())["camera"]
    assert camera["focal_px"] == pytest.approx([26 / 43.267 * 50] * 2, rel=1e-3) and camera["focal_from"] == "exif"


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
    assert "1 box for no picture that was given: typo.png" in caplog.text


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


def test_case_01_turned_pictures(case, checkpoint, tmp_path):
    folder = case("01")
    outcome = predict(checkpoint, folder, tmp_path / "out", folder / "boxes.json")
    assert not outcome.failed
    upright, turned = (joints(tmp_path / "out" / f"{name}.pose.json") for name in ("u0", "r0"))
    np.testing.assert_allclose(turned, upright, atol=0.5)  # the turned one was compressed again
    sizes = {cv2.imread(str(path)).shape for path in (tmp_path / "out").glob("*.png")}
    assert len(sizes) == 1


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


def test_a_picture_without_hands_is_said_to_be_taken_whole(checkpoint, tmp_path, caplog):
    if not HandDetector.available():
        pytest.skip("the hand detector is not installed; make setup does it")
    picture = tmp_path / "grey.png"
    cv2.imwrite(str(picture), np.full((60, 80, 3), 128, np.uint8))
    predict(checkpoint, picture, tmp_path / "a")
    assert "no hand was found in 1 picture, so all of the picture was taken" in caplog.text
    caplog.clear()
    predict(checkpoint, picture, tmp_path / "b", box=[[10, 10, 40, 40]])
    assert "no hand was found" not in caplog.text


@pytest.mark.parametrize(
    ("words", "message"), [("1,2,3", "is not four numbers"), ("1,2,0,9", "is 0 px wide and 9 px high")]
)
def test_a_box_is_judged_before_anything_is_loaded(words, message):
    with pytest.raises(UserError, match=message):
        parse_box(words)


def test_the_open_hand_can_be_named(checkpoint, tmp_path):
    with pytest.raises(UserError, match=r"nowhere: there is no such folder; the hand model .*--hand-model"):
        load_hands(Path("nowhere"))
    assert load_hands(Path("open"))["left"].side == "left"
