"""Networks of the ablations after training: evaluated, compared, exported, and refused where they cannot work."""

import csv
import json
import re

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml

from digit.config import resolve, to_dict
from digit.model.create import create_network
from digit.model.weights import PREFIX, load_network
from digit.run.errors import UserError
from digit.run.files import write_json
from digit.stages.evaluate import evaluate
from digit.stages.export_network import export_network
from digit.stages.predict import predict
from digit.stages.report import report

PARTLESS = {"plain": {"fusion": "features"}, "internet": {"architecture": "internet"}}


def with_experiments(run, first=(), **models):
    """The run with more experiments, ``first`` ones in front; those that are new are untrained but evaluated."""
    experiments = {name: {"preset": "tiny", "model": settings} for name, settings in models.items()}
    every = {k: to_dict(v) for k, v in run.config.experiments.items()} | experiments
    ordered = {name: every[name] for name in (*first, *every)}
    raw = to_dict(run.config) | {"experiments": ordered}
    raw["evaluate"] |= {"root_depth": ["rootnet"]}
    config = resolve(raw)
    provenance = json.loads((run.layout.train("tiny") / "provenance.json").read_text())
    for name in models:
        folder = run.layout.train(name)
        folder.mkdir(parents=True)
        experiment = config.experiments[name]
        torch.manual_seed(3)
        state = {PREFIX + key: tensor for key, tensor in create_network(experiment.model).state_dict().items()}
        torch.save({"state_dict": state, "hyper_parameters": {"experiment": to_dict(experiment)}}, folder / "best.ckpt")
        (folder / "history.csv").write_bytes((run.layout.train("tiny") / "history.csv").read_bytes())
        (folder / "config.yaml").write_text(yaml.safe_dump(to_dict(experiment)))
        write_json(folder / "provenance.json", provenance)
        evaluate(config, name, "test", "rootnet")
    return config


def metrics_of(run, name):
    return json.loads((run.layout.evaluation(name, "test", "rootnet") / "metrics.json").read_text())


def test_networks_without_parts_are_evaluated_shown_and_compared(evaluated_run):
    config = with_experiments(evaluated_run, first=("plain",), **PARTLESS)
    for name in PARTLESS:
        document = metrics_of(evaluated_run, name)
        assert document["metrics"]["part_iou"] is None and document["metrics"]["mpjpe_all"] > 0
        assert any("draws no parts" in note for note in document["notes"])
    report(config)
    page = (evaluated_run.layout.report() / "index.html").read_text()
    assert page.count("parts, predicted (none)") == page.count('class="row"') and "plain draws no parts" in page
    table = page.partition("<h3>Differences from plain</h3>")[2].partition("</table>")[0]
    assert re.findall(r"<tr><td>(\w+)</td>", table) == ["tiny", "wide", "internet"]
    assert not re.search(r"\b(?:nan|None)\b", re.sub(r"base64,[\w+/=]+|<script.*", "", page, flags=re.S))


def test_the_comparison_says_what_the_metrics_say(evaluated_run):
    report(evaluated_run.config)
    folder = evaluated_run.layout.report()
    with (folder / "comparison.csv").open(newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    values = {name: metrics_of(evaluated_run, name)["metrics"] for name in ("tiny", "wide")}
    assert {(row["experiment"], row["reference"], row["split"]) for row in rows.values()} == {("wide", "tiny", "test")}
    for metric, row in rows.items():
        expected = values["wide"][metric] - values["tiny"][metric]
        assert float(row["difference"]) == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert float(row["low"]) <= float(row["high"]) and row["verdict"] in ("better", "worse", "undecided")
    page = (folder / "index.html").read_text()
    shown = f"{float(rows['mpjpe_all']['difference']):+.2f}".replace("-", "\N{MINUS SIGN}")
    assert f"<b>{shown}</b>" in page and page.count('class="span ') == 5


def test_a_network_trained_again_counts_as_one_with_the_first(evaluated_run):
    report(with_experiments(evaluated_run, again={}))
    folder = evaluated_run.layout.report()
    with (folder / "comparison.csv").open(newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    assert {(row["experiment"], row["seeds"], row["reference_seeds"]) for row in rows.values()} == {("wide", "1", "2")}
    values = [metrics_of(evaluated_run, name)["metrics"]["mpjpe_all"] for name in ("tiny", "again", "wide")]
    assert float(rows["mpjpe_all"]["reference_value"]) == pytest.approx(np.mean(values[:2]), rel=1e-5)
    assert float(rows["mpjpe_all"]["difference"]) == pytest.approx(values[2] - np.mean(values[:2]), rel=1e-4)
    assert "(tiny: 2 seeds)" in (folder / "index.html").read_text()


def test_one_experiment_is_compared_with_nothing(evaluated_run):
    report(evaluated_run.config)
    raw = to_dict(evaluated_run.config)
    raw["experiments"].pop("wide")
    report(resolve(raw))
    folder = evaluated_run.layout.report()
    assert not (folder / "comparison.csv").exists() and "Differences from" not in (folder / "index.html").read_text()


def test_predictions_of_other_samples_are_not_compared(evaluated_run):
    path = evaluated_run.layout.evaluation("wide", "test", "rootnet") / "predictions.npz"
    with np.load(path) as saved:
        arrays = dict(saved)
    per_sample = {name: value[:-1] for name, value in arrays.items() if name != "segm_confusion"}
    np.savez(path, **arrays | per_sample)
    with pytest.raises(UserError, match=r"wide.*predictions\.npz: holds other samples than .*tiny"):
        report(evaluated_run.config)


def test_a_network_that_needs_masks_is_evaluated_but_not_let_loose(evaluated_run, tmp_path):
    with_experiments(evaluated_run, bound={"fusion": "gt_mask"})
    assert metrics_of(evaluated_run, "bound")["metrics"]["part_iou"] is not None
    checkpoint = evaluated_run.layout.train("bound") / "best.ckpt"
    image = next((evaluated_run.layout.jpeg_folder() / "test").rglob("*.jpg"))
    with pytest.raises(UserError, match="annotated part masks beside the image"):
        predict(checkpoint, [image], tmp_path / "out")
    with pytest.raises(UserError, match="annotated part masks beside the image"):
        export_network(checkpoint, tmp_path / "bound.onnx", "tiny")
    assert not list(tmp_path.glob("out*")) and not list(tmp_path.glob("bound*"))


def test_a_network_without_parts_predicts_and_exports(evaluated_run, tmp_path):
    with_experiments(evaluated_run, internet=PARTLESS["internet"])
    checkpoint = evaluated_run.layout.train("internet") / "best.ckpt"
    image = next((evaluated_run.layout.jpeg_folder() / "test").rglob("*.jpg"))
    assert predict(checkpoint, [image], tmp_path / "out").poses[0].is_file()
    export_network(checkpoint, tmp_path / "network.onnx", "tiny")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    outputs = [output.name for output in session.get_outputs()]
    assert outputs == ["joint_xyz", "rel_root_depth", "hand_logits", "joint_confidence"]
    pictures = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        expected = load_network(checkpoint)(pictures).joint_xyz
    np.testing.assert_allclose(session.run(["joint_xyz"], {"images": pictures.numpy()})[0], expected, atol=1e-3)
    properties = {item.key: item.value for item in onnx.load(tmp_path / "network.onnx").metadata_props}
    assert "segm_logits" not in json.loads(properties["units"])


def test_a_hard_mask_exports(evaluated_run, tmp_path):
    with_experiments(evaluated_run, hard={"fusion": "argmax"})
    export_network(evaluated_run.layout.train("hard") / "best.ckpt", tmp_path / "hard.onnx", "tiny")
