"""The ablations: each experiment changes one thing, small and at the paper's size, and all are planned."""

from pathlib import Path

from digit.config import load_config, to_dict

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "workflow" / "configs"
CHANGES = {
    "digit": {},
    "no_segmentation": {"model.fusion": "features"},
    "softmax": {"model.fusion": "softmax"},
    "argmax": {"model.fusion": "argmax"},
    "gt_mask": {"model.fusion": "gt_mask"},
    "internet": {"model.architecture": "internet"},
}
SMALL = (ROOT / "config.yaml", CONFIGS / "ablations.yaml")
SEEDS = (*SMALL, CONFIGS / "ablations_seeds.yaml")
LARGE = (ROOT / "config.yaml", *(CONFIGS / f"{name}.yaml" for name in ("paper", "ablations", "ablations_paper")))


def flat(settings, prefix=""):
    found = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def changes(config):
    every = {name: flat(to_dict(experiment)) for name, experiment in config.experiments.items()}
    assert next(iter(every)) == "digit", "the report compares with the first one"
    return {n: {k: v for k, v in settings.items() if v != every["digit"][k]} for n, settings in every.items()}


def test_each_small_experiment_changes_one_thing():
    config = load_config(*SMALL)
    assert changes(config) == CHANGES
    assert {experiment.preset for experiment in config.experiments.values()} == {"tiny"}


def test_further_seeds_change_nothing_else():
    found = changes(load_config(*SEEDS))
    for name, changed in CHANGES.items():
        again = {f"{name}_seed{seed}": changed | {"training.seed": seed} for seed in (2, 3)}
        assert {key: found.pop(key) for key in again} == again and found.pop(name) == changed
    assert not found


def test_at_the_papers_size_it_is_the_papers_recipe():
    config = load_config(*LARGE)
    expected = CHANGES | {"internet": CHANGES["internet"] | {"model.pretrained": "torchvision"}}
    assert changes(config) == expected
    assert config.experiments["digit"] == load_config(*LARGE[:2]).experiments["digit"]


def test_one_command_plans_all_of_them(planned, tmp_path):
    jobs = planned(tmp_path, "--configfile", *SMALL)
    assert jobs["train_experiment"] == jobs["evaluate_experiment"] == 6 and jobs["report"] == 1
