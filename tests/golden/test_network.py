"""The network of preset ``paper`` against the reference implementation: keys, forward pass, losses, gradients."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from digit.config import LossSettings, ModelSettings
from digit.model.losses import digit_losses
from digit.model.weights import PREFIX, build_model

GOLDEN = Path(os.environ.get("DIGIT_GOLDEN") or Path(__file__).parent)
SHAPES = json.loads((GOLDEN / "state_dict_shapes.json").read_text())
SEED = json.loads((GOLDEN / "meta.json").read_text())["seed"]


def relative_error(value: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.abs(value.numpy() - expected).max() / np.abs(expected).max())


def test_keys_and_shapes_are_those_of_the_released_weights(state):
    model = build_model(ModelSettings(), state, "golden filling")
    ours = {PREFIX + key: list(tensor.shape) for key, tensor in model.state_dict().items()}
    assert ours == SHAPES
    assert sum(tensor.numel() for tensor in model.state_dict().values()) == pytest.approx(40.77e6, rel=1e-3)


def test_forward_pass_equals_the_reference(state):
    model = build_model(ModelSettings(), state, "golden filling")
    expected = np.load(GOLDEN / "model_eval.npz")
    images = np.random.default_rng(SEED).random((2, 3, 256, 256), dtype=np.float32)
    with torch.inference_mode():
        prediction = model(torch.from_numpy(images))
    assert relative_error(prediction.joint_xyz[..., :2], expected["joint_xy"]) <= 1e-4
    assert relative_error(prediction.joint_xyz[..., 2], expected["zval"]) <= 1e-4
    assert relative_error(prediction.rel_root_depth, expected["rel_root_depth_out"]) <= 1e-4
    assert relative_error(prediction.hand_logits, expected["hand_type"]) <= 1e-4
    assert relative_error(prediction.segm_logits[:, :, ::8, ::8], expected["segm_logits_every_8th"]) <= 1e-4
    labels = prediction.segm_logits.argmax(1)[:, ::4, ::4].numpy()
    np.testing.assert_array_equal(labels, expected["segm_mask_every_4th"])


@pytest.fixture
def two_threads():
    """Sums depend on how threads share them; the vectors were measured with more than one (docs/decisions/0008)."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_training_losses_equal_the_reference(state, golden_val_batch):
    model = build_model(ModelSettings(), state, "golden filling").train()
    images, batch = golden_val_batch
    losses = digit_losses(model(images.contiguous()), batch, LossSettings())  # other layouts sum in another order
    total = torch.stack(list(losses.values())).sum()
    expected = json.loads((GOLDEN / "model_train_losses.json").read_text())
    for name, value in losses.items():
        assert value.item() == pytest.approx(expected[f"loss_{name}"], rel=1e-3)
    assert total.item() == pytest.approx(expected["total"], rel=1e-3)
    total.backward()
    parameters = {PREFIX + name: parameter for name, parameter in model.named_parameters()}
    for key in (key for key in expected if key.startswith("gradnorm/")):
        assert parameters[key.removeprefix("gradnorm/")].grad.norm().item() == pytest.approx(expected[key], rel=1e-3)
