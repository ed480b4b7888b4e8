"""The cost estimate: counts, jobs, hours and the longest path."""

import dataclasses
import re
from pathlib import Path

import pytest

from digit.config import load_config
from digit.planning.costs import CHECK_CORES, RELEASE, SYNTHESIZE_CORES, longest_path_s, plan, sample_counts
from digit.run.errors import UserError

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "workflow" / "configs" / "paper.yaml"


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


def test_images_take_the_disk_that_the_releases_archive_implies():
    """81,718,036,480 bytes of tar; from the original's store PNG files nine times as large."""
    config = load_config(PAPER)
    packed = dataclasses.replace(config, data=dataclasses.replace(config.data, image_lmdb="a.lmdb"))
    jpeg, png = ({cost.stage: cost for cost in plan(each)}["images"] for each in (config, packed))
    assert 81_718_036_480 < jpeg.disk_bytes < 1.07 * 81_718_036_480
    assert png.disk_bytes == pytest.approx(9 * jpeg.disk_bytes) and png.longest_s > 3 * jpeg.longest_s


def test_counts_of_an_index_win(tmp_path, planned_config, finished_run):
    config = planned_config(run={"folder": str(tmp_path), "name": "earlier"})
    finished_run({"val": 77}, lambda samples: 1)
    counts, sources = sample_counts(config)
    assert counts["val"] == 77 and "earlier/index/val" in sources["val"] and sources["test"] == "the configuration"


def test_the_longest_path_takes_images_and_parts_side_by_side(planned_config):
    costs = plan(planned_config())
    longest = {cost.stage: cost.longest_s for cost in costs}
    apart = min(longest["images"], longest["parts"]) + longest["contact sheet"]
    assert longest_path_s(costs) == pytest.approx(sum(longest.values()) - apart)


def test_an_index_that_does_not_say_its_size_is_named(tmp_path, planned_config, finished_run):
    run = finished_run({"val": 77}, lambda samples: 1)
    (run / "index" / "val" / "index.json").write_text("{}")
    with pytest.raises(UserError, match="does not say how many samples"):
        plan(planned_config(run={"folder": str(tmp_path), "name": "earlier"}))


def test_hours_are_those_of_the_cores_and_gpus_that_the_rules_ask_for(planned_config):
    costs = {cost.stage: cost for cost in plan(planned_config())}
    for stage, cores in (("synthesize", SYNTHESIZE_CORES), ("check", CHECK_CORES)):
        (asked,) = re.findall(r"threads: .*?(\d+)$", (ROOT / f"workflow/rules/{stage}.smk").read_text(), re.MULTILINE)
        assert int(asked) == cores
    synthesize = costs["synthesize"]
    assert synthesize.core_hours == pytest.approx(SYNTHESIZE_CORES * synthesize.longest_s / 3600)
    training = costs["train a"]
    assert training.gpu_hours == pytest.approx(training.longest_s / 3600)
