"""Weights from elsewhere as an experiment: taken over, evaluated and reported without training."""

import dataclasses
import hashlib
import re

import numpy as np
import pytest
import torch

from digit.config import Config, merge, resolve, to_dict
from digit.model.shipped import NAME, shipped_weights
from digit.model.weights import load_network, released_layout
from digit.report.facts import read_trained
from digit.report.tables import notices
from digit.run import provenance
from digit.run.errors import UserError
from digit.run.files import read_json
from digit.run.layout import Layout
from digit.stages.evaluate import evaluate
from digit.stages.report import report
from digit.stages.train import train


@pytest.fixture
def released(evaluated_run, tmp_path):
    """The weights of experiment ``tiny`` in the layout of the released file."""
    path = tmp_path / "released.pt"
    torch.save(released_layout(load_network(evaluated_run.checkpoint)), path)
    return path


def with_given(run, path, **model) -> Config:
    experiments = {"given": {"preset": "tiny", "load_ckpt": str(path), "model": model}}
    return resolve(to_dict(run.config) | {"experiments": experiments})


def test_given_weights_are_evaluated_as_they_are(evaluated_run, released):
    config = with_given(evaluated_run, released)
    layout = Layout.of(config)
    train(config, "given")
    assert (layout.train("given") / "best.ckpt").read_bytes() == released.read_bytes()
    evaluate(config, "given", "test", "rootnet")
    evaluate(config, "given", "test", "gt")
    given, trained = (layout.evaluation(name, "test", "rootnet") for name in ("given", "tiny"))
    with np.load(given / "predictions.npz") as ours, np.load(trained / "predictions.npz") as theirs:
        np.testing.assert_array_equal(ours["joint_coord"], theirs["joint_coord"])
    protocol = read_json(given / "metrics.json", "")["protocol"]
    assert protocol["checkpoint"] == "released.pt"
    assert protocol["checkpoint_sha256"] == hashlib.sha256(released.read_bytes()).hexdigest()
    report(config)
    page = (layout.report() / "index.html").read_text()
    assert "not trained here: released.pt" in page and 'id="training"' not in page
    assert "trained and measured by" not in page and "not seen in training" not in page


def test_the_report_marks_given_weights_beside_trained_ones(evaluated_run, released):
    given = with_given(evaluated_run, released).experiments["given"]
    config = resolve(merge(to_dict(evaluated_run.config), {"experiments": {"given": to_dict(given)}}))
    train(config, "given")
    for root_depth in ("rootnet", "gt"):
        evaluate(config, "given", "test", root_depth)
    report(config)
    page = (Layout.of(config).report() / "index.html").read_text()
    section = page.partition('<section id="experiments">')[2].partition("</table>")[0]
    assert re.findall(r"<td>(\w+)<small>given weights, not trained here</small>", section) == ["given"]
    digest = hashlib.sha256(released.read_bytes()).hexdigest()
    assert f"<dt>given</dt><dd>released.pt, SHA-256 {digest}</dd>" in page


def test_the_report_does_not_say_that_given_weights_were_trained(evaluated_run, released):
    config = with_given(evaluated_run, released)
    train(config, "given")
    for root_depth in ("rootnet", "gt"):
        evaluate(config, "given", "test", root_depth)
    main = read_trained(config, Layout.of(config), "given")
    synthetic = dataclasses.replace(config, data=dataclasses.replace(config.data, source="synthetic"))
    (notice,) = notices(synthetic, main)
    assert "released.pt) were not trained here" in notice["text"] and "was trained" not in notice["text"]


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("absent.pt", {}, r"absent\.pt: no such file"),
        ("released.pt", {"input_size": 128, "head": [8, 8, 8, 8]}, r"released\.pt: \d+ tensors do not fit"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_and_nothing_is_left(evaluated_run, released, name, model, message):
    config = with_given(evaluated_run, released.with_name(name), **model)
    with pytest.raises(UserError, match=message):
        train(config, "given")
    assert not Layout.of(config).train("given").exists()


def test_a_checkpoint_of_other_settings_is_refused(evaluated_run):
    config = with_given(evaluated_run, evaluated_run.checkpoint, fusion="softmax")
    with pytest.raises(UserError, match=r"given\.load_ckpt: .*best\.ckpt says that it is another network"):
        train(config, "given")


def test_the_shipped_weights_have_a_name(run_config, tiny_release):
    config = run_config(tiny_release, experiments={"shipped": {"preset": "small", "load_ckpt": "shipped"}})
    train(config, "shipped")
    folder = Layout.of(config).train("shipped")
    assert load_network(folder / "best.ckpt").settings == config.experiments["shipped"].model
    record = read_json(folder / "provenance.json", "")
    assert record["weights"] == {"file": NAME, "sha256": provenance.sha256(shipped_weights())}
