import csv
import json

import numpy as np
import pytest

from digit.gallery.tables import write_mano


def test_a_row_for_each_joint_of_each_hand_that_is_present(run):
    output, poses = run
    with (output / "joints.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * 21
    names = {row["image"] for row in rows}
    assert "sub folder/a&b <i>#1?%.png" in names and "none.jpg" not in names
    wrist = next(r for r in rows if (r["image"], r["hand"], r["joint"]) == ("hand.jpg", "left", "wrist"))
    known = json.loads(poses[0].read_text())["crops"][0]["hands"]["left"]["joints"]["wrist"]
    assert {key: float(wrist[key]) for key in known} == known and wrist["frame"] == "" and wrist["crop"] == "0"


def test_mano_parameters_have_a_row_for_each_fitted_hand(run, make):
    output, _ = run
    with np.load(output / "mano.npz", allow_pickle=False) as arrays:
        assert arrays["image"].tolist()[:2] == ["hand.jpg", "hand.jpg"] and arrays["is_right"].tolist()[:2] == [
            True,
            False,
        ]
        shapes = {name: arrays[name].shape for name in ("global_orient", "hand_pose", "betas", "transl_mm", "focal_px")}
        assert shapes == {n: (6, k) for n, k in zip(shapes, (3, 45, 10, 3, 2), strict=True)}
        assert arrays["fit_error_mm"][0] == pytest.approx(3.25)


def test_without_meshes_there_are_no_mano_parameters(make, tmp_path):
    record, _ = make.make_record("a.jpg", 0)
    for hand in record["crops"][0]["hands"].values():
        hand["mano"] = None
    assert not write_mano(tmp_path / "mano.npz", [record]) and not list(tmp_path.iterdir())
