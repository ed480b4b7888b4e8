import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
import torch

from digit import metrics, scoring
from digit.model.weights import PREFIX
from digit.run.errors import UserError
from digit.samples.index import open_index
from digit.skeleton import JOINT_NAMES, LABEL_NAMES
from digit.stages.evaluate import evaluate


def read(run, root_depth="rootnet"):
    folder = run.layout.evaluation("tiny", "test", root_depth)
    return folder, json.loads((folder / "metrics.json").read_text())


def test_metrics_carry_their_protocol(evaluated_run):
    for root_depth, source in (("rootnet", "RootNet file"), ("gt", "annotation")):
        _, document = read(evaluated_run, root_depth)
        protocol = document["protocol"]
        assert protocol["split"] == "test"
        assert protocol["root_depth"] == source
        assert protocol["samples"]["all"] == 12
        assert protocol["samples"]["single_hand"] + protocol["samples"]["interacting"] == 12
        assert protocol["samples"]["frames"] == 4
        checkpoint = hashlib.sha256(evaluated_run.checkpoint.read_bytes()).hexdigest()
        assert protocol["checkpoint_sha256"] == checkpoint
        assert protocol["experiment_key"] == "0123456789"
        assert set(document["metrics"]) == set(metrics.SCALARS) == set(document["interval_95"])
        assert set(document["per_joint"]) == set(JOINT_NAMES)
        assert set(document["part_iou"]) == set(LABEL_NAMES[1:])
        assert set(document["baseline_mean_pose"]["metrics"]) == set(metrics.SCALARS)
        assert document["baseline_mean_pose"]["metrics"]["part_iou"] is None
        assert len(document["pck"]["all"]) == len(document["pck"]["thresholds_mm"]) == 51


def test_undefined_numbers_are_null_and_explained(evaluated_run):
    folder, document = read(evaluated_run)
    assert "NaN" not in (folder / "metrics.json").read_text()
    notes = " ".join(document["notes"])
    for name, value in document["metrics"].items():
        assert (value is None) == (f"{name}: null" in notes)
    for name, joints in document["skipped_joints"].items():
        assert all(document["per_joint"][joint][name] is None for joint in joints)
    with (folder / "per_joint.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["joint"] for row in rows] == list(JOINT_NAMES)
    for row in rows:
        value = document["per_joint"][row["joint"]]["all"]
        assert row["all_mm"] == ("" if value is None else f"{value:.4f}")


def test_saved_predictions_score_the_same(evaluated_run):
    run = evaluated_run
    folder, document = read(run)
    index = open_index(run.layout.index("test"))
    outputs = scoring.load_outputs(folder / "predictions.npz", index)
    np.testing.assert_array_equal(outputs.row, index.protocol_order())
    space = metrics.Space.of(run.config.experiments["tiny"].model)
    constant = scoring.constant_of(open_index(run.layout.index("train")))
    again = scoring.score(outputs, index, "rootnet", space, constant, 20, run.config.run.seed)
    again.pop("samples")
    assert again == {name: document[name] for name in again}
    total = outputs.segm_confusion
    np.testing.assert_array_equal(np.diagonal(total)[1:], outputs.overlap_px.sum(axis=0))


def test_batches_and_workers_change_nothing(evaluated_run):
    run = evaluated_run
    folder, document = read(run)
    changed = type(run.config)(**{**vars(run.config), "evaluate": run.config.evaluate})
    object.__setattr__(changed.evaluate, "batch_size", 12)
    object.__setattr__(changed.evaluate, "num_workers", 1)
    evaluate(changed, "tiny", "test", "rootnet")
    again = json.loads((folder / "metrics.json").read_text())
    for name, value in document["metrics"].items():
        assert again["metrics"][name] == pytest.approx(value, rel=1e-4)


def test_predictions_of_another_index_are_refused(evaluated_run):
    run = evaluated_run
    path = read(run)[0] / "predictions.npz"
    with pytest.raises(UserError, match="another index"):
        scoring.load_outputs(path, open_index(run.layout.index("val")))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="digit evaluate"):
        scoring.load_outputs(path, open_index(run.layout.index("test")))


def test_without_a_training_index_there_is_no_baseline(evaluated_run):
    run = evaluated_run
    shutil.rmtree(run.layout.index("train"))
    evaluate(run.config, "tiny", "test", "gt")
    _, document = read(run, "gt")
    assert document["baseline_mean_pose"] is None
    assert any("index of the training split is missing" in note for note in document["notes"])


def test_a_diverged_network_is_named_and_leaves_earlier_numbers(evaluated_run):
    run = evaluated_run
    folder, before = read(run)
    content = torch.load(run.checkpoint, weights_only=True)
    content["state_dict"][PREFIX + "conv_hm.weight"].fill_(3e38)
    torch.save(content, run.checkpoint)
    with pytest.raises(UserError, match=r"best.ckpt: the network's answers are not finite for 12 of 12"):
        evaluate(run.config, "tiny", "test", "rootnet")
    assert json.loads((folder / "metrics.json").read_text()) == before


def test_a_missing_checkpoint_is_named(evaluated_run):
    evaluated_run.checkpoint.unlink()
    with pytest.raises(UserError, match=r"best\.ckpt"):
        evaluate(evaluated_run.config, "tiny", "test", "gt")


def test_weights_from_elsewhere_stay_apart_from_the_experiment(evaluated_run, tmp_path, caplog):
    run = evaluated_run
    foreign = tmp_path / "released.pt"
    torch.save(torch.load(run.checkpoint, weights_only=True)["state_dict"], foreign)
    own, _ = read(run, "gt")
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    with caplog.at_level("INFO", logger="digit"):
        evaluate(run.config, "tiny", "test", "gt", checkpoint=foreign)
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before
    digest = hashlib.sha256(foreign.read_bytes()).hexdigest()
    folder = own.with_name(f"test-gt-{digest[:8]}")
    assert {path.name for path in folder.iterdir()} == set(before)
    assert str(folder) in caplog.text and str(foreign) in caplog.text
    protocol = json.loads((folder / "metrics.json").read_text())["protocol"]
    assert protocol["checkpoint"] == "released.pt"
    assert protocol["checkpoint_sha256"] == digest
    assert protocol["experiment_key"] is None and protocol["seed"] is None


def test_both_roots_and_both_joint_sets_are_measured_side_by_side(evaluated_run):
    documents = {root_depth: read(evaluated_run, root_depth)[1] for root_depth in ("rootnet", "gt")}
    for document in documents.values():
        for kind in ("sh", "ih", "all"):
            table = {joint: row[kind] for joint, row in document["per_joint"].items() if row[kind] is not None}
            fingers = [value for joint, value in table.items() if "wrist" not in joint]
            assert all(table[joint] == 0 for joint in table if "wrist" in joint)
            assert document["metrics"][f"mpjpe_{kind}"] == pytest.approx(np.mean(list(table.values())))
            assert document["metrics"][f"mpjpe_{kind}_no_wrist"] == pytest.approx(np.mean(fingers))
        assert "42 joints" in document["protocol"]["joint_sets"] and "40 joints" in document["protocol"]["joint_sets"]
    assert (
        documents["rootnet"]["protocol"]["box"].startswith("RootNet") and "x1.25" in documents["gt"]["protocol"]["box"]
    )
    assert documents["rootnet"]["metrics"]["mpjpe_all"] != documents["gt"]["metrics"]["mpjpe_all"]
