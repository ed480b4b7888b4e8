"""Four real frames of InterHand2.6M, not part of this repository, through the stages as a user runs them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from digit import geometry, metrics, scoring
from digit.cli import app
from digit.config import load_config, to_dict
from digit.model.digit import Digit
from digit.model.inference import Outputs
from digit.model.weights import PREFIX
from digit.run import provenance
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.index import open_index
from digit.samples.opening import open_dataset
from digit.skeleton import JOINT_HAND
from digit.stages.evaluate import evaluate
from digit.store.shards import Store

FRAMES = Path(__file__).parents[1] / ".." / "shared" / "real_interhand"
PROTOCOL_ORDER = [
    "Capture7/0115_rocker_backside/cam410053/image29590.jpg",
    "Capture4/0007_thumbup_normal/cam410028/image2017.jpg",
    "Capture3/0390_dh_touchROM/cam400026/image69148.jpg",
    "Capture2/0266_dh_pray/cam400012/image44669.jpg",
]
"""Single hands first, each kind in the order of the annotations."""

pytestmark = pytest.mark.skipif(
    not (FRAMES / "image2017.jpg").is_file(),
    reason="the real frames are not on this machine",
)


@pytest.fixture(scope="module")
def config_file(tmp_path_factory) -> Path:
    """A configuration of a run on the frames, laid out as the release is."""
    folder = tmp_path_factory.mktemp("real")
    document = json.loads((FRAMES / "test_interhand2.6m_data.json").read_text())
    for image in document["images"]:
        flat = image["file_name"]
        name = f"Capture{image['capture']}/{image['seq_name']}/cam{image['camera']}/{flat}"
        _copy(FRAMES / flat, folder / "data" / "images" / "test" / name)
        image["file_name"] = name
    _copy_annotations(folder / "data")
    (folder / "data" / "annotations" / "test" / "InterHand2.6M_test_data.json").write_text(json.dumps(document))
    return _write_config(folder)


@pytest.fixture(scope="module")
def prepared(config_file) -> Path:
    """The same after check, index, images and parts."""
    for verb in ("check", "index"):
        digit(verb, "--split", "test", "--config", config_file)
    for verb in ("images", "parts"):
        for shard in range(2):
            digit(verb, "--split", "test", "--shard", shard, "--config", config_file)
    return config_file


def digit(*arguments: object) -> None:
    """Run a verb of the command line; what goes wrong is raised."""
    CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_missing_rootnet_results_are_named_with_what_to_do(config_file, tmp_path):
    both = tmp_path / "both.yaml"
    both.write_text("evaluate: {root_depth: [rootnet, gt]}")
    with pytest.raises(UserError, match=r"rootnet_interhand2\.6m_output_test\.json.*evaluate\.root_depth") as caught:
        digit("check", "--split", "test", "--config", config_file, "--config", both)
    assert "1 problem\n" in str(caught.value)


def test_the_audit_counts_what_is_there_and_says_what_is_not(prepared):
    audit = json.loads(_layout(prepared).check("test").read_text())
    counts = {key: audit[key] for key in ("samples", "single_hand", "interacting", "captures", "frames")}
    assert counts == {"samples": 4, "single_hand": 2, "interacting": 2, "captures": 4, "frames": 4}
    assert audit["release"] == "a subset: 4 of 849,160 images"
    assert audit["images"] == {"missing": 0, "decoded": 4, "damaged": 0, "excluded": {}}
    assert audit["mano"]["left"] == {"shown": 3, "fitted": 0}
    places = {warning["where"].rpartition("/")[2] for warning in audit["warnings"]}
    assert places == {"skeleton.txt", "InterHand2.6M_test_MANO_NeuralAnnot.json", "rootnet_output"}
    assert "root depth" in next(w["remedy"] for w in audit["warnings"] if w["where"] == "rootnet_output")


def test_annotated_joints_lie_in_the_picture_and_in_the_annotated_box(prepared):
    index = open_index(_layout(prepared).index("test"))
    joints_cam_mm = index.camera_joints_mm(np.arange(4))
    joints_px = geometry.project(joints_cam_mm, index.focal_px[index.camera_row], index.princpt_px[index.camera_row])
    np.testing.assert_array_equal(index.joint_valid, index.hand_type[:, JOINT_HAND])
    for row in range(4):
        valid = index.joint_valid[row]
        corner, size = index.box_px[row, :2], index.box_px[row, 2:]
        assert (joints_px[row, valid] > corner).all() and (joints_px[row, valid] < corner + size).all()
        spread = np.ptp(joints_px[row, valid], axis=0)
        assert (spread > 0.7 * size).all(), "the box would be far too large"
        assert (corner > 0).all() and (corner + size < [index.width[row], index.height[row]]).all()
        assert joints_cam_mm[row, valid, 2].min() > 900 and joints_cam_mm[row, valid, 2].max() < 1300


def test_stores_hold_the_files_byte_for_byte_and_no_mask(prepared):
    layout = _layout(prepared)
    images = Store([layout.images("test", shard) for shard in range(2)])
    assert sorted(images.keys()) == sorted(PROTOCOL_ORDER)
    for name in PROTOCOL_ORDER:
        assert images.get(name) == (FRAMES / name.rpartition("/")[2]).read_bytes()
    assert images.excluded() == {}
    assert not len(Store([layout.parts("test", shard) for shard in range(2)]))


def test_the_annotation_itself_scores_zero(prepared):
    config, layout = load_config(prepared), _layout(prepared)
    settings = config.experiments["paper"].model
    dataset, excluded = open_dataset(config, "test", settings, "gt")
    assert excluded == {}
    batch = {name: value.numpy() for name, value in dataset.__getitems__(range(4)).items()}
    index = open_index(layout.index("test"))
    assert index.keys(batch["row"]) == PROTOCOL_ORDER
    assert batch["joint_valid"].sum(axis=1).tolist() == [21, 21, 42, 42] and not batch["segm_valid"].any()
    nothing = np.zeros((4, 32), np.int64)
    outputs = Outputs(
        row=batch["row"],
        joint_coord=batch["joint_coord"],
        rel_root_depth=batch["rel_root_depth"],
        hand_type=batch["hand_type"],
        inv_trans=batch["inv_trans"],
        segm_confusion=np.zeros((33, 33), np.int64),
        overlap_px=nothing,
        union_px=nothing,
    )
    measured = scoring.scalars_of(outputs, index, "gt", metrics.Space.of(settings))
    assert measured["mpjpe_all"] < 0.01 and measured["mrrpe"] < 0.01
    assert measured["handedness_accuracy"] == 1 and measured["pck_auc"] > 0.999


def test_a_network_that_has_learnt_nothing_is_measured(prepared):
    config, layout = load_config(prepared), _layout(prepared)
    _save_checkpoint(layout.train("tiny") / "best.ckpt", config.experiments["tiny"], settings=True)
    digit("evaluate", "--experiment", "tiny", "--split", "test", "--root-depth", "gt", "--config", prepared)
    _expect_measured(layout, "tiny", 64)


def test_the_papers_network_in_the_released_layout_is_measured(prepared, tmp_path):
    config, layout = load_config(prepared), _layout(prepared)
    released = tmp_path / "released.pt"
    _save_checkpoint(released, config.experiments["paper"], settings=False)
    evaluate(config, "paper", "test", "gt", checkpoint=released)
    protocol = _expect_measured(layout, "paper", 256, provenance.sha256(released)[:8])
    assert protocol["checkpoint"] == "released.pt" and protocol["experiment_key"] is None


def test_rootnet_without_its_results_is_refused_by_evaluate_too(prepared):
    config, layout = load_config(prepared), _layout(prepared)
    if not (layout.train("tiny") / "best.ckpt").is_file():
        _save_checkpoint(layout.train("tiny") / "best.ckpt", config.experiments["tiny"], settings=True)
    with pytest.raises(UserError, match=r"4 samples have no RootNet entry.*evaluate\.root_depth"):
        evaluate(config, "tiny", "test", "rootnet")


def test_the_files_as_they_came_pass_too(tmp_path):
    for picture in FRAMES.glob("*.jpg"):
        _copy(picture, tmp_path / "data" / "images" / "test" / picture.name)
    _copy_annotations(tmp_path / "data")
    config = _write_config(tmp_path)
    for verb in ("check", "index"):
        digit(verb, "--split", "test", "--config", config)
    index = open_index(_layout(config).index("test"))
    assert index.keys(index.protocol_order()) == [name.rpartition("/")[2] for name in PROTOCOL_ORDER]


def _layout(config_file: Path) -> Layout:
    return Layout.of(load_config(config_file))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _copy_annotations(root: Path) -> None:
    for kind in ("data", "camera", "joint_3d"):
        target = root / "annotations" / "test" / f"InterHand2.6M_test_{kind}.json"
        _copy(FRAMES / f"test_interhand2.6m_{kind}.json", target)


def _write_config(folder: Path) -> Path:
    settings = {
        "run": {"name": "real", "folder": str(folder / "results")},
        "data": {"source": "interhand", "root": str(folder / "data"), "shards": 2},
        "experiments": {"tiny": {"preset": "tiny"}, "paper": {"preset": "paper"}},
        "evaluate": {"splits": ["test"], "root_depth": ["gt"], "bootstrap": 20, "batch_size": 4, "num_workers": 0},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def _save_checkpoint(path: Path, experiment, settings: bool) -> None:
    """Random weights, in our own form or, without settings, in that of the released file."""
    torch.manual_seed(0)
    content = {PREFIX + key: tensor for key, tensor in Digit(experiment.model).state_dict().items()}
    if settings:
        content = {"state_dict": content, "hyper_parameters": {"experiment": to_dict(experiment)}}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)


def _expect_measured(layout: Layout, experiment: str, crop_px: int, weights: str | None = None) -> dict:
    folder = layout.evaluation(experiment, "test", "gt", weights)
    document = json.loads((folder / "metrics.json").read_text())
    protocol, measured = document["protocol"], document["metrics"]
    samples = {"all": 4, "single_hand": 2, "interacting": 2, "with_mask": 0, "frames": 4}
    assert protocol["samples"] == samples and protocol["excluded_samples"] == {}
    assert protocol["split"] == "test" and protocol["data_source"] == "interhand"
    assert protocol["root_depth"] == "annotation" and "x1.25" in protocol["box"]
    assert protocol["crop_size_px"] == crop_px and len(protocol["checkpoint_sha256"]) == 64
    assert measured["part_iou"] is None and any("part_iou" in note for note in document["notes"])
    assert all(measured[name] is not None for name in metrics.SCALARS if name != "part_iou")
    assert measured["mpjpe_all"] > 10
    assert document["skipped_joints"]["all"] == []
    assert any("baseline_mean_pose: null" in note for note in document["notes"])
    with np.load(folder / "predictions.npz") as saved:
        assert saved["im_path"].tolist() == [f"test/{name}" for name in PROTOCOL_ORDER]
    return protocol
