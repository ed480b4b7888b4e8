"""Annotations that agree in form only: each mistake is named with its key, its value and what would mend it."""

import re

import numpy as np
import pytest

from digit import geometry
from digit.release.interhand import Release
from digit.release.plausibility import judge_annotations, judge_rootnet
from digit.release.problems import Problems
from digit.release.tables import build_tables
from digit.release.views import look


def judged(root, split="val", change=None, rootnet=False):
    """Errors and warnings about a data folder, after ``change`` of its columns."""
    release, problems = Release(root), Problems()
    columns, _ = build_tables(release, split, problems)
    columns = {name: array.copy() for name, array in columns.items()}
    assert not problems.errors
    before = len(problems.warnings)
    if change:
        change(columns)
    if rootnet:
        judge_rootnet(columns, "rootnet.json", "fetch it", problems.error, problems)
    else:
        judge_annotations(columns, release, split, problems)
    return [str(e) for e in problems.errors], [str(w) for w in problems.warnings[before:]]


@pytest.fixture(scope="module")
def mini(golden):
    if not (golden / "interhand_mini").is_dir():
        pytest.skip(f"{golden} has no interhand_mini")
    return golden / "interhand_mini"


def test_cameras_that_look_away_are_named(synthetic_root):
    def change(columns):
        columns["rotation"] *= -1
        columns["rotation"][:, 0] *= -1

    errors, (warning,) = judged(synthetic_root, "train", change)
    assert re.search(r"camera.json: .* joints .* lie behind their camera.*is it X_cam = camrot", warning) and not errors


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_sound_annotations_pass_in_silence(mini, tiny_release, synthetic_root, golden, split):
    assert judged(synthetic_root, split) == ([], [])
    assert judged(mini, split) == ([], [])
    assert judged(tiny_release, split) == ([], [])
    if split != "train":
        assert judged(mini, split, rootnet=True) == ([], [])
        for rootnet in (False, True):
            assert judged(golden / "interhand_metrics", split, rootnet=rootnet) == ([], [])


def scale(factor, *names):
    return lambda columns: [columns[name].__imul__(factor) for name in names]


def transposed(columns):
    columns["rotation"] = columns["rotation"].swapaxes(1, 2)


def translated(columns):
    columns["position_mm"] = -np.einsum("cij,cj->ci", columns["rotation"], columns["position_mm"])


def as_corners(columns):
    columns["box_px"][:, 2:] += columns["box_px"][:, :2]


def from_the_middle(columns):
    columns["box_px"][:, :2] += columns["box_px"][:, 2:] / 2


def as_shares(columns):
    columns["box_px"] /= np.stack([columns["width"], columns["height"]] * 2, axis=1)


def mirrored(columns):
    columns["rotation"][:, 0] *= -1


def other_hand(columns):
    columns["hand_type"] = columns["hand_type"][:, ::-1] | columns["hand_type"].all(axis=1, keepdims=True)


MISTAKES = {
    "metres": (scale(1e-3, "joints_world_mm", "position_mm"), r"world_coord: .*capture 0: 0\.0\d+ mm.* by 1000 \(m to"),
    "centimetres": (scale(0.1, "joints_world_mm", "position_mm"), r"world_coord: .*: 3\.\d+ mm.* by 10 \(cm to mm\)"),
    "decimetres": (scale(0.01, "joints_world_mm", "position_mm"), r"world_coord: .*: 0\.3\d+ mm.* by 100 \(dm to mm\)"),
    "inches": (scale(1 / 25.4, "joints_world_mm", "position_mm"), r"world_coord: .*: 1\.\d+ mm.* by 25\.4 \(inches"),
    "micrometres": (scale(1e3, "joints_world_mm", "position_mm"), r"world_coord: .*e\+04 mm.* by 0\.001 \(micro"),
    "joints in metres": (scale(1e-3, "joints_world_mm"), r"world_coord: .* by 1000 \(m to mm\)"),
    "all joints in one place": (scale(0, "joints_world_mm"), r"world_coord: .*capture 0: 0 mm, .*; download"),
    "cameras in metres": (
        scale(1e-3, "position_mm"),
        r"camera\.json: capture 0: .*campos is in m: .* by 1000, then by",
    ),
    "cameras in centimetres": (scale(0.1, "position_mm"), r"capture 0: .*campos is in cm: .* by 10, then by"),
    "transposed": (transposed, r"capture 0: .* overlap.*camrot is transposed"),
    "translation": (translated, r"capture 0: .*campos is the t of X_cam = R X \+ t"),
    "both": (lambda c: (translated(c), transposed(c)), r"camrot is transposed and campos is a translation"),
    "other size": (scale(8, "focal_px", "princpt_px"), r"capture 0: .*focal and princpt .* multiply them by 0\.125"),
    "focal of other size": (scale(2, "focal_px"), r"focal is of .* and princpt is not: multiply it by 0\.5, then by"),
    "no valid joint": (scale(False, "joint_valid"), r"data\.json: joint_valid: no joint of any sample is valid"),
    "boxes of half size": (scale(0.5, "box_px"), r"capture 0: .*bbox is of pictures of another size: multiply it by 2"),
    "corners": (
        as_corners,
        r"bbox of .* and joints .* overlap .* left, top, right, bottom: write x, y, width, height, then by",
    ),
    "middle": (from_the_middle, r"bbox begins with its middle"),
    "shares": (as_shares, r"capture 0: .*bbox is a share of the picture"),
    "mirrored": (mirrored, r"camera\.json: camrot mirrors: .*capture 0 camera 4\d+.*change the sign"),
    "scaled rotation": (scale(2, "rotation"), r"camera\.json: camrot is no rotation.*capture 0 camera 4\d+"),
    "no rotation": (scale(0, "rotation"), r"camrot is no rotation"),
    "hands swapped": (
        other_hand,
        r"data\.json: hand_type: 100% of the single hands .*are right .* and left .* swapped",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_what_would_mend_it(synthetic_root, mistake):
    change, message = MISTAKES[mistake]
    errors, _ = judged(synthetic_root, "train", change)
    assert errors and re.search(message, errors[0]), errors


def test_one_capture_in_metres_is_named(mini):
    def change(columns):
        columns["joints_world_mm"][columns["frame_capture"] == 3] /= 1000

    (error,), _ = judged(mini, change=change)
    assert "(1: capture 3: 0.0" in error


def test_outliers_are_warnings(mini):
    def change(columns):
        columns["joints_world_mm"][0] /= 1000
        joints, valid = columns["joints_world_mm"][3], columns["joints_world_valid"][3]
        joints[4 if valid[4:6].all() else 25, 0] += 5000
        columns["box_px"][5] = 0, 0, 9, 9

    errors, warnings = judged(mini, change=change)
    assert not errors
    said = "\n".join(warnings)
    assert re.search("frames whose median bone .*capture 2 frame 4001: 0.0", said)
    assert re.search("bones longer than 300 mm .*_index4 to ._index3: ", said)
    assert re.search(r"are not around their joints|few of whose boxes", said)


@pytest.mark.parametrize(
    ("factor", "words"), [(1e3, "0.001 (mm to m)"), (1e2, "0.01 (cm to m)"), (10, "0.1 (dm to m)")]
)
def test_fits_in_another_unit_are_named(tiny_release, factor, words):
    (error,), _ = judged(tiny_release, change=lambda c: c.update(mano_trans_m=(c["mano_trans_m"] + 0.5) * factor))
    assert "trans: the hand fits" in error and "capture 0: " in error
    (error,), _ = judged(
        tiny_release,
        change=lambda c: (
            c.update(mano_trans_m=(c["mano_trans_m"] + 0.8) * factor, joints_world_mm=c["joints_world_mm"] + 800)
            or c["position_mm"].__iadd__(800)
        ),
    )
    assert f"multiply trans by {words}" in error


@pytest.mark.parametrize("shift", [1, 2, 3, 5])
def test_rootnet_results_of_other_images_are_named(mini, shift):
    def change(columns):
        order = np.roll(np.argsort(columns["annotation_order"]), shift)
        for name in ("rootnet_box_px", "rootnet_depth_mm"):
            columns[name][np.argsort(columns["annotation_order"])] = columns[name][order]

    errors, _ = judged(mini, change=change, rootnet=True)
    assert re.search(
        r"rootnet\.json: bbox: \d+% of RootNet's boxes .*annot_id \d+.*of other images \(30 fps", errors[0]
    )


def test_rootnet_depths_in_another_unit_are_named(mini):
    (error,), _ = judged(mini, change=scale(1e-3, "rootnet_depth_mm"), rootnet=True)
    assert "abs_depth: 0% of RootNet's depths are within 300 mm" in error
    assert "multiply abs_depth by 1000 (m to mm)" in error


def test_some_wrong_results_are_a_warning_with_their_share(mini):
    def change(columns):
        columns["rootnet_box_px"][:2] += 400

    errors, (warning,) = judged(mini, change=change, rootnet=True)
    assert not errors and "bbox: 71% of RootNet's boxes" in warning and "(2: annot_id" in warning


def test_joints_behind_the_camera_are_counted(mini, run_config):
    release, problems = Release(mini), Problems()
    columns, _ = build_tables(release, "val", problems)
    sound = judge_annotations(columns, release, "val", problems)
    assert sound == {"valid": int(columns["joint_valid"].sum()), "behind_camera": 0}
    row = int(columns["frame_row"][0])
    columns["joints_world_mm"][row] += 3000 * columns["rotation"][columns["camera_row"][0]].T @ [0, 0, -1]
    turned = judge_annotations(columns, release, "val", problems)
    assert turned["valid"] == sound["valid"] and turned["behind_camera"] == columns["joint_valid"][0].sum()
    (warning,) = [str(w) for w in problems.warnings if "behind" in str(w)]
    assert f"{turned['behind_camera']} of {sound['valid']} joints annotated as valid lie behind" in warning


def test_what_cameras_see_follows_the_geometry(synthetic_root):
    columns, _ = build_tables(Release(synthetic_root), "train", Problems())
    rows = columns["camera_row"]
    joints_mm = geometry.world_to_camera(
        columns["joints_world_mm"][columns["frame_row"]], columns["rotation"][rows], columns["position_mm"][rows]
    )
    joints_px = geometry.project(joints_mm, columns["focal_px"][rows], columns["princpt_px"][rows])
    seen = look(columns)
    for k, valid in enumerate(columns["joint_valid"]):
        low, high = joints_px[k, valid].min(axis=0), joints_px[k, valid].max(axis=0)
        np.testing.assert_allclose(seen.box_px[k], [*low, *(high - low)], atol=1e-9)
        assert seen.depth_mm[k] == pytest.approx(joints_mm[k, valid, 2].mean())
    assert not seen.behind.any() and (seen.valid == columns["joint_valid"].sum(axis=1)).all()
