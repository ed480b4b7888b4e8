"""What would run: dry runs of every configuration, and configurations that cannot work."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "workflow" / "configs" / "paper.yaml"


def test_the_demo_from_nothing(planned, tmp_path):
    jobs = planned(tmp_path, "--configfile", ROOT / "config.yaml")
    expected = {"synthesize": 1, "check_split": 3, "index_split": 3, "images_shard": 6, "parts_shard": 6}
    expected |= {"contact_sheet": 3, "train_experiment": 2, "adopt_weights": 1, "evaluate_experiment": 12, "report": 1}
    assert {name: jobs[name] for name in expected} == expected


def test_the_weights_that_ship_are_made_by_one_command(planned, snakemake, tmp_path):
    weights = ["--configfile", ROOT / "config.yaml", ROOT / "workflow" / "configs" / "weights.yaml"]
    jobs = planned(tmp_path, *weights)
    expected = {"synthesize": 1, "images_shard": 12, "parts_shard": 12, "train_experiment": 1, "report": 1}
    assert {name: jobs[name] for name in expected} == expected and jobs["evaluate_experiment"] == 2
    listing = snakemake(tmp_path, "--dry-run", *weights)
    assert "Training small" in listing and "Training tiny" not in listing


def test_each_target_plans_what_it_needs_and_no_more(planned, tmp_path):
    always = {"settings", "synthesize", "check_split"}
    needs = {
        "check": always,
        "index": always | {"index_split"},
        "images": always | {"index_split", "images_shard"},
        # The contact sheet lays masks over images.
        "parts": always | {"index_split", "images_shard", "parts_shard", "contact_sheet"},
        "train": always | {"index_split", "images_shard", "parts_shard", "train_experiment"},
    }
    for target, rules in needs.items():
        assert set(planned(tmp_path, target)) == rules | {target}


def test_the_paper_on_a_folder_in_the_release_layout(planned, snakemake, tiny_release, tmp_path):
    overlay = ["--configfile", PAPER, "--config", f"data={{root: {tiny_release}}}"]
    jobs = planned(tmp_path / "run", *overlay)
    assert "synthesize" not in jobs
    assert jobs["images_shard"] == jobs["parts_shard"] == 3 * 64
    assert jobs["train_experiment"] == 1 and jobs["evaluate_experiment"] == 4
    listing = snakemake(tmp_path / "run", "--dry-run", *overlay)
    assert "Training digit" in listing and "Training tiny" not in listing


def test_given_weights_need_neither_training_nor_its_data(planned, tiny_release, tmp_path):
    released = ROOT / "workflow" / "configs" / "released.yaml"
    weights = tmp_path / yaml.safe_load(released.read_text())["experiments"]["released"]["load_ckpt"]
    weights.parent.mkdir(parents=True)
    weights.touch()
    jobs = planned(tmp_path, "--configfile", PAPER, released, "--config", f"data={{root: {tiny_release}}}")
    assert jobs["adopt_weights"] == 1 and "train_experiment" not in jobs
    assert jobs["index_split"] == jobs["check_split"] == 2 and jobs["images_shard"] == 2 * 64
    assert jobs["evaluate_experiment"] == 4


def test_given_weights_and_a_training_stand_side_by_side(planned, tmp_path):
    experiments = "experiments={given: {preset: tiny, load_ckpt: weights.pt}}"
    (tmp_path / "weights.pt").touch()
    jobs = planned(tmp_path, "--configfile", ROOT / "config.yaml", "--config", experiments)
    assert jobs["adopt_weights"] == jobs["train_experiment"] == 2 and jobs["evaluate_experiment"] == 16


def test_given_weights_that_are_missing_are_named_by_the_plan(planned, snakemake, tmp_path):
    experiments = ["--configfile", ROOT / "config.yaml", "--config", "experiments={given: {load_ckpt: absent.pt}}"]
    output = snakemake(tmp_path, "--dry-run", *experiments, fails=True)
    assert re.search(r"Missing input files for rule adopt_weights:(.|\n)*experiment=given\n.*\n *absent\.pt\n", output)
    assert "Traceback" not in output
    assert planned(tmp_path, *experiments, "--", "check")["check_split"] == 3


def test_real_data_that_are_missing_are_left_for_check_to_name(planned, tmp_path):
    jobs = planned(tmp_path, "--configfile", PAPER, "--config", "data={root: nowhere}", "--", "check")
    assert jobs["check_split"] == 3


def test_a_misspelt_key_stops_before_anything_runs(snakemake, tmp_path):
    output = snakemake(tmp_path, "--config", "data={shrads: 3}", fails=True)
    assert "data.shrads: unknown key; did you mean 'shards'?" in output
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()


def test_two_mistakes_are_both_named(snakemake, tmp_path):
    output = snakemake(tmp_path, "--config", "data={shards: 0}", "evaluate={split: [val]}", fails=True)
    assert "data.shards: 0 is less than the minimum" in output and "did you mean 'splits'?" in output


def test_a_key_that_comes_twice_stops_the_workflow(snakemake, tmp_path):
    """Snakemake itself would keep the last in silence."""
    (tmp_path / "my.yaml").write_text("run: {name: a}\nrun: {seed: 2}\n")
    said = snakemake(tmp_path, "--dry-run", "--configfile", tmp_path / "my.yaml", fails=True)
    assert "my.yaml: is not valid YAML, line 2, column 1: the key 'run' comes twice" in said
