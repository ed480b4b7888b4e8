"""The networks of the ablations: what each one sees, what learns from what, and what it cannot do."""

import dataclasses

import pytest
import torch
import torchvision

from digit.config import LossSettings, ModelSettings, resolve
from digit.model import inference
from digit.model.backbone import RESNET_REMEDY, create_resnet
from digit.model.create import create_network
from digit.model.losses import digit_losses
from digit.model.network import expected_voxels, needs_masks, require_images_alone
from digit.model.weights import PREFIX, build_model
from digit.run.errors import UserError

TINY = resolve({"experiments": {"tiny": {"preset": "tiny"}}}).experiments["tiny"].model
VARIANTS = {
    "logits": {},
    "softmax": {"fusion": "softmax"},
    "argmax": {"fusion": "argmax"},
    "features": {"fusion": "features"},
    "gt_mask": {"fusion": "gt_mask"},
    "internet": {"architecture": "internet"},
}
DRAWS_NO_PARTS = ("features", "internet")


def network(name: str):
    torch.manual_seed(0)
    made = create_network(dataclasses.replace(TINY, **VARIANTS[name]))
    made.initialize_heads()
    return made


def batch(size=4):
    generator = torch.Generator().manual_seed(1)
    return {
        "image": torch.randint(0, 256, (size, 64, 64, 3), generator=generator, dtype=torch.uint8),
        "color": torch.ones(size, 3),
        "joint_coord": torch.rand(size, 42, 3, generator=generator) * 16,
        "joint_valid": torch.ones(size, 42),
        "rel_root_depth": torch.full((size, 1), 20.0),
        "root_valid": torch.ones(size, 1),
        "hand_type": torch.tensor([[1.0, 0.0]] * size),
        "hand_type_valid": torch.ones(size, 1),
        "segm": torch.randint(0, 33, (size, 32, 32), generator=generator, dtype=torch.uint8),
        "segm_valid": torch.tensor([1.0, 0.0] * (size // 2)),
        "inv_trans": torch.zeros(size, 2, 3),
        "row": torch.arange(size),
    }


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_a_step(name):
    """The loss falls, every parameter gets a gradient: data-parallel training needs both."""
    model, targets = network(name).train(), batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    totals = []
    for _ in range(3):
        prediction = model(*inference.to_inputs(targets, model.settings))
        losses = digit_losses(prediction, targets, LossSettings())
        assert (losses["segm"] == 0) == (name in DRAWS_NO_PARTS)
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        assert [key for key, parameter in model.named_parameters() if parameter.grad is None] == []
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < totals[0]


@pytest.mark.parametrize(
    ("name", "reaches"),
    [("logits", True), ("softmax", True), ("features", True), ("argmax", False), ("gt_mask", False)],
)
def test_the_pose_teaches_the_part_head_only_through_a_soft_mask(name, reaches):
    model = network(name).train()
    prediction = model(*inference.to_inputs(batch(), model.settings))
    (prediction.joint_xyz.sum() + prediction.rel_root_depth.sum() + prediction.hand_logits.sum()).backward()
    gradients = [parameter.grad for parameter in model.hand_segm.parameters()]
    assert [gradient is not None for gradient in gradients] == [reaches] * len(gradients)
    assert all(parameter.grad is not None for parameter in model.conv_segm_feat.parameters())


def test_the_control_without_supervision_has_the_same_layers_and_answers():
    ours, control = network("logits").eval(), network("features").eval()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in control.state_dict().items()}
    images = torch.rand(2, 3, 64, 64)
    one, other = ours(images), control(images)
    torch.testing.assert_close(one.joint_xyz, other.joint_xyz, rtol=0, atol=0)
    assert other.segm_logits is None


def test_a_hard_mask_knows_no_certainty():
    """Logits that keep their order give the same pose."""
    model = network("argmax").eval()
    images = torch.rand(2, 3, 64, 64)
    before = model(images).joint_xyz
    with torch.no_grad():
        last = model.hand_segm.segm_head.segm_net.double_conv[-1]
        last.weight *= 5
        last.bias *= 5
    torch.testing.assert_close(model(images).joint_xyz, before, rtol=0, atol=0)


def test_a_given_mask_counts_and_the_predicted_one_does_not():
    model, targets = network("gt_mask").eval(), batch()
    targets["segm_valid"][:] = 1
    images, masks = inference.to_inputs(targets, model.settings)
    before = model(images, masks).joint_xyz
    assert (model(images, masks.flip(0)).joint_xyz - before).abs().max() > 1e-4
    with torch.no_grad():
        model.hand_segm.segm_head.segm_net.double_conv[-1].bias += torch.randn(33) * 50
    torch.testing.assert_close(model(images, masks).joint_xyz, before, rtol=0, atol=0)
    with pytest.raises(ValueError, match="needs masks"):
        model(images)


def test_an_unknown_mask_is_another_answer_than_background():
    settings, targets = dataclasses.replace(TINY, fusion="gt_mask"), batch()
    targets["segm"][1] = 0
    _, masks = inference.to_inputs(targets, settings)
    assert masks.shape == (4, 33, 32, 32)
    assert (masks[0].sum(0) == 1).all() and torch.equal(masks[0].argmax(0), targets["segm"][0].long())
    assert masks[1].sum() == 0, "not valid"
    assert len(inference.to_inputs(targets, TINY)) == 1


@pytest.mark.parametrize("name", DRAWS_NO_PARTS)
def test_a_network_without_parts_has_no_overlap(name):
    outputs = inference.run(network(name), [batch()], torch.device("cpu"))
    assert outputs.joint_coord.shape == (4, 42, 3)
    assert outputs.segm_confusion.sum() == outputs.union_px.sum() == outputs.overlap_px.sum() == 0


def test_batch_statistics_can_be_recalibrated_with_masks():
    model = network("gt_mask")
    inference.recalibrate_batch_norm(model, [batch()], torch.device("cpu"))
    assert model.merge_layer.inc.double_conv[1].running_mean.abs().sum() > 0


def test_3d_soft_argmax_finds_a_planted_peak():
    logits = torch.zeros(1, 2, 8, 6, 7)
    logits[0, 1, 5, 2, 3] = 60.0
    found, confidence = expected_voxels(logits)
    torch.testing.assert_close(found[0, 1], torch.tensor([3.5, 2.5, 5.5]), atol=1e-4, rtol=0)
    torch.testing.assert_close(found[0, 0], torch.tensor([3.5, 3.0, 4.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(confidence, torch.tensor([[9 / 42, 1.0]]))


def test_internet_starts_in_the_middle_and_fits_its_settings():
    model = network("internet").eval()
    prediction = model(torch.rand(2, 3, 64, 64))
    assert (prediction.joint_xyz - TINY.heatmap_size / 2).abs().max() < 2
    assert [tuple(value.shape) for value in prediction[:3]] == [(2, 42, 3), (2, 1), (2, 2)]
    state = {PREFIX + key: tensor for key, tensor in model.state_dict().items()}
    again = build_model(model.settings, state, "memory")
    torch.testing.assert_close(again(torch.ones(1, 3, 64, 64)), model(torch.ones(1, 3, 64, 64)))


def test_the_papers_internet_has_a_resnet50_and_64_depth_cells():
    with torch.device("meta"):
        model = create_network(ModelSettings(architecture="internet"))
    assert model.conv_heat.out_channels == 42 * 64 and model.root_fc[0].in_features == 2048
    assert model.backbone[-1][-1].conv3.out_channels == 2048


def test_a_resnet_takes_its_imagenet_file(tmp_path):
    whole = torchvision.models.resnet18(weights=None)
    torch.save(whole.state_dict(), tmp_path / "resnet18.pth")
    net, channels, origin = create_resnet("resnet18", str(tmp_path / "resnet18.pth"))
    assert channels == 512 and origin.startswith("resnet18.pth (sha256 ")
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, whole.state_dict()[key], rtol=0, atol=0)
    with pytest.raises(UserError, match="no such file") as caught:
        create_resnet("resnet18", "timm")
    assert RESNET_REMEDY in str(caught.value)


def test_what_does_not_go_together_is_said():
    with pytest.raises(UserError, match=r"model\.fusion: softmax has no meaning"):
        create_network(dataclasses.replace(TINY, architecture="internet", fusion="softmax"))


def test_a_network_that_needs_masks_is_refused_where_there_are_none():
    assert [name for name in VARIANTS if needs_masks(network(name).settings)] == ["gt_mask"]
    with pytest.raises(UserError, match=r"best\.ckpt: this network .*gt_mask"):
        require_images_alone(network("gt_mask"), "best.ckpt")
    require_images_alone(network("logits"), "best.ckpt")
