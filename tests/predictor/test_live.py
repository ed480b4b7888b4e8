"""Cameras: lines as pictures come, and a sentence where there is no camera."""

import json

import numpy as np
import pytest

import digit
from digit.predictor.engine import Engine
from digit.predictor.live import camera_frames, live_pictures, write_live
from digit.predictor.stream import Stream
from digit.run.errors import UserError


def test_every_picture_is_a_line_before_the_next_one_is_taken(checkpoint, tmp_path):
    stream = Stream(Engine(digit.load_model(checkpoint, device="cpu"), None, 0.0))
    frames = np.random.default_rng(1).integers(0, 256, (9, 24, 32, 3), np.uint8)
    path = tmp_path / "camera0.poses.jsonl"
    for count, _ in enumerate(write_live(stream, live_pictures(iter(frames), "camera0", 40.0), path, 4), start=1):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(lines) == count and lines[-1]["frame"] == count - 1
    assert count == 4 and lines[0]["time_s"] == 0 < lines[1]["time_s"] < lines[3]["time_s"]
    assert lines[0]["camera"]["focal_px"] == [40.0, 40.0] and lines[3]["crops"][0]["hands"]["left"]["track"]
    with pytest.raises(UserError, match="cannot be written"):
        list(write_live(stream, live_pictures(iter(frames), "camera0"), path))


def test_no_camera_is_said():
    with pytest.raises(UserError, match="camera 63: there is none"):
        next(camera_frames(63))
