"""Poses from arrays and tensors, alone and in batches."""

import cv2
import numpy as np
import pytest
import torch

import digit
from digit import geometry
from digit.predictor.predictor import Predictor

BOX = [10, 12, 40, 30]


@pytest.fixture(scope="module")
def predictor(checkpoint):
    return digit.load_model(checkpoint, device="cpu")


@pytest.fixture(scope="module")
def images():
    noise = np.random.default_rng(2).integers(0, 256, (5, 6, 8, 3), np.uint8)
    return [cv2.resize(image, (80 + 8 * k, 60)) for k, image in enumerate(noise)]


def assert_same(pose, other, tolerance=1e-3):
    for name in ("joints_px", "depth_mm", "hand_probability", "rel_root_mm", "parts_to_image"):
        np.testing.assert_allclose(getattr(pose, name), getattr(other, name), atol=tolerance, err_msg=name)
    assert (pose.parts == other.parts).mean() > 0.999


def test_numbers_follow_the_network_s_own(predictor, images):
    """The pose of one picture, worked out here from the network's answer, as the documentation defines it."""
    (pose,) = predictor([images[0]], [BOX])
    settings = predictor.network.settings
    side = 1.25 * max(BOX[2:])
    corner = np.array(BOX[:2]) + np.array(BOX[2:]) / 2 - side / 2
    crop = cv2.warpAffine(
        images[0], geometry.crop_map(np.array([*corner, side, side]), settings.input_size), (settings.input_size,) * 2
    )
    with torch.inference_mode():
        answer = predictor.network(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255)
    cells = answer.joint_xyz[0].numpy()
    np.testing.assert_allclose(pose.joints_px, corner + cells[:, :2] * side / settings.heatmap_size, atol=1e-3)
    depth = (cells[:, 2] / settings.heatmap_size - 0.5) * settings.depth_box_mm
    np.testing.assert_allclose(pose.depth_mm, depth, atol=1e-3)
    np.testing.assert_allclose(pose.hand_probability, answer.hand_logits[0].sigmoid(), atol=1e-6)
    np.testing.assert_array_equal(pose.parts, answer.segm_logits[0].argmax(0))
    rel_root = (answer.rel_root_depth[0, 0] / settings.root_bins - 0.5) * settings.root_box_mm
    assert pose.rel_root_mm == pytest.approx(rel_root.item(), abs=1e-3)


def test_a_batch_gives_what_each_picture_gives_alone(predictor, images):
    boxes = [None, BOX, None, np.array(BOX), tuple(BOX)]
    together = Predictor(predictor.network, batch_size=2)(images, boxes)
    assert len(together) == 5
    for image, box, pose in zip(images, boxes, together, strict=True):
        assert_same(predictor(image, box)[0], pose)
    assert predictor([]) == []


def test_arrays_and_tensors_of_every_kind_are_the_same_picture(predictor, images):
    image = images[0]
    (expected,) = predictor([image])
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    for other in (image / 255, image.astype(np.float32) / 255, tensor, tensor / 255, tensor.double() / 255,
                  image[:, ::-1][:, ::-1], tensor.contiguous()):  # fmt: skip
        assert_same(predictor([other])[0], expected)
    for batch in (np.stack([image] * 2), torch.stack([tensor] * 2), (image, tensor)):
        poses = predictor(batch)
        assert len(poses) == 2
        assert_same(poses[1], expected)
    (half,) = predictor([(tensor / 255).half()])
    assert_same(half, expected, tolerance=0.5)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 5), np.uint8), r"images\[0\]: is numpy \(4, 5\), expected numpy \(H, W, 3\) or torch "),
        (np.zeros((4, 5, 4), np.uint8), r"is numpy \(4, 5, 4\)"),
        (np.zeros((0, 5, 3), np.uint8), "is numpy"),
        (torch.zeros(4, 5, 3), r"is torch \(4, 5, 3\)"),
        (np.full((4, 5, 3), 2.0), "holds float64 from 2.0 to 2.0"),
        (np.full((4, 5, 3), np.nan), "holds float64"),
        (np.zeros((4, 5, 3), np.uint16), "holds uint16"),
        ("photo.jpg", r"is a str, .*digit\.read_picture reads files"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_named(predictor, image, message):
    with pytest.raises(digit.UserError, match=message):
        predictor([image])


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([0, 0, 10], r"boxes\[1\]: the box \[0, 0, 10\] is not four numbers"),
        ([0, 0, np.nan, 5], "is not four numbers"),
        (np.zeros((2, 2)), "is not four numbers"),
        ([500, 0, 10, 10], "does not touch the picture, which is 88 x 60 px"),
    ],
)
def test_what_is_no_box_is_named(predictor, images, box, message):
    with pytest.raises(digit.UserError, match=message):
        predictor(images[:2], [BOX, box])
    with pytest.raises(digit.UserError, match="boxes: there are 1 for 2 images"):
        predictor(images[:2], [BOX])


def test_labels_land_where_the_crop_was(checkpoint):
    """A network that calls the crop's upper left quarter label 9 marks that quarter of the box in the picture."""
    predictor = digit.load_model(checkpoint, device="cpu")
    side, size = predictor.network.settings.mask_size, predictor.network.settings.input_size
    logits = torch.zeros(1, 33, side, side)
    logits[:, 9, : side // 2, : side // 2] = 1.0
    with torch.inference_mode():
        fixed = predictor.network(torch.zeros(1, 3, size, size))._replace(segm_logits=logits)
    predictor.network.forward = lambda _: fixed
    (pose,) = predictor([np.zeros((300, 400, 3), np.uint8)], [[120, 70, 160, 160]])  # enlarged: 100, 50, 200, 200
    rows, columns = np.nonzero(pose.labels(400, 300) == 9)
    # The crop map sends the box's corner to pixel 0 of the crop; half a label pixel is 3 px here.
    assert columns.min() == pytest.approx(100, abs=4) and columns.max() == pytest.approx(200, abs=4)
    assert rows.min() == pytest.approx(50, abs=4) and rows.max() == pytest.approx(150, abs=4)


def test_answers_that_are_not_finite_are_no_poses(checkpoint, images):
    predictor = digit.load_model(checkpoint, device="cpu")
    with torch.no_grad():
        next(predictor.network.parameters()).fill_(torch.nan)
    with pytest.raises(digit.UserError, match=r"best\.ckpt: the network's answer is not finite"):
        predictor(images)


def test_a_device_that_is_not_there_is_named(checkpoint):
    for device in ("cuda:99", "gpu"):
        with pytest.raises(digit.UserError, match=f"device '{device}': cannot be used"):
            digit.load_model(checkpoint, device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_poses(predictor, checkpoint, images):
    on_gpu = digit.load_model(checkpoint)
    assert on_gpu.device.type == "cuda"
    tensors = [torch.from_numpy(image).permute(2, 0, 1).cuda() for image in images]
    for pose, expected in zip(on_gpu(tensors), predictor(images), strict=True):
        assert_same(pose, expected, tolerance=0.05)
