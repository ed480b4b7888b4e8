"""Boxes that are given, found, or the whole picture, and a result for each picture."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import digit
from digit.predictor.engine import Engine, Picture
from digit.run.errors import UserError

BOX, OTHER = [10, 12, 40, 30], [50, 5, 20, 30]


@pytest.fixture(scope="module")
def predictor(checkpoint):
    return digit.load_model(checkpoint, device="cpu")


@pytest.fixture(scope="module")
def images():
    noise = np.random.default_rng(2).integers(0, 256, (4, 6, 8, 3), np.uint8)
    return [cv2.resize(image, (80 + 8 * k, 60)) for k, image in enumerate(noise)]


def test_every_crop_is_what_the_predictor_says_of_its_box(predictor, images):
    def detector(pictures, second_look):
        assert second_look
        assert [picture.shape for picture in pictures] == [images[1].shape, images[2].shape], "only those without boxes"
        return [[SimpleNamespace(box_px=np.array(OTHER, float), score=0.75, hands=2)], []]

    pictures = [Picture(images[0], "a", [BOX, OTHER]), Picture(images[1], "b"), Picture(images[2], "c")]
    results = Engine(predictor, detector, 0.0, "best.ckpt")([*pictures, Picture(images[3], "d", [])])
    shown = [[(crop.origin, crop.score) for crop in result.crops] for result in results]
    assert shown == [[("given", None)] * 2, [("detected", 0.75)], [("whole image", None)], []]
    expected = predictor([images[0], images[0], images[1], images[2]], [BOX, OTHER, OTHER, None])
    for crop, pose in zip((crop for result in results for crop in result.crops), expected, strict=True):
        np.testing.assert_allclose(crop.pose.joints_px, pose.joints_px, atol=1e-3)
    record = results[0].record()
    assert (record["image"], record["checkpoint"], len(record["crops"])) == ("a", "best.ckpt", 2)
    wrist = record["crops"][1]["hands"]["left"]["joints"]["wrist"]
    np.testing.assert_allclose([wrist["x_px"], wrist["y_px"]], results[0].crops[1].pose.joints_px[41], atol=1e-3)
    assert results[3].record()["crops"] == []


def test_a_second_hand_is_doubted_where_the_detector_saw_one(predictor, images):
    one, two = (SimpleNamespace(box_px=np.array(OTHER, float), score=0.75, hands=hands) for hands in (1, 2))
    seen = [[one], [two], []]
    results = Engine(predictor, lambda *_: seen)([Picture(images[1])] * len(seen))
    poses = [result.crops[0].pose for result in results]
    (alone,), (whole,) = predictor([images[1]], [OTHER]), predictor([images[1]], [None])
    for pose, expected in zip(poses, (alone, alone, whole), strict=True):
        np.testing.assert_allclose(pose.joints_px, expected.joints_px, atol=1e-3)
    np.testing.assert_allclose(poses[1].hand_probability, alone.hand_probability, rtol=1e-5)
    for pose, expected in ((poses[0], alone), (poses[2], whole)):
        order = expected.hand_probability.argsort()
        low, high = expected.hand_probability[order]
        np.testing.assert_allclose(pose.hand_probability[order], [low / (low + 9 * (1 - low)), high], rtol=1e-5)


def test_all_crops_are_drawn_and_absent_hands_are_not(predictor, images):
    several = Engine(predictor, hand_threshold=0.0)([Picture(images[0], "a", [BOX, OTHER])])[0]
    alone = Engine(predictor, hand_threshold=0.0)([Picture(images[0], "a", [BOX])])[0]
    absent = Engine(predictor, hand_threshold=1.0)([Picture(images[0], "a", [BOX])])[0]
    enlarged = cv2.resize(images[0], None, fx=11, fy=11, interpolation=cv2.INTER_CUBIC)
    changed = [(result.draw() != enlarged).any(-1) for result in (several, alone, absent)]
    assert changed[0].sum() > changed[1].sum() > 0 and not changed[2].any()


def test_what_is_wrong_is_said(predictor, images):
    with pytest.raises(UserError, match=r"hand threshold 1\.5: give a probability"):
        Engine(predictor, hand_threshold=1.5)
    with pytest.raises(UserError, match=r"^a: the box \[500, .* does not touch the picture"):
        Engine(predictor)([Picture(images[0], "a", [[500, 0, 10, 10]])])
