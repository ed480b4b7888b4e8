import json

import cv2
import numpy as np
import pytest
import torch

from digit import geometry, scoring
from digit.run.errors import UserError
from digit.samples.index import open_index
from digit.stages import predict as stage
from digit.stages.predict import predict


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    cv2.imwrite(str(folder / "a.png"), cv2.resize(noise, (80, 60)))
    cv2.imwrite(str(folder / "b.jpg"), cv2.resize(noise[::-1], (60, 80)))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_each_image_gets_an_overlay_and_a_pose(evaluated_run, pictures, tmp_path):
    written = predict(evaluated_run.checkpoint, pictures, tmp_path / "out", hand_threshold=0.0)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.json", "a.png", "b.json", "b.png"]
    pose = json.loads(written[0].read_text())
    assert (pose["image"], pose["width"], pose["height"], pose["box"]) == ("a.png", 80, 60, "whole image")
    assert pose["box_px"] == [0, -10, 80, 80]
    for hand in ("right", "left"):
        assert pose["hands"][hand]["present"]
        assert len(pose["hands"][hand]["joints"]) == 21
        assert set(pose["hands"][hand]["joints"]["wrist"]) == {"x_px", "y_px", "depth_mm"}
    overlay = cv2.imread(str(tmp_path / "out" / "a.png"))
    assert overlay.shape[1] / overlay.shape[0] == pytest.approx(80 / 60)


def test_hands_below_the_threshold_are_hidden(evaluated_run, pictures, tmp_path):
    image = pictures / "a.png"
    written = predict(evaluated_run.checkpoint, image, tmp_path / "out", hand_threshold=1.0)
    pose = json.loads(written[0].read_text())
    assert not pose["hands"]["right"]["present"] and not pose["hands"]["left"]["present"]
    overlay = cv2.imread(str(tmp_path / "out" / "a.png"))
    plain = cv2.resize(cv2.imread(str(image)), overlay.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    assert np.abs(overlay.astype(int) - plain).max() <= 1


def test_a_given_box_gives_what_evaluation_gave(evaluated_run, tmp_path):
    run = evaluated_run
    index = open_index(run.layout.index("test"))
    outputs = scoring.load_outputs(run.layout.evaluation("tiny", "test", "gt") / "predictions.npz", index)
    row = int(outputs.row[3])
    name = index.keys([row])[0]
    image = run.layout.dataset / "images" / "test" / name
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({image.name: index.box_px[row].tolist()}))
    pose = json.loads(predict(run.checkpoint, image, tmp_path / "out", boxes)[0].read_text())
    expected_px = geometry.apply_map(outputs.inv_trans[3], outputs.joint_coord[3, :, :2] * 4.0)
    found = [(j["x_px"], j["y_px"]) for h in ("right", "left") for j in pose["hands"][h]["joints"].values()]
    np.testing.assert_allclose(found, expected_px, atol=0.05)
    assert pose["hands"]["left"]["probability"] == pytest.approx(float(outputs.hand_type[3, 1]), abs=1e-3)
    assert pose["box"] == "given"


def test_labels_land_where_the_crop_was(evaluated_run):
    """A network that calls the crop's upper left quarter label 9 marks that quarter of the box in the image."""
    from digit.model.weights import load_model

    model = load_model(evaluated_run.checkpoint)
    side = model.settings.mask_size
    logits = torch.zeros(1, 33, side, side)
    logits[:, 9, : side // 2, : side // 2] = 1.0
    with torch.inference_mode():
        whole = model(torch.zeros(1, 3, model.settings.input_size, model.settings.input_size))
    fixed = whole._replace(segm_logits=logits)
    model.forward = lambda _: fixed
    pose = stage.estimate(model, np.zeros((300, 400, 3), np.uint8), np.array([100.0, 50.0, 200.0, 200.0]))
    rows, columns = np.nonzero(pose.labels == 9)
    # The crop map sends the box's corner to pixel 0 of the crop; half a label pixel is 3 px here.
    assert columns.min() == pytest.approx(100, abs=4) and columns.max() == pytest.approx(200, abs=4)
    assert rows.min() == pytest.approx(50, abs=4) and rows.max() == pytest.approx(150, abs=4)


def test_names_that_collide_keep_their_suffix(evaluated_run, pictures, tmp_path):
    (pictures / "a.jpg").write_bytes((pictures / "b.jpg").read_bytes())
    written = predict(evaluated_run.checkpoint, pictures, tmp_path / "out")
    assert [path.name for path in written] == ["a.jpg.json", "a.png.json", "b.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a.png": [0, 0, 10, 10]}', r"b\.jpg: no box"),
        ('{"a.png": [0, 0, 10], "b.jpg": [0, 0, 1, 1]}', r"a\.png: not four numbers"),
        ('{"a.png": [0, 0, 10, -1], "b.jpg": [0, 0, 1, 1]}', r"a\.png: not four numbers"),
        ('{"a.png": "box", "b.jpg": [0, 0, 1, 1]}', r"a\.png: not four numbers"),
        ("[1, 2, 3, 4]", "must be an object"),
        ('{"a.png": [0, 0', "not valid JSON"),
    ],
)
def test_bad_boxes_are_explained(evaluated_run, pictures, tmp_path, content, message):
    boxes = tmp_path / "boxes.json"
    boxes.write_text(content)
    with pytest.raises(UserError, match=message):
        predict(evaluated_run.checkpoint, pictures, tmp_path / "out", boxes)
    assert not (tmp_path / "out").exists()


def test_unreadable_input_is_explained(evaluated_run, pictures, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"nowhere: does not exist"):
        predict(evaluated_run.checkpoint, tmp_path / "nowhere", out)
    with pytest.raises(UserError, match="holds no image"):
        predict(evaluated_run.checkpoint, evaluated_run.layout.index("test"), out)
    with pytest.raises(UserError, match=r"notes\.txt: is not an image"):
        predict(evaluated_run.checkpoint, pictures / "notes.txt", out)
    with pytest.raises(UserError, match=r"a\.png"):
        predict(pictures / "a.png", pictures, out)
    with pytest.raises(UserError, match="hand threshold 2"):
        predict(evaluated_run.checkpoint, pictures, out, hand_threshold=2)
    assert not out.exists()
