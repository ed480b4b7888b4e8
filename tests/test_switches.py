"""Flags of `digit train` and `digit evaluate`: each is a key, each has a consequence."""

import pytest

from digit.config import resolve
from digit.errors import UserError
from digit.switches import with_evaluation_switches, with_training_switches

CONFIG = resolve({"experiments": {"digit": {"preset": "paper"}, "other": {"preset": "tiny"}}})


def test_the_originals_switches_are_keys():
    words = "--trainsplit minitrain --valsplit minival --iter_batch 16 --batch-size 32 --precision bf16 --lr 1e-3 "
    words += "--eval_every_epoch 1 --lr_dec_epoch 20-30 --lr_decay 0.5 --max_epoch 2 --num_workers 0 --seed 3 "
    words += "--gpu_ids 1,3 --load_from a.pt --resume_ckpt b.ckpt --load_ckpt c.pt --nodes 2"
    experiment = with_training_switches(CONFIG, "digit", words.split()).experiments["digit"]
    training = experiment.training
    assert (training.trainsplit, training.valsplit, training.batch_size, training.iter_batch) == (
        "minitrain", "minival", 32, 16
    )  # fmt: skip
    assert training.lr == 1e-3 and training.lr_dec_epoch == (20, 30) and training.precision == "bf16"
    assert training.gpu_ids == (1, 3) and training.devices == 2 and training.nodes == 2
    assert (training.load_from, training.resume_ckpt, experiment.load_ckpt) == ("a.pt", "b.ckpt", "c.pt")
    assert with_training_switches(CONFIG, "digit", []) == CONFIG
    assert with_training_switches(CONFIG, "digit", words.split()).experiments["other"] == CONFIG.experiments["other"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lr", "1e-4"], "--lr 1e-4: changes nothing"),
        (["--lrr", "1"], "--lrr: is no key of experiments.digit.training; flags are: --trainsplit"),
        (["--min_epoch", "1"], "--min_epoch: is no key"),
        (["--lr"], "expected flags with values"),
        (["lr", "1"], "expected flags with values"),
        (["--lr", "fast"], r"training\.lr: 'fast' is not of type 'number'"),
        (["--gpu_ids", "a"], r"gpu_ids"),
    ],
)
def test_flags_that_mean_nothing_are_errors(words, message):
    with pytest.raises(UserError, match=message):
        with_training_switches(CONFIG, "digit", words)


def test_evaluation_has_flags_too():
    assert with_evaluation_switches(CONFIG, ["--batch_size", "7", "--bootstrap", "0"]).evaluate.batch_size == 7
    with pytest.raises(UserError, match="is no key of evaluate; flags are: --bootstrap, --batch_size, --num_workers"):
        with_evaluation_switches(CONFIG, ["--lr", "1"])
    with pytest.raises(UserError, match="changes nothing"):
        with_evaluation_switches(CONFIG, ["--bootstrap", "1000"])
