"""Losses against their definitions on hand-made numbers."""

import pytest
import torch

from digit.config import LossSettings
from digit.model.losses import bone_loss, digit_losses
from digit.model.network import Prediction
from digit.skeleton import JOINT_COUNT, LABEL_COUNT


def example(batch=2):
    torch.manual_seed(0)
    targets = {
        "joint_coord": torch.rand(batch, JOINT_COUNT, 3) * 16,
        "joint_valid": torch.ones(batch, JOINT_COUNT),
        "rel_root_depth": torch.full((batch, 1), 30.0),
        "root_valid": torch.ones(batch, 1),
        "hand_type": torch.tensor([[1.0, 0.0]] * batch),
        "hand_type_valid": torch.ones(batch, 1),
        "segm": torch.zeros(batch, 4, 4, dtype=torch.uint8),
        "segm_valid": torch.ones(batch),
    }
    perfect = Prediction(
        targets["joint_coord"].clone(),
        targets["rel_root_depth"].clone(),
        torch.tensor([[50.0, -50.0]] * batch),
        torch.nn.functional.one_hot(targets["segm"].long(), LABEL_COUNT).permute(0, 3, 1, 2) * 100.0,
        torch.ones(batch, JOINT_COUNT),
    )
    return perfect, targets


def test_a_perfect_prediction_costs_nothing():
    prediction, targets = example()
    for value in digit_losses(prediction, targets, LossSettings()).values():
        assert value.item() == pytest.approx(0, abs=1e-6)


def test_a_known_error_costs_what_the_definition_says():
    prediction, targets = example()
    shifted = prediction.joint_xyz.clone()
    shifted[0, 0, 0] += 3.0
    wrong = prediction._replace(joint_xyz=shifted, rel_root_depth=prediction.rel_root_depth + 2)
    losses = digit_losses(wrong, targets, LossSettings(joint=1, rel_root_depth=0.5, bone=0.1))
    assert losses["joint"].item() == pytest.approx(3 / (2 * 42 * 3))
    assert losses["rel_root_depth"].item() == pytest.approx(0.5 * 2)
    assert losses["bone"].item() == pytest.approx(0.1 * 9 / (2 * 20 * 3), rel=1e-5)


def test_what_is_not_valid_does_not_count():
    prediction, targets = example()
    noise = Prediction(*(value + 5 for value in prediction))
    nothing = {name: value * 0 if name.endswith("valid") else value for name, value in targets.items()}
    assert sum(value.item() for value in digit_losses(noise, nothing, LossSettings()).values()) == 0


def test_a_bone_needs_both_ends():
    xyz, valid = torch.zeros(1, JOINT_COUNT, 3), torch.ones(1, JOINT_COUNT)
    moved = xyz.clone()
    moved[0, 0] += 1.0
    valid[0, 1] = 0
    assert bone_loss(moved, xyz, valid).item() == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3e38])
def test_what_is_not_valid_may_be_anything(value):
    prediction, targets = example()
    learnt = Prediction(*((tensor + 1).requires_grad_() for tensor in prediction))
    targets["joint_valid"][:, 21:] = targets["root_valid"][:] = 0
    spoilt = targets | {"joint_coord": targets["joint_coord"].clone(), "rel_root_depth": targets["rel_root_depth"] * 0}
    spoilt["joint_coord"][:, 21:] = spoilt["rel_root_depth"][:] = value
    losses = digit_losses(learnt, targets, LossSettings())
    assert {name: loss.item() for name, loss in digit_losses(learnt, spoilt, LossSettings()).items()} == {
        name: loss.item() for name, loss in losses.items()
    }
    sum(digit_losses(learnt, spoilt, LossSettings()).values()).backward()
    assert all(tensor.grad.isfinite().all() for tensor in learnt[:-1])  # confidence is in no loss
