"""Rates: from benchmark files of finished runs, if these are large enough to tell, else defaults."""

import json

import pytest
import yaml

from digit.config import to_dict
from digit.planning.costs import plan
from digit.planning.rates import DEFAULT_SECONDS, START_SECONDS

LARGE = {"train": 40_000, "val": 4000}


def _stages(config):
    return {cost.stage: cost for cost in plan(config)}


def _trained(tmp_path, config, name, seconds=500.0, samples=100_000):
    train = tmp_path / "earlier" / "experiments" / "x" / "train"
    train.mkdir(parents=True, exist_ok=True)
    (train / "config.yaml").write_text(yaml.safe_dump(to_dict(config.experiments[name])))
    record = {"samples_seen": samples, "seconds": seconds, "hardware": {"gpu": None}}
    (train / "provenance.json").write_text(json.dumps(record))
    return train


def test_rates_come_from_finished_runs(planned_config, finished_run):
    finished_run(LARGE, lambda samples: 20 + 0.01 * samples)
    costs = _stages(planned_config())
    parts = costs["parts"]
    assert parts.rate.seconds == pytest.approx(0.01) and parts.rate.start_s == pytest.approx(20)
    assert parts.rate.source == "measured: 4 jobs of earlier"
    assert parts.longest_s == pytest.approx(20 + 0.01 * 2000)
    assert parts.core_hours == pytest.approx((6 * 20 + 0.01 * 4800) / 3600)
    assert costs["images"].rate.source.startswith("default")


@pytest.mark.parametrize(
    ("images", "seconds"),
    [
        ({"train": 24, "val": 8}, lambda samples: 5 + samples),
        # The demo: the difference is the machine's other work.
        ({"train": 1000, "val": 200}, lambda samples: 2 + 0.0015 * samples),
        (LARGE, lambda samples: 3 + 0.0001 * samples),
    ],
)
def test_runs_too_small_to_show_a_rate_are_not_believed(planned_config, finished_run, images, seconds):
    finished_run(images, seconds)
    rate = _stages(planned_config())["parts"].rate
    assert (rate.seconds, rate.start_s) == (DEFAULT_SECONDS["parts"][0], START_SECONDS)


def test_a_training_is_measured_by_one_of_the_same_network_only(tmp_path, planned_config):
    config = planned_config(experiments={"a": {"preset": "tiny"}, "b": {"preset": "paper"}})
    _trained(tmp_path, config, "a")
    costs = _stages(config)
    assert costs["train a"].rate.seconds == pytest.approx(0.005) and "no GPU" in costs["train a"].rate.source
    assert "143 GFLOP" in costs["train b"].rate.source


def test_a_small_network_is_counted_as_one(planned_config):
    config = planned_config(experiments={"a": {"preset": "tiny"}, "b": {"preset": "paper"}})
    costs = _stages(config)
    assert costs["train a"].rate.seconds < costs["train b"].rate.seconds / 50


@pytest.mark.parametrize("content", ["", "s\th:m:s\n", "s\nabc\n", "s\n-\n", "seconds\n3\n", "s\ninf\n", b"\xff\xfe"])
def test_a_benchmark_file_that_tells_nothing_is_ignored_by_name(planned_config, finished_run, caplog, content):
    run = finished_run(LARGE, lambda samples: 20 + 0.01 * samples)
    bad = run / "benchmarks/parts/train-0.tsv"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    (run / "benchmarks/parts/a.tsv").mkdir()
    assert _stages(planned_config())["parts"].rate.source == "measured: 3 jobs of earlier"
    assert str(bad) in caplog.text


@pytest.mark.parametrize("content", ["{}", "[]", '{"counts": {"samples": "many"}}', "nonsense"])
def test_an_index_of_another_run_that_tells_nothing_is_ignored_by_name(planned_config, finished_run, caplog, content):
    header = finished_run(LARGE, lambda samples: 20 + 0.01 * samples) / "index" / "train" / "index.json"
    header.write_text(content)
    assert _stages(planned_config())["parts"].rate.source.startswith("default")
    assert str(header) in caplog.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", ""),
        ("config.yaml", "a: [b"),
        ("config.yaml", "model: {}\n"),
        ("config.yaml", "model: 3\ntraining: {}\n"),
        ("provenance.json", "[1]"),
        ("provenance.json", "nonsense"),
    ],
)
def test_a_training_that_tells_nothing_is_ignored_by_name(tmp_path, planned_config, caplog, name, content):
    config = planned_config(experiments={"a": {"preset": "tiny"}})
    train = _trained(tmp_path, config, "a")
    (train / name).write_text(content)
    assert "GFLOP" in _stages(config)["train a"].rate.source
    assert str(train) in caplog.text


def test_impossible_numbers_of_a_training_are_not_believed(tmp_path, planned_config):
    config = planned_config(experiments={"a": {"preset": "tiny"}})
    train = _trained(tmp_path, config, "a")
    (train / "provenance.json").write_text('{"samples_seen": "many", "seconds": -1, "hardware": null}')
    assert "GFLOP" in _stages(config)["train a"].rate.source
