"""Schema, dataclasses, config.yaml and the keys that each stage reads stay in step."""

import ast
import dataclasses
import typing
from pathlib import Path

import pytest
import yaml

from digit.config import (
    Config,
    Experiment,
    load_config,
    merge,
    resolve,
    to_dict,
    write_schema,
)
from digit.config.loading import SCHEMA_PATH
from digit.config.presets import PRESETS
from digit.run.errors import UserError
from digit.stages.settings import ALWAYS, EXPERIMENT_READS, READS, as_yaml, stage_settings

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "workflow" / "configs" / "paper.yaml"


@pytest.fixture
def demo():
    return load_config(ROOT / "config.yaml")


def test_schema_file_is_the_generated_one(tmp_path):
    write_schema(tmp_path / "schema.yaml")
    assert SCHEMA_PATH.read_text() == (tmp_path / "schema.yaml").read_text(), "run `python -m digit.config`"


def _keys(kind, prefix=""):
    hints = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[item.name]):
            yield from _keys(hints[item.name], f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", item


def test_config_yaml_names_every_key_with_its_default():
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    for key, item in _keys(Config):
        if key == "experiments":
            continue
        section, name = key.split(".")
        default = list(item.default) if isinstance(item.default, tuple) else item.default
        assert name in raw[section], f"config.yaml lacks {key}"
        assert raw[section].pop(name) == default, f"config.yaml and digit/config/settings.py differ in {key}"
    assert not any(raw[section] for section in raw if section != "experiments")


def test_every_key_is_described():
    for kind in (Config, Experiment):
        for key, item in _keys(kind):
            assert len(item.metadata["description"]) > 5, key


def test_presets_are_valid_and_paper_is_the_default():
    tiny = resolve({"experiments": {"a": {"preset": "tiny"}, "b": {}}}).experiments
    assert tiny["b"] == Experiment()
    assert tiny["a"].model.input_size == PRESETS["tiny"]["model"]["input_size"]
    assert tiny["a"].losses.segm == Experiment().losses.segm


def test_paper_config_is_the_papers_recipe():
    config = load_config(ROOT / "config.yaml", PAPER)
    assert list(config.experiments) == ["digit"], "the demo's network does not leak into the paper's run"
    expected = merge(to_dict(Experiment()), {"model": {"pretrained": "timm"}})
    assert to_dict(config.experiments["digit"]) == expected
    training, model = config.experiments["digit"].training, config.experiments["digit"].model
    assert (training.optimizer, training.lr, training.lr_decay, training.lr_dec_epoch) == ("adam", 1e-4, 0.1, (40,))
    assert (training.max_epoch, training.batch_size, training.iter_batch) == (50, 64, 32)
    assert (training.precision, training.seed, training.eval_every_epoch) == ("16", 1, 2)
    assert (model.backbone, model.input_size, model.depth_box_mm) == ("hrnet_w32", 256, 400)
    assert config.data.max_fit_error_mm is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"data": {"shard": 4}}, "data.shard: unknown key; did you mean 'shards'?"),
        ({"dta": {}}, "dta: unknown key; did you mean 'data'?"),
        ({"experiments": {"x": {"training": {"lrr": 1}}}}, "experiments.x.training.lrr: unknown key"),
        ({"data": {"shards": "many"}}, "data.shards: 'many' is not of type 'integer'"),
        ({"data": {"shards": 0}}, "data.shards: 0 is less than the minimum of 1"),
        ({"data": {"source": "interhand"}}, "data.root: missing"),
        ({"experiments": {"a b": {}}}, "experiments.a b: use letters"),
        ({"run": {"name": "a/b"}}, "run.name"),
        ({"run": {"name": ".."}}, "run.name"),
        ({"data": {"max_fit_error_mm": float("inf")}}, "data.max_fit_error_mm: inf"),
        ({"experiments": {"x": {"training": {"lr": float("nan")}}}}, "experiments.x.training.lr: nan"),
    ],
)
def test_mistakes_are_explained(raw, expected):
    with pytest.raises(UserError) as caught:
        resolve(raw, "my.yaml")
    assert "my.yaml cannot be used, it has 1 problem" in str(caught.value)
    assert expected in str(caught.value)


def test_all_mistakes_are_named_at_once():
    with pytest.raises(UserError) as caught:
        resolve({"run": {"sed": 1}, "data": {"shards": 0}, "parts": {"backend": "gl"}})
    assert "3 problems" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.yaml: cannot be read"):
        load_config(tmp_path / "absent.yaml")


def test_later_files_win_and_null_removes_an_experiment(tmp_path):
    (tmp_path / "a.yaml").write_text("run: {name: a, seed: 3}\nexperiments: {x: {}, y: {preset: tiny}}\n")
    (tmp_path / "b.yaml").write_text("run: {name: b}\nexperiments: {x: null}\n")
    config = load_config(tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert (config.run.name, config.run.seed, list(config.experiments)) == ("b", 3, ["y"])


def test_resolved_configuration_resolves_to_itself(demo):
    assert resolve(to_dict(demo)) == demo


def test_stage_settings_are_valid_and_hold_the_values(demo):
    for stage in (*READS, "experiments/finetuned"):
        part = resolve(yaml.safe_load(as_yaml(stage_settings(demo, stage))))
        assert part.run.name == demo.run.name
    experiment = resolve(stage_settings(demo, "experiments/finetuned"))
    assert experiment.experiments["finetuned"] == demo.experiments["finetuned"]
    assert resolve(stage_settings(demo, "report")) == demo


def test_stage_settings_of_one_experiment_ignore_the_others():
    one = resolve({"experiments": {"a": {}}})
    two = resolve({"experiments": {"a": {}, "b": {"preset": "tiny"}}, "evaluate": {"bootstrap": 5}})
    assert stage_settings(one, "experiments/a") == stage_settings(two, "experiments/a")
    assert stage_settings(one, "evaluate") != stage_settings(two, "evaluate")


def test_unknown_stage_is_explained(demo):
    for stage in ("tren", "experiments/absent"):
        with pytest.raises(UserError, match="no such stage or experiment; choose one of synthesize"):
            stage_settings(demo, stage)


def _keys_read(path: Path) -> set[str]:
    """Every ``config.<section>.<key>`` in a module, where ``config`` is the whole configuration."""
    tree = ast.parse(path.read_text())
    found = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {".".join(chain.split(".")[1:3]) for chain in found if chain.startswith("config.")}


@pytest.mark.parametrize("stage", [*READS, "train"])
def test_stages_read_only_the_keys_that_rerun_them(stage):
    """A key that a stage reads but does not list would silently have its default value there."""
    module = ROOT / "digit" / "stages" / f"{stage}.py"
    if not module.exists():
        pytest.skip(f"no {module.name} yet")
    helpers = [ROOT / "digit" / "samples" / "opening.py"] if stage in ("train", "evaluate") else []
    listed = (*ALWAYS, *READS.get(stage, EXPERIMENT_READS))
    if stage in ("train", "evaluate"):  # they are handed the experiment's settings too
        listed += ("experiments",)
    found = set().union(*(_keys_read(path) for path in (module, *helpers)))
    keys = {key for key in found if "." in key or key in Config.__dataclass_fields__}
    keys -= {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    unlisted = {key for key in keys if key not in listed and key.split(".")[0] not in listed}
    assert not unlisted, f"list them in digit/stages/settings.py: {unlisted}"


def test_paths_depend_on_the_always_listed_keys_only():
    for module in ("run/layout.py", "release/interhand.py"):
        assert _keys_read(ROOT / "digit" / module) <= set(ALWAYS) | {"data", "run"}


def test_text_from_the_command_line_becomes_what_the_key_expects():
    raw = {
        "run": {"name": "7", "seed": "7"},
        "data": {"shards": "4", "max_fit_error_mm": "null", "root": "null", "hand_model": "open"},
        "experiments": {"a": "null", "b": {"training": {"lr": "1e-3", "precision": "32", "lr_dec_epoch": ["3", "4"]}}},
        "evaluate": {"splits": ["val"]},
    }
    config = resolve(raw)
    assert (config.run.name, config.run.seed, config.data.shards) == ("7", 7, 4)
    assert config.data.max_fit_error_mm is None and config.data.root is None
    assert list(config.experiments) == ["b"]
    training = config.experiments["b"].training
    assert (training.lr, training.precision, training.lr_dec_epoch) == (1e-3, "32", (3, 4))
    with pytest.raises(UserError, match="'many' is not of type 'integer'"):
        resolve({"data": {"shards": "many"}})
