"""Running the network: input conversion, part overlap, batch-norm statistics."""

import numpy as np
import pytest
import torch

from digit.config import resolve
from digit.model import inference
from digit.model.digit import Digit

TINY = resolve({"experiments": {"tiny": {"preset": "tiny"}}}).experiments["tiny"].model
CPU = torch.device("cpu")


def made_up_batch(seed, size=4, bright=1.0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (size, 64, 64, 3), generator=generator)
    return {
        "image": (image * bright).to(torch.uint8),
        "color": torch.ones(size, 3),
        "segm": torch.randint(0, 33, (size, 32, 32), generator=generator, dtype=torch.uint8),
        "segm_valid": torch.tensor([1.0, 0.0] * (size // 2)),
        "inv_trans": torch.zeros(size, 2, 3),
        "row": torch.arange(size) + seed * size,
    }


def test_input_is_coloured_then_clipped_then_divided():
    batch = made_up_batch(0) | {"color": torch.tensor([[1.2, 1.0, 0.8]] * 4)}
    expected = np.clip(batch["image"].numpy() * np.array([1.2, 1.0, 0.8]), 0, 255) / 255
    np.testing.assert_allclose(inference.to_input(batch).permute(0, 2, 3, 1), expected, atol=1e-6)


def test_outputs_join_batches_and_count_only_samples_with_masks():
    model = Digit(TINY).eval()
    batches = [made_up_batch(0), made_up_batch(1)]
    outputs = inference.run(model, batches, CPU)
    np.testing.assert_array_equal(outputs.row, np.arange(8))
    assert outputs.joint_coord.shape == (8, 42, 3) and outputs.hand_type.max() <= 1
    assert outputs.segm_confusion.sum() == 4 * 32 * 32
    assert (outputs.union_px[1::2] == 0).all() and (outputs.union_px[::2].sum(axis=1) > 0).all()
    with torch.inference_mode():
        predicted = model(inference.to_input(batches[0])).segm_logits.argmax(1)[0].numpy()
    truth = batches[0]["segm"][0].numpy()
    for part in range(1, 33):
        assert outputs.overlap_px[0, part - 1] == ((truth == part) & (predicted == part)).sum()
        assert outputs.union_px[0, part - 1] == ((truth == part) | (predicted == part)).sum()


def test_running_keeps_the_mode_of_the_model():
    model = Digit(TINY).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inference.run(model, [made_up_batch(0)], CPU)
    assert model.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_recalibration_gives_the_mean_statistics_and_leaves_weights_alone():
    torch.manual_seed(0)
    model = Digit(TINY).eval()
    weights = {name: value.clone() for name, value in model.named_parameters()}
    batches = [made_up_batch(0), made_up_batch(1, bright=0.5)]
    stem = model.backbone.conv1
    inference.recalibrate_batch_norm(model, batches, CPU)
    with torch.inference_mode():
        means = torch.stack([stem(inference.to_input(batch)).mean((0, 2, 3)) for batch in batches])
    torch.testing.assert_close(model.backbone.bn1.running_mean, means.mean(0), rtol=1e-4, atol=1e-5)
    assert model.backbone.bn1.momentum == pytest.approx(0.1) and not model.training
    for name, value in model.named_parameters():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)
