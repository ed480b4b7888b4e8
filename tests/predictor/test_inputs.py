"""Which files of a folder are pictures."""

import os

import cv2
import numpy as np
import pytest

from digit.predictor import results
from digit.predictor.inputs import find_pictures, skipped_lines
from digit.run.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """A folder as a phone, a Mac and an earlier prediction leave it."""
    picture = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    for name in ("a.jpg", "B.JFIF", "no_suffix", "renamed.txt", "sub/c.jpg", "sub/deeper/d.jpg", "._a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture)
    (tmp_path / "._a.jpg").write_bytes(bytes.fromhex("00051607") + bytes(100))
    (tmp_path / "film").write_bytes(bytes.fromhex("00000018") + b"ftypheic" + bytes(100))
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes.txt").write_text("BM is how bitmaps begin")
    (tmp_path / "hand.json").write_text("{}")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    results.write_overlay(tmp_path / "a.overlay.png", np.zeros((8, 8, 3), np.uint8))
    results.write_pose(tmp_path / "a.pose.json", {})
    return tmp_path


TOP = ["._a.jpg", "B.JFIF", "a.jpg", "empty.png", "film", "gone.jpg", "no_suffix", "renamed.txt"]


def test_content_or_suffix_make_a_picture(folder):
    found = find_pictures(folder)
    assert list(found.pictures) == TOP
    assert found.pictures["a.jpg"] == folder / "a.jpg"
    assert found.own_results == 2
    assert found.skipped == {
        "hand.json": "no picture",
        "notes.txt": "no picture",
        "pipe.jpg": "no file",
        "sub": "a folder; --recursive looks into it",
    }


def test_sub_folders_are_looked_into_when_asked(folder):
    (folder / "loop").symlink_to(folder)
    found = find_pictures(folder, recursive=True)
    assert list(found.pictures) == sorted([*TOP, "sub/c.jpg", "sub/deeper/d.jpg"])
    assert found.skipped["loop"] == "a link to a folder; give that folder" and "sub" not in found.skipped


def test_links_to_pipes_and_devices_are_not_opened(folder):
    (folder / "linked.jpg").symlink_to(folder / "pipe.jpg")
    (folder / "endless.png").symlink_to("/dev/zero")
    skipped = find_pictures(folder).skipped
    assert skipped["linked.jpg"] == skipped["endless.png"] == "no file"


def test_a_picture_alone(folder):
    assert find_pictures(folder / "renamed.txt").pictures == {"renamed.txt": folder / "renamed.txt"}
    with pytest.raises(UserError, match=r"a\.overlay\.png: is an overlay that digit drew itself"):
        find_pictures(folder / "a.overlay.png")
    with pytest.raises(UserError, match=r"pipe\.jpg: is neither a file nor a folder"):
        find_pictures(folder / "pipe.jpg")
    with pytest.raises(UserError, match="nowhere: does not exist"):
        find_pictures(folder / "nowhere")


def test_a_folder_without_pictures_says_what_is_there(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "song.mp3").write_bytes(b"ID3\4\0\0\0\0\0\0")
    expected = r"holds no picture \(JPEG.*\) and no video\n  - song\.mp3: no picture\n  - sub: a folder; -"
    with pytest.raises(UserError, match=expected):
        find_pictures(tmp_path)


def test_many_left_out_files_are_counted(tmp_path):
    (tmp_path / "a.jpg").touch()
    for number in range(30):
        (tmp_path / f"{number:02}.txt").touch()
    lines = skipped_lines(find_pictures(tmp_path))
    assert lines[0] == "00.txt: no picture" and lines[-1] == "... and 10 more" and len(lines) == 21
