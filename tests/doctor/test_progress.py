"""How far a run is, what is locked, and what the logs end with."""

import subprocess
import sys
from pathlib import Path

import pytest

from digit.doctor.progress import error_facts, last_error, lock_facts, progress_facts
from digit.run.layout import Layout

ROOT = Path(__file__).parents[2]


def told(facts):
    return {fact.name: fact.value for fact in facts}


def test_a_run_that_has_not_begun(tiny_release, run_config):
    assert "does not exist yet" in told(progress_facts(run_config(tiny_release)))["run"]


@pytest.fixture
def prepared(tiny_release, run_config):
    """A run's configuration and layout, with empty files as the stages would leave them."""
    experiments = {"tiny": {"preset": "tiny"}, "wide": {"preset": "tiny"}}
    config = run_config(tiny_release, experiments=experiments, evaluate={"splits": ["test"]})
    layout = Layout.of(config)
    files = [layout.train(name) / file for name in experiments for file in ("best.ckpt", "history.csv")]
    for split in ("train", "val", "test"):
        files += [layout.index(split) / "rows.npy"]
        files += [path for shard in range(2) for path in (layout.images(split, shard), layout.parts(split, shard))]
    files += [layout.evaluation(name, "test", r) / "metrics.json" for name in experiments for r in ("rootnet", "gt")]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (layout.train("tiny") / "history.csv").write_text("epoch,step\n1,4\n2,8\n")
    return config, layout


def test_a_run_that_is_prepared_trained_and_evaluated(prepared):
    config, _ = prepared
    facts = told(progress_facts(config))
    assert facts["index"] == facts["images"] == "train, val, test"
    assert facts["train tiny"] == "finished (epoch 2)"
    assert facts["evaluate wide"] == "2 of 2: test-rootnet, test-gt"
    assert facts["check"] == "nothing yet" and facts["report"] == "not written"


def test_a_run_in_the_middle(prepared):
    config, layout = prepared
    layout.parts("val", 1).unlink()
    (layout.train("wide") / "best.ckpt").unlink()
    state = layout.train("wide") / ".progress" / "0123abcde"
    state.mkdir(parents=True)
    (state / "resume.ckpt").touch()
    facts = told(progress_facts(config))
    assert facts["parts"] == "train, val (1 of 2), test"
    assert facts["train wide"] == "not finished, unfinished state 0123abcde"


def test_locks_that_are_held(tiny_release, run_config, tmp_path):
    config = run_config(tiny_release)
    lock, state = Path(config.run.folder) / "run/.locks/train/tiny", tmp_path / ".snakemake"
    assert told(lock_facts(config, state))["outputs that a process is writing"] == "none"
    code = "import sys; from pathlib import Path; from digit.run.processes import only_writer\n"
    code += f"with only_writer(Path({str(lock)!r})):\n    print('held', flush=True)\n    sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=-1, stdout=-1) as holder:
        assert holder.stdout.readline()
        assert told(lock_facts(config, state))["outputs that a process is writing"] == "train/tiny"
        holder.stdin.close()
    (state / "locks").mkdir(parents=True)
    (state / "locks" / "0.output.lock").touch()
    facts = {fact.name: fact for fact in lock_facts(config, state)}
    assert facts["outputs that a process is writing"].value == "none"
    assert facts["Snakemake's lock"].value == "set" and "--unlock" in facts["Snakemake's lock"].remedy


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("12:00:00 INFO fine\n", None),
        ("", None),
        (
            "12:00:00 INFO so\ndigit: a.yaml has 1 problem:\n  - x: wrong\n",
            "digit: a.yaml has 1 problem: - x: wrong",
        ),
        ("Traceback (most recent call last):\n  File\nKeyError: 'x'\n", "a defect of digit: KeyError: 'x'"),
    ],
)
def test_the_last_words_of_a_log(tiny_release, run_config, log, words):
    config = run_config(tiny_release)
    path = Path(config.run.folder) / "run/logs/index/val.log"
    path.parent.mkdir(parents=True)
    path.write_text(log)
    assert last_error(path) == words
    assert told(error_facts(config)) == ({"log index/val.log": words} if words else {})
