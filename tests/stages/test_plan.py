"""The cost estimate: counts, rates from finished runs or defaults, and what the table says."""

import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from digit.cli import app
from digit.config import load_config, resolve, to_dict
from digit.stages.plan import DEFAULT_SECONDS, RELEASE, START_SECONDS, longest_path_s, plan, sample_counts, show

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "workflow" / "configs" / "paper.yaml"


def _config(folder, **sections):
    synthetic = {"train_images": 4000, "val_images": 400, "test_images": 400}
    return resolve({"run": {"folder": str(folder)}, "synthetic": synthetic, "experiments": {"a": {}}} | sections)


def _finished(folder, images, seconds, stage="parts", shards=2):
    """A finished run with an index of each split and benchmark files of one stage."""
    run = folder / "earlier"
    for split, count in images.items():
        (run / "index" / split).mkdir(parents=True)
        (run / "index" / split / "index.json").write_text(json.dumps({"counts": {"samples": count}}))
        for shard in range(shards):
            for file in (run / stage / split / f"{shard}.lmdb", run / f"benchmarks/{stage}/{split}-{shard}.tsv"):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"s\th:m:s\n{seconds(count / shards)}\t-\n")
    return run


def test_the_paper_without_any_finished_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(PAPER)
    assert sample_counts(config)[0] == RELEASE
    costs = {cost.stage: cost for cost in plan(config)}
    assert {stage: cost.jobs for stage, cost in costs.items()} == {
        **{"check": 3, "index": 3, "images": 192, "parts": 192, "contact sheet": 3},
        **{"train digit": 1, "evaluate digit": 4, "report": 1},
    }
    assert costs["images"].samples == pytest.approx(sum(RELEASE.values()))
    # 143 GFLOP a sample, 50 epochs; the same figure as the README's four days at 30 TFLOP/s.
    assert costs["train digit"].gpu_hours == pytest.approx(3 * 47.7 * 50 * RELEASE["train"] / 30e3 / 3600, rel=0.05)
    assert costs["evaluate digit"].gpu_hours > 0 and costs["parts"].gpu_hours == 0
    assert all(cost.rate.source.startswith(("default", "143", "47.7")) for cost in costs.values())


def test_rates_come_from_finished_runs(tmp_path):
    _finished(tmp_path, {"train": 4000, "val": 400}, lambda samples: 20 + 0.01 * samples)
    costs = {cost.stage: cost for cost in plan(_config(tmp_path))}
    parts = costs["parts"]
    assert parts.rate.seconds == pytest.approx(0.01) and parts.rate.start_s == pytest.approx(20)
    assert parts.rate.source == "measured: 4 job(s) of earlier"
    assert parts.longest_s == pytest.approx(20 + 0.01 * 2000)
    assert parts.core_hours == pytest.approx((6 * 20 + 0.01 * 4800) / 3600)
    assert costs["images"].rate.source.startswith("default")


def test_runs_too_small_to_show_a_rate_are_not_believed(tmp_path):
    _finished(tmp_path, {"train": 24, "val": 8}, lambda samples: 5 + samples)
    (parts,) = (cost for cost in plan(_config(tmp_path)) if cost.stage == "parts")
    assert (parts.rate.seconds, parts.rate.start_s) == (DEFAULT_SECONDS["parts"][0], START_SECONDS)


def test_a_training_is_measured_by_one_of_the_same_network_only(tmp_path):
    config = _config(tmp_path, experiments={"a": {"preset": "tiny"}, "b": {"preset": "paper"}})
    train = tmp_path / "earlier" / "experiments" / "x" / "train"
    train.mkdir(parents=True)
    (train / "config.yaml").write_text(yaml.safe_dump(to_dict(config.experiments["a"])))
    record = {"samples_seen": 10_000, "seconds": 50.0, "hardware": {"gpu": None}}
    (train / "provenance.json").write_text(json.dumps(record))
    costs = {cost.stage: cost for cost in plan(config)}
    assert costs["train a"].rate.seconds == pytest.approx(0.005) and costs["train a"].gpu_hours == 0
    assert "143 GFLOP" in costs["train b"].rate.source and costs["train b"].gpu_hours > 0


def test_counts_of_an_index_win(tmp_path):
    config = _config(tmp_path, run={"folder": str(tmp_path), "name": "earlier"})
    _finished(tmp_path, {"val": 77}, lambda samples: 1)
    counts, sources = sample_counts(config)
    assert counts["val"] == 77 and "earlier/index/val" in sources["val"] and sources["test"] == "the configuration"


def test_the_longest_path_takes_images_and_parts_side_by_side(tmp_path):
    costs = plan(_config(tmp_path))
    longest = {cost.stage: cost.longest_s for cost in costs}
    apart = min(longest["images"], longest["parts"]) + longest["contact sheet"]
    assert longest_path_s(costs) == pytest.approx(sum(longest.values()) - apart)


def test_the_table_shows_every_stage_and_every_input(tmp_path):
    console = Console(record=True, width=120)
    show(_config(tmp_path), console)
    text = console.export_text()
    for word in ("synthesize", "parts", "train a", "evaluate a", "GPU-hours", "path ", "4,000", "the configuration"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_command_takes_snakemakes_option(monkeypatch):
    monkeypatch.chdir(ROOT)
    for option in ("--configfile", "--config", "-c"):
        result = CliRunner().invoke(app, ["plan", option, str(PAPER)])
        assert result.exit_code == 0, result.output
        assert "train digit" in result.output and "tiny" not in result.output
