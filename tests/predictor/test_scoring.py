"""Poses measured through the public functions give what the evaluate stage wrote."""

import dataclasses
import json

import numpy as np
import pytest
from torch.utils.data import DataLoader

import digit
from digit import scoring
from digit.samples.index import open_index


@pytest.fixture
def dataset(evaluated_run):
    return digit.open_dataset(evaluated_run.config, "test")


@pytest.fixture
def predictor(evaluated_run):
    return digit.load_model(evaluated_run.checkpoint, device="cpu")


@pytest.mark.parametrize("root_depth", ["gt", "rootnet"])
def test_poses_of_samples_score_as_the_stage_does(evaluated_run, predictor, root_depth):
    dataset = digit.open_dataset(evaluated_run.config, "test", "tiny", root_depth)
    scores = digit.evaluate(predictor.samples(DataLoader(dataset, batch_size=5)), dataset, bootstrap=0)
    written = json.loads((evaluated_run.layout.evaluation("tiny", "test", root_depth) / "metrics.json").read_text())
    assert scores["metrics"].keys() == written["metrics"].keys()
    for name, value in written["metrics"].items():
        assert scores["metrics"][name] == pytest.approx(value, rel=1e-4), name
    for name, value in written["part_iou"].items():
        assert scores["part_iou"][name] == (None if value is None else pytest.approx(value, rel=1e-6)), name
    assert scores["samples"] == written["protocol"]["samples"]


def test_perfect_poses_have_no_error(evaluated_run, dataset, predictor):
    index, rows = dataset.index, dataset.rows
    truth = scoring.truth_of(index, rows, "gt")
    joints, focal, center = truth.joints_cam_mm, truth.focal_px[:, None], truth.princpt_px[:, None]
    joints_px = joints[..., :2] / joints[..., 2:] * focal + center
    depths = joints[..., 2] - np.repeat(joints[:, [20, 41], 2], 21, 1)
    poses = [
        dataclasses.replace(
            pose,
            joints_px=joints_px[k],
            depth_mm=depths[k],
            hand_probability=truth.hand_type[k].astype(float),
            rel_root_mm=joints[k, 41, 2] - joints[k, 20, 2],
            parts=None,
        )
        for k, pose in enumerate(predictor.samples(DataLoader(dataset, batch_size=5)))
    ]
    metrics = digit.evaluate(poses, dataset, bootstrap=0)["metrics"]
    assert metrics["mpjpe_all"] == pytest.approx(0, abs=1e-2) and metrics["mrrpe"] == pytest.approx(0, abs=1e-2)
    assert metrics["handedness_accuracy"] == 1 and metrics["part_iou"] is None


def test_whole_pictures_with_their_boxes_give_the_samples_poses(evaluated_run, dataset, predictor):
    root = evaluated_run.config.data.root
    images = [digit.read_picture(f"{root}/images/test/{name}") for name in dataset.names]
    poses = predictor(images, dataset.index.box_px[dataset.rows])
    for pose, other in zip(poses, predictor.samples(DataLoader(dataset, batch_size=4)), strict=True):
        np.testing.assert_allclose(pose.joints_px, other.joints_px, atol=0.02)
        np.testing.assert_allclose(pose.parts_to_image, other.parts_to_image, atol=1e-4)


def test_one_pose_for_each_sample(dataset, predictor):
    poses = list(predictor.samples(DataLoader(dataset, batch_size=4)))
    for wrong, message in ((poses[:-1], "11 poses for 12 samples"), (poses + poses[:1], "more than the 12 samples")):
        with pytest.raises(digit.UserError, match=message):
            digit.evaluate(wrong, dataset)


def test_samples_of_another_size_are_refused(evaluated_run, predictor):
    small = evaluated_run.config.experiments["tiny"].model.input_size // 2
    config = dataclasses.replace(
        evaluated_run.config,
        experiments={
            "small": dataclasses.replace(
                evaluated_run.config.experiments["tiny"],
                model=dataclasses.replace(evaluated_run.config.experiments["tiny"].model, input_size=small),
            )
        },
    )
    dataset = digit.open_dataset(config, "test")
    with pytest.raises(digit.UserError, match=r"takes crops of .* px, the samples' are of .*; open the data set for"):
        list(predictor.samples(DataLoader(dataset, batch_size=2)))


def test_index_is_that_of_the_run(evaluated_run, dataset):
    assert dataset.names == open_index(evaluated_run.layout.index("test")).keys(dataset.rows)
