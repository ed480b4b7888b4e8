"""Videos: every frame has its line, whatever happens on the way."""

import json
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import digit
from digit.hand.mano import load_hands
from digit.predictor import video_files
from digit.predictor.engine import Engine, Picture
from digit.predictor.hand_meshes import HandMeshes
from digit.predictor.overlay_video import is_own_video, video_suffix, writing_video
from digit.predictor.picture_files import File, Job
from digit.predictor.pose_lines import keep_whole_lines, line_of, read_lines, result_of
from digit.predictor.predictor import Predictor
from digit.predictor.stream import Stream
from digit.predictor.video_files import predict_video
from digit.predictor.videos import Video
from digit.run.errors import UserError

SPREAD_PX = np.random.default_rng(2).uniform(-8, 8, (42, 2))
FRAMES, RATE_HZ, WIDTH, HEIGHT = 10, 20, 64, 48


def make_video(path, frames=FRAMES, code="mp4v"):
    """A picture that slides to the left."""
    noise = np.random.default_rng(3).integers(0, 256, (6, 24, 3), np.uint8)
    wide = cv2.resize(noise, (4 * WIDTH, HEIGHT))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), RATE_HZ, (WIDTH, HEIGHT))
    for k in range(frames):
        writer.write(np.ascontiguousarray(wide[:, 3 * k : 3 * k + WIDTH]))
    writer.release()
    return path


class Sure(Predictor):
    """A network that has not learnt anything, but whose hands are large enough, and sure enough, to be followed."""

    def __call__(self, images, boxes=None):
        poses = super().__call__(images, boxes)
        return [replace(p, joints_px=p.joints_px + SPREAD_PX, confidence=np.full(42, 0.5)) for p in poses]


def progress(items, *_):
    yield from items


def file_of(name, source, base):
    return File(name, source, base, base.parent / "views" / f"{base.name}.jpg")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("video") / "a.mp4")


@pytest.fixture(scope="module")
def job(checkpoint):
    return Job(Engine(Sure(digit.load_model(checkpoint, device="cpu").network), None, 0.0, "tiny"))


@pytest.fixture(scope="module")
def whole(job, video, tmp_path_factory):
    """Results of a prediction that nobody stopped."""
    base = tmp_path_factory.mktemp("whole") / "a"
    done = predict_video(job, file_of("a.mp4", video, base), progress)
    assert done.failure is None and not done.kept
    return done.pose


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_frame_has_a_line_and_a_drawing(whole, job, video):
    lines = records(whole)
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    np.testing.assert_allclose([line["time_s"] for line in lines], np.arange(FRAMES) / RATE_HZ, atol=1e-3)
    assert [line["crops"][0]["box"] for line in lines[:2]] == ["whole image", "tracked"]
    assert all(hand["track"] for line in lines for crop in line["crops"] for hand in crop["hands"].values())
    overlay = whole.with_name("a" + video_suffix())
    assert sorted(path.name for path in whole.parent.iterdir() if path.is_file()) == sorted([overlay.name, whole.name])
    drawn = list(Video(overlay).frames())
    assert len(drawn) == FRAMES and drawn[0].pixels.shape[1] / drawn[0].pixels.shape[0] == pytest.approx(4 / 3, 0.01)
    again = predict_video(job, file_of("a.mp4", video, whole.with_name("a")), progress)
    assert again.kept and again.pose == whole


def test_it_goes_on_after_any_end(whole, job, video, tmp_path):
    class Killed(BaseException):
        pass

    def stop_after(most):
        def stop(items, what, _):
            for k, item in enumerate(items):
                if k == (most if "overlay" not in what else 2):
                    raise Killed
                yield item

        return stop

    base = tmp_path / "a"
    partial = tmp_path / "a.partial.jsonl"
    for most in (0, 4, FRAMES + 1):  # before the first line, in the middle, and while it is drawn
        with pytest.raises(Killed):
            predict_video(job, file_of("a.mp4", video, base), stop_after(most))
        with partial.open("ab") as file:
            file.write(b'{"format":"digit.pose/2","im')  # the line that was being written
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [partial.name]
    done = predict_video(job, file_of("a.mp4", video, base), progress)
    assert not partial.exists()
    for found, expected in zip(records(done.pose), records(whole), strict=True):
        assert found["frame"] == expected["frame"] and found["time_s"] == expected["time_s"]
        for one, other in zip(found["crops"], expected["crops"], strict=True):
            assert one["box"] == other["box"]
            np.testing.assert_allclose(one["box_px"], other["box_px"], atol=0.02)
            wrists = [crop["hands"]["right"]["joints"]["wrist"] for crop in (one, other)]
            np.testing.assert_allclose(wrists[0]["x_px"], wrists[1]["x_px"], atol=0.05)


def test_only_frames_that_are_missing_are_predicted_again(job, video, tmp_path, monkeypatch):
    seen = []
    predict = Engine.predict
    monkeypatch.setattr(
        Engine, "predict", lambda self, own, places: seen.append(own[0].frame) or predict(self, own, places)
    )
    file = file_of("a.mp4", video, tmp_path / "a")

    def stop(items, *_):
        for k, item in enumerate(items):
            yield item
            if k == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_video(job, file, stop)
    kept = len(records(tmp_path / "a.partial.jsonl"))
    seen.clear()
    predict_video(job, file, progress)
    assert kept == 5 and seen == list(range(kept, FRAMES))
    seen.clear()
    predict_video(replace(job, settings={"other": 1}), file, progress)
    assert seen == list(range(FRAMES)), "other settings begin anew"


def test_a_video_that_is_cut_off_has_the_results_of_its_beginning(job, tmp_path):
    path = make_video(tmp_path / "cut.avi", 30, "MJPG")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    file = file_of("cut.avi", path, tmp_path / "cut")
    for kept in (False, True):
        done = predict_video(job, file, progress)
        count = len(records(done.pose))
        assert 5 < count < 25 and done.kept == kept
        assert f"cut.avi: ends after {count} of about 30 pictures" in done.failure


def test_what_is_no_video_is_said(job, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    for name, message in (
        ("empty.mp4", "is empty"),
        ("noise.mp4", "cannot be opened as a video"),
        ("gone.mp4", "does not exist"),
    ):
        done = predict_video(job, file_of(name, tmp_path / name, tmp_path / "out" / "x"), progress)
        assert done.pose is None and name in done.failure and message in done.failure
    assert not (tmp_path / "out").exists()


def test_files_of_others_are_not_replaced(job, video, tmp_path):
    for name in ("a.overlay.webm", "a.poses.jsonl", "a.partial.jsonl"):
        (tmp_path / name).write_text("mine\n")
        done = predict_video(job, file_of("a.mp4", video, tmp_path / "a"), progress)
        assert f"{name}: is there and was not written by digit" in done.failure
        assert (tmp_path / name).read_text() == "mine\n"
        (tmp_path / name).unlink()


def test_given_boxes_hold_for_all_frames(job, video, tmp_path):
    boxes = {"a.mp4": [[4, 4, 20, 20], [30, 10, 20, 20]]}
    done = predict_video(replace(job, boxes=boxes), file_of("a.mp4", video, tmp_path / "a"), progress)
    assert {tuple(crop["box"] for crop in line["crops"]) for line in records(done.pose)} == {("given", "given")}
    beside = replace(job, boxes={"a.mp4": [500, 0, 9, 9]})
    failed = predict_video(beside, file_of("a.mp4", video, tmp_path / "b"), progress)
    assert "a.mp4: the box [500, 0, 9, 9] does not touch the picture" in failed.failure


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_videos_are_upright(video, tmp_path, quarter):
    """Turned as the display matrix in the track's header says, which phones write."""
    content = bytearray(video.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    a, b = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter]
    values = [a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30]
    content[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    (tmp_path / "turned.mp4").write_bytes(content)
    stored, turned = (next(Video(path).frames()).pixels for path in (video, tmp_path / "turned.mp4"))
    np.testing.assert_array_equal(turned, np.rot90(stored, -quarter))


def test_lines_have_the_fitted_hands(job, video, tmp_path):
    fitting = replace(job, meshes=HandMeshes(load_hands()))
    done = predict_video(fitting, File(video.name, video, tmp_path / "v", tmp_path / "view.jpg"), progress)
    hands = [crop["hands"] for line in read_lines(done.pose) for crop in line["crops"]]
    assert hands and all((hand["mano"] is not None) == hand["present"] for each in hands for hand in each.values())
    assert any(hand["present"] for each in hands for hand in each.values())
    assert not (tmp_path / "v.glb").exists()


def test_results_come_back_from_their_lines(job):
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    result = job.engine([Picture(pixels, "a", [[4, 4, 30, 30]], frame=3, time_s=0.5)])[0]
    back = result_of(json.loads(line_of(result)))
    pose, expected = back.crops[0].pose, result.crops[0].pose
    for key in ("joints_px", "depth_mm", "hand_probability", "rel_root_mm", "confidence", "parts_to_image"):
        np.testing.assert_allclose(getattr(pose, key), getattr(expected, key), atol=1e-3)
    np.testing.assert_array_equal(pose.parts, expected.parts)
    np.testing.assert_allclose(back.crops[0].space.joints_cam_mm, result.crops[0].space.joints_cam_mm, rtol=0.01)
    assert (back.picture.frame, back.picture.time_s, back.crops[0].origin) == (3, 0.5, "given")


def test_whole_lines_are_kept(tmp_path):
    path = tmp_path / "x.partial.jsonl"
    for content, kept in ((b"", 0), (b'{"a":1}\n{"a":2}\n{"a"', 2), (b'{"a":1}\n{"a":2}', 1), (b"\0\0", 0)):
        path.write_bytes(content)
        last = keep_whole_lines(path)
        assert last == ({"a": kept} if kept else None)
        assert len(list(read_lines(path))) == kept == path.read_bytes().count(b"\n")


def test_a_video_that_cannot_be_written_is_said(tmp_path):
    path = tmp_path / "x.overlay.webm"
    with pytest.raises(UserError, match="0 of 0 pictures arrived"), writing_video(path, 20):
        pass
    with pytest.raises(ZeroDivisionError), writing_video(path, 20) as add:
        add(np.zeros((32, 32, 3), np.uint8))
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir()) and not is_own_video(path)


def test_a_video_is_begun_without_a_word_of_opencvs(tmp_path, capfd):
    with writing_video(tmp_path / "x.overlay.webm", 20) as add:
        for _ in range(3):
            add(np.zeros((32, 32, 3), np.uint8))
    assert capfd.readouterr() == ("", "")


def test_lost_hands_are_looked_for_and_new_ones_now_and_then(job):
    looks, found = [], [SimpleNamespace(box_px=np.array([10.0, 8, 30, 30]), score=0.8, hands=2)]

    def detector(pictures, second_look):
        looks.append(second_look)
        return [found for _ in pictures]

    def origins(stream, count):
        looks.clear()
        results = [stream(Picture(pixels, frame=k, time_s=k / 10)) for k in range(count)]
        return [[crop.origin for crop in result.crops] for result in results]

    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    seen = origins(Stream(Engine(job.engine.predictor, detector, 0.0)), 12)
    assert seen[0] == ["detected"] and seen[1] == ["tracked"] and looks == [True, True], "again after a second"
    assert origins(Stream(Engine(job.engine.predictor, detector, 1.0)), 4) == [["detected"]] * 4
    assert looks == [True, False, False, False]
    found.clear()
    assert origins(Stream(Engine(job.engine.predictor, detector, 0.0)), 12) == [[]] * 12, "no hand is invented"
    assert looks == [True, *[False] * 9, True, False], "small ones once a second"


def test_memory_does_not_grow_with_the_video():
    """Frames are taken only as they are needed."""
    taken = []
    frames = (taken.append(k) or k for k in range(1000))
    ahead = video_files._ahead(frames)
    assert [next(ahead) for _ in range(5)] == [0, 1, 2, 3, 4]
    ahead = None
    assert len(taken) <= 5 + 2 * video_files.AHEAD
