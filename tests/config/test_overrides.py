"""Flags of `digit train` and `digit evaluate`: each is a key, and each is read."""

import pytest

from digit.config import resolve
from digit.config.overrides import with_evaluation_switches, with_training_switches
from digit.run.errors import UserError

CONFIG = resolve({"experiments": {"digit": {"preset": "paper"}, "other": {"preset": "tiny"}}})


def test_the_originals_switches_are_keys():
    words = "--trainsplit minitrain --valsplit minival --iter_batch 8 --batch-size 32 --precision bf16 --lr 1e-3 "
    words += "--eval_every_epoch 1 --lr_dec_epoch 20-30 --lr_decay 0.5 --max_epoch 31 --num_workers 0 --seed 3 "
    words += "--gpu_ids 1,3 --resume_ckpt b.ckpt --nodes 2"
    experiment = with_training_switches(CONFIG, "digit", words.split()).experiments["digit"]
    training = experiment.training
    assert (training.trainsplit, training.valsplit, training.batch_size, training.iter_batch) == (
        "minitrain", "minival", 32, 8
    )  # fmt: skip
    assert training.lr == 1e-3 and training.lr_dec_epoch == (20, 30) and training.precision == "bf16"
    assert training.gpu_ids == (1, 3) and training.devices == 2 and training.nodes == 2
    assert training.resume_ckpt == "b.ckpt"
    assert with_training_switches(CONFIG, "digit", ["--load_ckpt", "c.pt"]).experiments["digit"].load_ckpt == "c.pt"
    assert with_training_switches(CONFIG, "digit", []) == CONFIG
    assert with_training_switches(CONFIG, "digit", words.split()).experiments["other"] == CONFIG.experiments["other"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lrr", "1"], "--lrr: is no key of experiments.digit.training; flags are: --trainsplit"),
        (["--min_epoch", "1"], "--min_epoch: is no key"),
        (["--lr"], "expected flags with values"),
        (["lr", "1"], "expected flags with values"),
        (["--lr", "fast"], r"training\.lr: 'fast' is not of type 'number'"),
        (["--lr="], r"training\.lr: '' is not of type 'number'"),
        (["--gpu_ids", "a"], r"gpu_ids"),
        (["--lr", "1e-3", "--lr", "2e-3"], "^--lr: is given more than once"),
        (["--batch_size", "32", "--batch-size=16"], "^--batch_size: is given more than once"),
    ],
)
def test_flags_that_mean_nothing_are_errors(words, message):
    with pytest.raises(UserError, match=message):
        with_training_switches(CONFIG, "digit", words)


@pytest.mark.parametrize("value", ["1e-4", "0.0001", "1E-4", "2e-3", "3e-3"])
def test_a_sweep_over_values_may_meet_that_of_the_configuration(value):
    """`--lr 2e-3` was an error where the configuration says 2e-3 already, so a sweep broke on one of its values."""
    words = ["--lr", value, "--batch_size=64", "--lr_dec_epoch", "40", "--gpu_ids", "0", "--devices", "1"]
    training = with_training_switches(CONFIG, "digit", words).experiments["digit"].training
    assert (training.lr, training.batch_size, training.lr_dec_epoch) == (float(value), 64, (40,))


@pytest.mark.parametrize(
    ("words", "unread", "reason"),
    [
        ("--schedule one_cycle --warm_up_steps 7", "warm_up_steps 7", "with schedule one_cycle"),
        ("--schedule one_cycle --lr_dec_epoch 1,9", "lr_dec_epoch 1,9", "with schedule one_cycle"),
        ("--lr_decay 0.5 --schedule one_cycle", "lr_decay 0.5", "with schedule one_cycle"),
        ("--schedule constant --lr_decay 0.5", "lr_decay 0.5", "with schedule one_cycle or constant"),
        ("--decay_epochs 3", "decay_epochs 3", "without schedule constant"),
        ("--lr_dec_epoch 20,50", "lr_dec_epoch 20,50", "from max_epoch on"),
        ("--max_epoch 40 --lr_decay 0.5", "lr_decay 0.5", "without an lr_dec_epoch before max_epoch"),
        ("--iter_batch 65", "iter_batch 65", "above a process's share of the batch"),
        ("--iter_batch 16 --devices 4 --nodes 2", "iter_batch 16", "above a process's share of the batch"),
        ("--schedule one_cycle --warm_up_steps 0", "warm_up_steps 0", "with schedule one_cycle"),
        ("--load_ckpt F --lr 1e-4", "lr 1e-4", "with load_ckpt, which takes weights as they are"),
        ("--load_ckpt F --lr 0.7", "lr 0.7", "with load_ckpt, which takes weights as they are"),
        ("--load_ckpt F --num_workers 0", "num_workers 0", "with load_ckpt, which takes weights as they are"),
        ("--load_from F --resume_ckpt G", "load_from F", "with resume_ckpt, which brings weights of its own"),
    ],
)
def test_flags_that_the_training_does_not_read_are_errors(words, unread, reason):
    with pytest.raises(UserError, match=f"^--{unread}: has no effect {reason}.*; leave it out$"):
        with_training_switches(CONFIG, "digit", words.split())


def test_the_same_contradictions_in_a_configuration_are_none():
    training = {"schedule": "one_cycle", "warm_up_steps": 7, "max_epoch": 3, "iter_batch": 99, "batch_size": 8}
    config = resolve({"experiments": {"digit": {"training": training, "load_ckpt": "F"}}})
    changed = with_training_switches(config, "digit", ["--load_ckpt", "G"])
    assert changed.experiments["digit"].training == config.experiments["digit"].training


@pytest.mark.parametrize("words", [["--devices", "3", "--gpu_ids", "0,1"], ["--gpu_ids", "0,1", "--devices", "3"]])
def test_devices_beside_gpu_ids_are_kept_for_training_to_compare(words):
    assert with_training_switches(CONFIG, "digit", words).experiments["digit"].training.devices == 3


def test_values_may_follow_an_equals_sign():
    words = ["--lr=1e-3", "--load-from=a=b.pt", "--lr_dec_epoch="]
    training = with_training_switches(CONFIG, "digit", words).experiments["digit"].training
    assert (training.lr, training.load_from, training.lr_dec_epoch) == (1e-3, "a=b.pt", ())


def test_evaluation_has_flags_too():
    assert with_evaluation_switches(CONFIG, ["--batch_size", "7", "--bootstrap", "0"]).evaluate.batch_size == 7
    with pytest.raises(UserError, match="is no key of evaluate; flags are: --bootstrap, --batch_size, --num_workers"):
        with_evaluation_switches(CONFIG, ["--lr", "1"])
    same = with_evaluation_switches(CONFIG, ["--bootstrap", str(CONFIG.evaluate.bootstrap), "--batch_size=8"])
    assert same.evaluate.bootstrap == CONFIG.evaluate.bootstrap and same.evaluate.batch_size == 8
