"""The paper's configuration: every value of its recipe is visible, explained and the preset's, and is planned right."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from digit.config import SPLITS, Experiment, load_config, to_dict
from digit.run.layout import ANNOTATION_KINDS, ROOTNET_FILES, annotation_path

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "workflow" / "configs" / "paper.yaml"
RELEASED_SWITCHES = ("load_ckpt",)
"""Keys of an experiment that belong to given weights, not to a training."""


@pytest.fixture
def release(tmp_path) -> Path:
    """A folder with the names of the real release; planning does not read what is inside."""
    root = tmp_path / "InterHand2.6M"
    files = [annotation_path(root, split, kind) for split in SPLITS for kind in ANNOTATION_KINDS]
    files += [root / "rootnet_output" / names[0] for names in ROOTNET_FILES.values()]
    files += [root / "annotations" / name for name in ("skeleton.txt", "subject.txt")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    (root / "images").mkdir()
    return root


def test_the_whole_run_is_planned_with_the_right_jobs(planned, release, tmp_path):
    jobs = planned(tmp_path / "run", "--configfile", PAPER, "--config", f"data={{root: {release}}}")
    assert jobs == {
        "settings": 7,
        "check_split": 3,
        "index_split": 3,
        "images_shard": 3 * 64,
        "parts_shard": 3 * 64,
        "contact_sheet": 3,
        "train_experiment": 1,
        "evaluate_experiment": 4,
        "report": 1,
        "all": 1,
    }


def test_every_key_of_the_recipe_is_written_down():
    written = yaml.safe_load(PAPER.read_text())
    experiment = written["experiments"]["digit"]
    expected = [field.name for field in dataclasses.fields(Experiment) if field.name not in RELEASED_SWITCHES]
    assert list(experiment) == expected
    for section in ("model", "augment", "losses", "training"):
        assert set(experiment[section]) == set(to_dict(Experiment())[section]), section


def test_what_is_written_down_is_the_preset():
    written = yaml.safe_load(PAPER.read_text())["experiments"]["digit"]
    preset = to_dict(Experiment())
    assert written["model"].pop("pretrained") == "timm" and preset["model"].pop("pretrained") is None
    for section in ("model", "augment", "losses", "training"):
        assert written[section] == preset[section], section


def test_the_published_recipe():
    experiment = load_config(ROOT / "config.yaml", PAPER).experiments["digit"]
    training = experiment.training
    assert (training.max_epoch, training.batch_size, training.iter_batch) == (50, 64, 32)
    assert (training.optimizer, training.lr, training.lr_dec_epoch, training.lr_decay) == ("adam", 1e-4, (40,), 0.1)
    assert (training.precision, training.seed, training.eval_every_epoch) == ("16", 1, 2)
    assert (experiment.losses.segm, experiment.losses.bone, experiment.model.fusion) == (10.0, 0.1, "logits")
    assert load_config(ROOT / "config.yaml", PAPER).evaluate.root_depth[0] == "rootnet"


def test_every_line_is_explained():
    """Each value stands under a comment of its own or in a block of consecutive values that one comment opens."""
    lines = PAPER.read_text().splitlines()
    bare = [number for number, line in enumerate(lines) if re.match(r"^ +\w+: \S", line)]
    for number in bare:
        above = number - 1
        indent = _indent(lines[number])
        while lines[above].strip() and not lines[above].lstrip().startswith("#") and _indent(lines[above]) == indent:
            above -= 1
        assert lines[above].lstrip().startswith("#"), f"line {number + 1}: {lines[number].strip()}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def test_the_unnormalised_input_is_told():
    assert "RGB / 255" in PAPER.read_text()


def test_no_value_hides_in_another_file():
    """Beyond this file config.yaml gives the size of the embedded data, the mirrors, and where results go."""
    written, base = (yaml.safe_load(path.read_text()) for path in (PAPER, ROOT / "config.yaml"))
    hidden = {
        f"{section}.{key}"
        for section, values in base.items()
        if section not in ("synthetic", "experiments")
        for key in values
        if key not in written.get(section, {})
    }
    assert hidden == {"run.folder", "data.mirrors"}
