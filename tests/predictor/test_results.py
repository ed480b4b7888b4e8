"""Names of results that never meet, and files that this program knows for its own."""

import json
import os
import unicodedata

import cv2
import numpy as np
import pytest

from digit.predictor import results
from digit.predictor.results import is_own_overlay, is_own_pose, require_free, result_names
from digit.run.errors import UserError


def folded(names):
    return [unicodedata.normalize("NFC", name).casefold() for name in names]


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (["a.png", "b.jpg"], ["a", "b"]),
        (["a.png", "a.jpg", "b.jpg"], ["a.png", "a.jpg", "b"]),
        (["a.png", "A.JPG"], ["a.png", "A.JPG"]),
        (["a.jpg", "a.png", "a.png.jpg"], ["a.jpg", "a.png", "a.png.jpg"]),
        (["one/a.png", "two/a.png", "a.png"], ["one/a", "two/a", "a"]),
        (["a", "a.jpg", ".jpg", "v1.2.jpg"], ["a", "a.jpg", ".jpg", "v1.2"]),
    ],
)
def test_results_are_named_like_their_picture(pictures, expected):
    assert result_names(pictures) == dict(zip(pictures, expected, strict=True))


@pytest.mark.parametrize(
    "pictures",
    [
        ["a.png", "A.png", "a.PNG", "A.PNG", "a.png-2"],
        ["One/a.png", "one/a.png", "one/A.jpg"],
        ["m\u00e4dchen.png", "ma\u0308dchen.png", "MA\u0308DCHEN.jpg"],
        ["stra\u00dfe.png", "STRASSE.png"],
        ["a.png", "a.png-2", "A.png", "a.png-2.jpg"],
    ],
)
def test_results_differ_on_file_systems_that_fold_names(pictures):
    names = result_names(pictures)
    assert list(names) == sorted(pictures)
    assert len(set(folded(names.values()))) == len(pictures)
    assert result_names(reversed(pictures)) == names


def test_own_files_are_known_by_their_content(tmp_path):
    picture = np.zeros((4, 5, 3), np.uint8)
    ours, theirs = tmp_path / "x.overlay.png", tmp_path / "y.overlay.png"
    results.write_overlay(ours, picture)
    cv2.imwrite(str(theirs), picture)
    assert is_own_overlay(ours) and not is_own_overlay(theirs) and not is_own_overlay(tmp_path / "absent.png")
    renamed = ours.rename(tmp_path / "holiday.png")
    assert is_own_overlay(renamed)
    np.testing.assert_array_equal(cv2.imread(str(renamed)), picture)
    pose, other = tmp_path / "x.pose.json", tmp_path / "y.pose.json"
    results.write_pose(pose, {"hands": {}})
    assert is_own_pose(pose) and json.loads(pose.read_text())["software"].startswith("digit ")
    for content in ("", "{}", "[]", '{"format": "another"}', "[" * 5000, "\ufeff{}", '{"format": NaN'):
        other.write_text(content)
        assert not is_own_pose(other)


@pytest.mark.parametrize("suffix", [".overlay.png", ".pose.json"])
def test_files_of_others_are_not_replaced(tmp_path, suffix):
    require_free(tmp_path / "x")
    path = tmp_path / f"x{suffix}"
    path.write_text('{"my": "annotation"}')
    with pytest.raises(UserError, match=f"x{suffix}: is there and was not written by digit; choose another --output"):
        require_free(tmp_path / "x")
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(UserError, match="is there"):
        require_free(tmp_path / "x")
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="is there"):
        require_free(tmp_path / "x")
    with pytest.raises(UserError, match="too long a name"):
        require_free(tmp_path / ("\u00e9" * 120))


@pytest.mark.parametrize("suffix", [results.OVERLAY_SUFFIX, results.POSE_SUFFIX])
def test_a_pipe_in_the_place_of_a_result_is_not_waited_for(tmp_path, suffix):
    os.mkfifo(tmp_path / f"hand{suffix}")
    with pytest.raises(UserError, match=f"hand{suffix}: is there and was not written by digit"):
        require_free(tmp_path / "hand")
