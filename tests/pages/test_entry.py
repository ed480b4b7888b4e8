import numpy as np
import pytest

from digit.pages.entry import described, entry_of, present_hands


def make_hand(present):
    joint = {"x_px": 10.26, "y_px": 20.0, "depth_mm": 1.0, "confidence": 0.876}
    joint |= {"x_cam_mm": 1.4, "y_cam_mm": -2.6, "z_cam_mm": 500.0}
    names = [f"{finger}{k}" for finger in ("thumb", "index", "middle", "ring", "pinky") for k in (1, 2, 3, 4)]
    joints = {name: dict(joint, x_px=float(k)) for k, name in enumerate([*names, "wrist"])}
    return {"probability": 0.9 if present else 0.1, "present": present, "joints": joints, "mano": None}


def make_record(*crops):
    return {
        "image": "a.jpg", "width": 64, "height": 48,
        "crops": [
            {"box_px": [0.4, 1.6, 30.0, 30.0], "box": "given", "parts": None,
             "hands": {"right": make_hand(right), "left": make_hand(left)}}
            for right, left in crops
        ],
    }  # fmt: skip


def test_absent_hands_have_no_joints():
    (crop,) = entry_of(make_record((True, False)))["crops"]
    right, left = crop["hands"]
    assert len(right["px"]) == len(right["cam"]) == len(right["sure"]) == 21
    assert right["px"][-1] == [20.0, 20.0] and right["cam"][0] == [1, -3, 500] and right["sure"][0] == 0.88
    assert left == {"p": 0.1, "px": None, "cam": None, "sure": None}


def test_joints_are_in_the_order_of_the_bones():
    (crop,) = entry_of(make_record((True, True)))["crops"]
    assert [point[0] for point in crop["hands"][0]["px"][:5]] == [3, 2, 1, 0, 7]  # thumb 4 to 1, then index 4


def test_parts_lie_over_the_picture_as_their_map_says():
    record = make_record((True, False))
    record["crops"][0]["parts"] = {"labels_png": "AAAA", "to_image": [[2.0, 0.5, 10.0], [-0.5, 2.0, 20.0]]}
    parts = entry_of(record)["crops"][0]["parts"]
    assert parts["image"] == "data:image/png;base64,AAAA"
    a, b, c, d, e, f = parts["matrix"]
    middle_of_3_7 = np.array(
        [a * 3.5 + c * 7.5 + e, b * 3.5 + d * 7.5 + f]
    )  # where SVG has the centre of column 3, row 7
    np.testing.assert_allclose(middle_of_3_7, [2 * 3 + 0.5 * 7 + 10, -0.5 * 3 + 2 * 7 + 20])


@pytest.mark.parametrize(
    ("crops", "words"),
    [
        ([(False, False)], "no hand"),
        ([(True, False)], "right hand"),
        ([(True, True)], "right and left hand"),
        ([(True, True), (False, True)], "1 right hand and 2 left hands"),
        ([(True, False), (True, False)], "2 right hands"),
        ([], "no hand"),
    ],
)
def test_hands_are_told_in_words(crops, words):
    record = make_record(*crops)
    assert described(record) == words
    assert len(present_hands(record)) == sum(map(sum, crops))
