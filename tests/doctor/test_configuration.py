"""What is configured, and what is missing."""

from pathlib import Path

from digit.config import load_config
from digit.doctor.configuration import configuration_facts


def test_missing_files_are_named_with_what_to_do(tiny_release, run_config):
    (tiny_release / "annotations/val/InterHand2.6M_val_camera.json").unlink()
    (tiny_release / "rootnet_output/rootnet_interhand2.6m_output_test.json").unlink()
    config = run_config(tiny_release, data={"hand_model": "data/mano"}, experiments={"one": {"preset": "tiny"}})
    facts = {fact.name: fact for fact in configuration_facts(config, [Path("config.yaml")])}
    assert facts["data.root"].value.endswith("is there") and not facts["data.root"].remedy
    assert facts["data.hand_model"].value == "data/mano is MISSING" and facts["data.hand_model"].remedy
    assert facts["annotations of val"].value == "3 of 4 files; missing: InterHand2.6M_val_camera.json"
    assert not facts["annotations of train"].remedy
    assert facts["RootNet's results for test"].value == "missing"
    assert "preset tiny, hrnet_w18_small, 22 epochs" in facts["experiment one"].value


def test_a_run_without_experiments(tiny_release, run_config):
    facts = {fact.name: fact.value for fact in configuration_facts(run_config(tiny_release), [])}
    assert facts["experiments"] == "none"


def test_nothing_of_the_repositorys_own_configuration_is_missing():
    path = Path(__file__).parents[2] / "config.yaml"
    facts = list(configuration_facts(load_config(path), [path]))
    assert len(facts) >= 5 and not [fact.name for fact in facts if fact.remedy]
