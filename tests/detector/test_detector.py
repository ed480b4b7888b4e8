"""Real detection, on pictures of the embedded data set."""

import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from digit.detector.boxes import overlap
from digit.detector.detector import HandDetector
from digit.detector.networks import PACKAGE
from digit.predictor.pictures import read_picture

pytestmark = pytest.mark.skipif(not HandDetector.available(), reason=f"{PACKAGE} is not installed")


@pytest.fixture(scope="module")
def detector():
    return HandDetector()


@pytest.fixture(scope="module")
def pictures(synthetic_root):
    """Pictures of single hands and of two, with their annotated boxes (n, 4)."""
    document = json.loads((synthetic_root / "annotations/train/InterHand2.6M_train_data.json").read_text())
    folder = synthetic_root / "images" / "train"
    names = {image["id"]: image["file_name"] for image in document["images"]}
    images = [read_picture(folder / names[note["image_id"]]) for note in document["annotations"]]
    return images, np.array([note["bbox"] for note in document["annotations"]])


@pytest.fixture(scope="module")
def found(detector, pictures):
    return detector(pictures[0])


def _best(found, box_px):
    """The crop that fits a box best, and how well."""
    likeness = overlap(np.array([crop.box_px for crop in found]).reshape(-1, 4), box_px[None])[:, 0]
    return found[likeness.argmax()], likeness.max()


def test_hands_are_found_in_boxes_like_the_annotated_ones(found, pictures):
    shares = np.array([_best(crops, box)[1] if crops else 0 for crops, box in zip(found, pictures[1], strict=True)])
    assert (shares > 0).mean() >= 0.85
    assert shares[shares > 0].mean() >= 0.6


def test_crops_hold_their_hands(found, pictures):
    for crops, image in zip(found, pictures[0], strict=True):
        assert [crop.score for crop in crops] == sorted((crop.score for crop in crops), reverse=True)
        for crop in crops:
            x, y, w, h = crop.box_px
            assert 0 <= x <= x + w <= image.shape[1] and 0 <= y <= y + h <= image.shape[0]
            assert 0.5 <= crop.score <= 1 and crop.hands == len(crop.joints_px) in (1, 2)


def test_a_picture_without_hands_has_no_crop(detector):
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8), (0, 0), 9)
    assert detector([noise, np.zeros((1, 1, 3), np.uint8), np.zeros((2000, 3, 3), np.uint8)]) == [[], [], []]
    assert detector([]) == []


def test_two_people_are_two_crops(detector, found, pictures):
    """Two pictures beside each other, with the boxes that each has alone."""
    alone = [k for k, crops in enumerate(found) if len(crops) == 1 and crops[0].score > 0.9][:2]
    one, other = (pictures[0][k] for k in alone)
    height, wide = max(one.shape[0], other.shape[0]), one.shape[1]
    both = np.zeros((height, 2 * wide + other.shape[1], 3), np.uint8)
    both[: one.shape[0], :wide] = one
    both[: other.shape[0], 2 * wide :] = other
    crops = detector([both])[0]
    assert len(crops) == 2
    for k, shift in zip(alone, (0, 2 * wide), strict=True):
        assert _best(crops, found[k][0].box_px + [shift, 0, 0, 0])[1] > 0.7


def test_a_second_look_finds_small_hands(detector, found, pictures):
    """Each picture, a quarter as large, in the corner of a black one."""
    first, second = 0, 0
    for image, crops in list(zip(pictures[0], found, strict=True))[:4]:
        small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        dark = np.zeros_like(image)
        dark[: small.shape[0], -small.shape[1] :] = small
        for crop in crops:
            box_px = crop.box_px / 4 + [dark.shape[1] - small.shape[1], 0, 0, 0]
            glance, look = detector([dark], second_look=False)[0], detector([dark])[0]
            first += bool(glance) and _best(glance, box_px)[1] > 0.5
            second += bool(look) and _best(look, box_px)[1] > 0.5
    assert second > first


def test_size_and_turn_of_a_picture_matter_little(detector, found, pictures):
    k = next(k for k, crops in enumerate(found) if len(crops) == 1 and crops[0].score > 0.9)
    image, (x, y, w, h) = pictures[0][k], found[k][0].box_px
    large = detector([cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)])[0]
    assert _best(large, 3 * found[k][0].box_px)[1] > 0.8
    turned = detector([cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)])[0]
    assert _best(turned, np.array([image.shape[0] - y - h, x, h, w]))[1] > 0.7


def test_hands_are_confirmed_where_they_are_and_nowhere_else(detector, found, pictures):
    image, crop = next((image, crops[0]) for image, crops in zip(pictures[0], found, strict=True) if crops)
    assert detector.confirm(image, crop.joints_px).min() > 0.5
    room = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, image.shape, np.uint8), (0, 0), 9)
    assert detector.confirm(room, crop.joints_px).max() < 0.5
    assert detector.confirm(image, np.zeros((0, 21, 2))).shape == (0,)


def test_threads_may_share_a_detector(detector, found, pictures):
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda image: detector([image])[0], pictures[0][:6]))
    for crops, before in zip(again, found[:6], strict=True):
        assert np.array_equal([crop.box_px for crop in crops], [crop.box_px for crop in before])
