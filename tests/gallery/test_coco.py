import json

import numpy as np
import pytest

from digit.gallery.coco import BONES, KEYPOINTS, write_coco
from digit.skeleton import HAND_JOINT_NAMES, PARENTS


def read(path):
    return json.loads(path.read_text())


def test_bones_are_those_of_the_skeleton():
    parents = {HAND_JOINT_NAMES[k]: HAND_JOINT_NAMES[PARENTS[k]] for k in range(20)}
    assert {KEYPOINTS[child - 1]: KEYPOINTS[parent - 1] for parent, child in BONES} == parents
    assert sorted(KEYPOINTS) == sorted(HAND_JOINT_NAMES)


def test_each_hand_that_is_present_is_an_annotation(run):
    output, poses = run
    document = read(output / "keypoints.coco.json")
    records = [read(path) for path in poses]
    assert [image["file_name"] for image in document["images"]] == [record["image"] for record in records]
    hands = [h for record in records for h in record["crops"][0]["hands"].values() if h["present"]]
    assert len(document["annotations"]) == len(hands) == 6
    assert [category["name"] for category in document["categories"]] == ["right hand", "left hand"]
    for annotation, hand in zip(document["annotations"], hands, strict=True):
        flat = np.reshape(annotation["keypoints"], (21, 3))
        joints = [hand["joints"][name] for name in KEYPOINTS]
        np.testing.assert_allclose(flat[:, :2], [[j["x_px"], j["y_px"]] for j in joints], atol=0.006)
        assert annotation["score"] == hand["probability"]
        x, y, w, h = annotation["bbox"]
        inside = flat[flat[:, 2] == 2, :2] + 0.5
        assert (inside >= [x - 0.01, y - 0.01]).all() and (inside <= [x + w + 0.01, y + h + 0.01]).all()


def test_joints_beside_the_picture_are_not_visible(make, tmp_path):
    record, _ = make.make_record("a.jpg", 1)
    right = record["crops"][0]["hands"]["right"]["joints"]
    right["thumb4"]["x_px"], right["wrist"]["y_px"] = -0.6, 479.5
    write_coco(tmp_path / "coco.json", [record])
    (annotation,) = read(tmp_path / "coco.json")["annotations"]
    flags = dict(zip(KEYPOINTS, annotation["keypoints"][2::3], strict=True))
    assert flags["thumb4"] == 1 and flags["wrist"] == 2 and annotation["bbox"][0] == 0


def test_cocos_own_tools_load_and_score_it(run):
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    output, _ = run
    truth = coco.COCO(str(output / "keypoints.coco.json"))
    found = truth.loadRes(read(output / "keypoints.coco.json")["annotations"])
    scores = cocoeval.COCOeval(truth, found, "keypoints")
    scores.params.kpt_oks_sigmas = np.full(21, 0.05)
    scores.evaluate()
    scores.accumulate()
    scores.summarize()
    assert scores.stats[0] == pytest.approx(1)
    assert len(truth.getAnnIds(catIds=[2])) == 3
