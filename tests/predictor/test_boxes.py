"""Which box belongs to which picture, and what is cropped."""

import numpy as np
import pytest

from digit.predictor.boxes import boxes_of, crop_box, read_boxes, unused_boxes
from digit.run.errors import UserError


def test_boxes_are_looked_up_by_path_whatever_writes_the_accents(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text('{"sub/a.jpg": [1, 2, 3, 4.5], "m\u00e4dchen.png": [0, 0, 9, 9], "old.jpg": []}', encoding="utf-8")
    boxes = read_boxes(path)
    assert boxes_of(boxes, "sub/a.jpg") == [[1, 2, 3, 4.5]]
    assert boxes_of(boxes, "ma\u0308dchen.png") == [[0, 0, 9, 9]]
    with pytest.raises(UserError, match="has no box in the box file"):
        boxes_of(boxes, "a.jpg")
    assert unused_boxes(boxes, ["sub/a.jpg", "ma\u0308dchen.png"]) == ["old.jpg"]


@pytest.mark.parametrize(
    "box",
    [[0, 0, 10], [0, 0, 10, -1], [0, 0, 0, 5], [0, 0, 0.5, 5], "box", [0, 0, "1", 2], [0, 0, True, 4],
     [float("nan"), 0, 1, 1], [0, float("inf"), 1, 1], [0, 0, 1e300, 1], [1e7, 0, 1, 1], [0, 0, 10**400, 1], {},
     np.zeros((2, 2)), np.array([1, 2, 3])],
)  # fmt: skip
def test_what_is_no_box_is_named(box):
    with pytest.raises(UserError, match=r"the box .* is not four numbers x, y, width, height"):
        crop_box(80, 60, box)


@pytest.mark.parametrize("content", ["[1, 2, 3, 4]", '{"a.png": [0, 0', '"a"', ""])
def test_what_is_no_box_file_is_named(tmp_path, content):
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r'boxes\.json: is not .*give \{"photo.jpg"'):
        read_boxes(path)


@pytest.mark.parametrize(
    ("box", "touches"),
    [([79, 0, 5, 5], True), ([80, 0, 5, 5], False), ([-5, 0, 5, 5], False), ([0, 59.5, 5, 5], True),
     ([0, -6, 5, 5], False), ([-1e5, -1e5, 2e5, 2e5], True)],
)  # fmt: skip
def test_a_box_touches_a_picture_or_not(box, touches):
    if touches:
        crop_box(80, 60, box)
    else:
        with pytest.raises(UserError, match="does not touch"):
            crop_box(80, 60, box)


def test_a_box_is_made_square_and_enlarged_and_no_box_holds_everything():
    np.testing.assert_allclose(crop_box(80, 60, [10, 20, 40, 20]), [5, 5, 50, 50])
    np.testing.assert_allclose(crop_box(80, 60, np.array([10, 20, 40, 20], np.float32)), [5, 5, 50, 50])
    np.testing.assert_allclose(crop_box(80, 60, None), [0, -10, 80, 80])


@pytest.mark.parametrize("other", ["é.jpg", "e\u0301.jpg"])
def test_two_boxes_for_one_picture_are_refused(tmp_path, other):
    path = tmp_path / "boxes.json"
    path.write_text(f'{{"é.jpg": [0, 0, 9, 9], "{other}": [5, 5, 9, 9]}}')
    with pytest.raises(UserError, match=r"boxes\.json: holds more than one box for 'é\.jpg'; keep one"):
        read_boxes(path)


def test_a_picture_may_have_several_boxes(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text('{"a.jpg": [[0, 0, 9, 9], [5, 5, 9, 9]], "b.jpg": []}')
    boxes = read_boxes(path)
    assert boxes_of(boxes, "a.jpg") == [[0, 0, 9, 9], [5, 5, 9, 9]]
    with pytest.raises(UserError, match=r"the box \[\] is not four numbers"):
        crop_box(80, 60, *boxes_of(boxes, "b.jpg"))
