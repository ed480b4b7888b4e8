"""Metrics against plain loops, worked examples and their own definitions."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from digit import geometry, metrics
from digit.metrics.measure import compare
from digit.skeleton import JOINT_COUNT, JOINT_HAND, JOINT_NAMES, ROOT_JOINTS

SPACE = metrics.Space(input_size=64, cells=16, depth_box_mm=200.0, root_box_mm=400.0, root_bins=64)


def made_up(n: int, seed: int) -> tuple[metrics.Predictions, metrics.Truth]:
    """Random predictions and annotations, with invalid joints, roots and hand types among them."""
    rng = np.random.default_rng(seed)
    joints_cam_mm = rng.normal(0, 60, (n, JOINT_COUNT, 3)) + np.array([0, 0, 900])
    hand_type = np.array([[1, 0], [0, 1], [1, 1]], dtype=bool)[rng.integers(0, 3, n)]
    truth = metrics.Truth(
        joints_cam_mm=joints_cam_mm,
        joint_valid=(rng.random((n, JOINT_COUNT)) < 0.8) & hand_type[:, JOINT_HAND],
        hand_type=hand_type,
        hand_type_valid=rng.random(n) < 0.9,
        focal_px=rng.uniform(900, 1200, (n, 2)),
        princpt_px=rng.uniform(150, 250, (n, 2)),
        abs_depth_mm=joints_cam_mm[:, list(ROOT_JOINTS), 2] + rng.normal(0, 20, (n, 2)),
    )
    boxes_px = np.concatenate([rng.uniform(0, 100, (n, 2)), np.repeat(rng.uniform(80, 200, (n, 1)), 2, axis=1)], axis=1)
    predictions = metrics.Predictions(
        joint_cells=rng.uniform(0, 16, (n, JOINT_COUNT, 3)).astype(np.float32),
        rel_root_bins=rng.uniform(0, 64, n).astype(np.float32),
        hand_probability=rng.random((n, 2)).astype(np.float32),
        crop_to_image=geometry.invert_map(geometry.crop_map(boxes_px, 64)),
    )
    return predictions, truth


def perfect(truth: metrics.Truth, crop_to_image: np.ndarray) -> metrics.Predictions:
    """Predictions that equal the annotation."""
    joints_px = geometry.project(truth.joints_cam_mm, truth.focal_px, truth.princpt_px)
    crop_px = geometry.apply_map(geometry.invert_map(crop_to_image), joints_px)
    roots_mm = truth.joints_cam_mm[:, list(ROOT_JOINTS), 2]
    z = geometry.depth_to_cells(truth.joints_cam_mm[..., 2] - roots_mm[:, JOINT_HAND], 200.0, 16)
    return metrics.Predictions(
        joint_cells=np.concatenate([crop_px / 4, z[..., None]], axis=-1),
        rel_root_bins=geometry.depth_to_cells(roots_mm[:, 1] - roots_mm[:, 0], 400.0, 64),
        hand_probability=truth.hand_type.astype(np.float32),
        crop_to_image=crop_to_image,
    )


def perfect_but_noisy(predictions: metrics.Predictions, truth: metrics.Truth) -> metrics.Predictions:
    """Predictions with errors of all sizes, on both sides of the greatest PCK threshold."""
    close = perfect(truth, predictions.crop_to_image)
    noise = np.random.default_rng(0).normal(0, 1.5, close.joint_cells.shape)
    return metrics.Predictions(**{**close.__dict__, "joint_cells": close.joint_cells + noise})


def summary(errors: metrics.Errors, **kwargs) -> dict[str, float]:
    sums = metrics.tally(errors, **kwargs).sums.sum(axis=0)
    return {name: float(value) for name, value in metrics.scalars(sums).items()}


@given(st.integers(1, 40), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_perfect_predictions_have_no_error(n, seed):
    predictions, truth = made_up(n, seed)
    roots_mm = truth.joints_cam_mm[:, list(ROOT_JOINTS), 2]
    truth = metrics.Truth(**{**truth.__dict__, "abs_depth_mm": roots_mm})
    errors = metrics.measure(perfect(truth, predictions.crop_to_image), truth, SPACE)
    assert errors.joint_mm.max() < 1e-3
    assert errors.aligned_mm.max() < 1e-3
    assert errors.root_mm.max() < 1e-3
    assert errors.hand_correct.all()


def test_means_equal_a_plain_loop():
    predictions, truth = made_up(60, 3)
    got = summary(metrics.measure(predictions, truth, SPACE))
    cam = metrics.predicted_joints(predictions, truth, SPACE)
    for name, wanted in {"sh": (1,), "ih": (2,), "all": (1, 2)}.items():
        means = []
        for joint in range(JOINT_COUNT):
            root = ROOT_JOINTS[JOINT_HAND[joint]]
            values = [
                np.linalg.norm((cam[k, joint] - cam[k, root]) - (t := truth.joints_cam_mm[k])[joint] + t[root])
                for k in range(60)
                if truth.joint_valid[k, joint] and truth.joint_valid[k, root] and truth.hand_type[k].sum() in wanted
            ]
            means.append(np.mean(values))
        assert got[f"mpjpe_{name}"] == pytest.approx(np.mean(means), abs=1e-4)
        fingers = np.delete(means, ROOT_JOINTS)
        assert got[f"mpjpe_{name}_no_wrist"] == pytest.approx(np.mean(fingers), abs=1e-4)
    hands = [
        ((predictions.hand_probability[k] > 0.5) == truth.hand_type[k]).all()
        for k in range(60)
        if truth.hand_type_valid[k]
    ]
    assert got["handedness_accuracy"] == pytest.approx(np.mean(hands))


def test_relative_root_uses_the_right_depth_only():
    predictions, truth = made_up(30, 5)
    moved = metrics.Truth(**{**truth.__dict__, "abs_depth_mm": truth.abs_depth_mm + np.array([0.0, 500.0])})
    first, second = (metrics.measure(predictions, t, SPACE) for t in (truth, moved))
    assert first.root_valid.any()
    np.testing.assert_array_equal(first.root_mm, second.root_mm)


def test_a_joint_without_samples_is_left_out_and_named():
    predictions, truth = made_up(40, 7)
    joint_valid = truth.joint_valid.copy()
    joint_valid[:, 3] = False
    joint_valid[:, 41] = False
    truth = metrics.Truth(**{**truth.__dict__, "joint_valid": joint_valid})
    tallied = metrics.tally(metrics.measure(predictions, truth, SPACE))
    skipped = metrics.skipped_joints(tallied)["all"]
    assert skipped == [JOINT_NAMES[3], *JOINT_NAMES[21:]]
    got = metrics.scalars(tallied.sums.sum(axis=0))
    assert np.isfinite(got["mpjpe_all"])
    assert np.isnan(got["mrrpe"])
    table = metrics.per_joint(tallied)
    kept = [table[joint]["all"][0] for joint in JOINT_NAMES if joint not in skipped]
    assert got["mpjpe_all"] == pytest.approx(np.mean(kept))


def test_no_samples_give_nan_not_a_crash():
    predictions, truth = made_up(5, 1)
    empty = [type(x)(**{k: v[:0] for k, v in x.__dict__.items()}) for x in (predictions, truth)]
    tallied = metrics.tally(metrics.measure(*empty, SPACE))
    assert np.isnan(list(metrics.scalars(tallied.sums.sum(axis=0)).values())).all()
    assert np.isnan(metrics.intervals(tallied, 100, 1)["mrrpe"]).all()


@given(st.integers(1, 60), st.integers(0, 10_000), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_grouping_changes_no_mean(n, seed, groups):
    predictions, truth = made_up(n, seed)
    errors = metrics.measure(predictions, truth, SPACE)
    units = np.random.default_rng(seed).integers(0, groups, n)
    alone, grouped = summary(errors), summary(errors, units=units)
    assert alone == pytest.approx(grouped, nan_ok=True)


def test_sums_equal_a_plain_loop():
    predictions, truth = made_up(60, 11)
    errors = metrics.measure(perfect_but_noisy(predictions, truth), truth, SPACE)
    rng = np.random.default_rng(0)
    units, overlap, union = rng.permutation(60) // 7, *rng.integers(0, 90, (2, 60, 32))
    got = metrics.tally(errors, units, overlap.astype(np.int32), union)
    sums, pck = np.zeros_like(got.sums), np.zeros_like(got.pck_counts)
    for k, unit in enumerate(units):
        kind = int(errors.interacting[k])
        for joint in np.flatnonzero(errors.joint_valid[k]):
            error_mm = float(errors.joint_mm[k, joint])
            sums[unit, 42 * kind + joint] += error_mm
            sums[unit, 84 + 42 * kind + joint] += 1
            if joint not in ROOT_JOINTS:
                sums[unit, 336:338] += max(0, 1 - error_mm / 50), 1
                pck[kind, min(int(np.ceil(error_mm)), 51)] += 1
        for joint in np.flatnonzero(errors.aligned_valid[k]):
            sums[unit, 168 + 42 * kind + joint] += errors.aligned_mm[k, joint]
            sums[unit, 252 + 42 * kind + joint] += 1
        sums[unit, 338:340] += errors.root_mm[k], errors.root_valid[k]
        sums[unit, 340:342] += errors.hand_correct[k] and errors.hand_valid[k], errors.hand_valid[k]
        sums[unit, 342:] += np.concatenate([overlap[k], union[k]])
    np.testing.assert_allclose(got.sums, sums)
    np.testing.assert_array_equal(got.pck_counts, pck)
    assert pck[:, :-1].any() and pck[:, -1].any()


def test_predictions_that_are_not_numbers_are_beyond_every_threshold():
    predictions, truth = made_up(20, 23)
    broken = metrics.Predictions(**{**predictions.__dict__, "joint_cells": predictions.joint_cells * np.nan})
    tallied = metrics.tally(metrics.measure(broken, truth, SPACE))
    fingers = np.delete(truth.joint_valid & truth.joint_valid[:, [20] * 21 + [41] * 21], ROOT_JOINTS, axis=1)
    assert tallied.pck_counts[:, -1].sum() == tallied.pck_counts.sum() == fingers.sum()
    got = metrics.scalars(tallied.sums.sum(axis=0))
    assert np.isnan([got["mpjpe_all"], got["pa_mpjpe_all"], got["mrrpe"]]).all()
    assert got["pck_auc"] == 0


@given(st.integers(1, 20), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_positions_are_those_of_the_geometry(n, seed):
    predictions, truth = made_up(n, seed)
    cells = predictions.joint_cells.astype(np.float64)
    image_px = geometry.apply_map(predictions.crop_to_image, cells[..., :2] / 16 * 64)
    depth_mm = geometry.cells_to_depth(cells[..., 2], 200.0, 16) + truth.abs_depth_mm[:, JOINT_HAND]
    expected = geometry.back_project(image_px, depth_mm, truth.focal_px, truth.princpt_px)
    np.testing.assert_allclose(metrics.predicted_joints(predictions, truth, SPACE), expected, rtol=1e-9, atol=1e-6)


def test_relative_root_is_that_of_the_geometry():
    predictions, truth = made_up(40, 29)
    rel_mm = geometry.cells_to_depth(predictions.rel_root_bins.astype(np.float64), 400.0, 64)
    moved = np.stack([truth.abs_depth_mm[:, 0], truth.abs_depth_mm[:, 0] + rel_mm], axis=1)
    roots = metrics.predicted_joints(predictions, metrics.Truth(**{**truth.__dict__, "abs_depth_mm": moved}), SPACE)
    offset = np.diff(roots[:, ROOT_JOINTS], axis=1) - np.diff(truth.joints_cam_mm[:, ROOT_JOINTS], axis=1)
    errors = metrics.measure(predictions, truth, SPACE)
    assert errors.root_valid.any()
    expected = np.where(errors.root_valid, np.linalg.norm(offset[:, 0], axis=1), 0)
    np.testing.assert_allclose(errors.root_mm, expected, rtol=1e-5)


def aligned_by_scipy(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Distances (m,) after the least-squares similarity without mirroring, its scale found by a search."""
    centred, wanted = points - points.mean(axis=0), target - target.mean(axis=0)
    rotation, _ = Rotation.align_vectors(wanted, centred)
    turned = rotation.apply(centred)
    scale = minimize_scalar(lambda s: np.sum((s * turned - wanted) ** 2)).x
    return np.linalg.norm(scale * turned - wanted, axis=1)


def test_aligned_errors_are_those_of_scipy():
    predictions, truth = made_up(60, 31)
    noisy = perfect_but_noisy(predictions, truth)
    errors = metrics.measure(noisy, truth, SPACE)
    cam = metrics.predicted_joints(noisy, truth, SPACE)
    checked = 0
    for k, first in itertools.product(range(60), ROOT_JOINTS - np.array(20)):
        joints = first + np.flatnonzero(errors.joint_valid[k, first : first + 21])
        assert (errors.aligned_valid[k, joints] == (len(joints) >= 3)).all()
        if len(joints) >= 3:
            expected = aligned_by_scipy(cam[k, joints], truth.joints_cam_mm[k, joints])
            np.testing.assert_allclose(errors.aligned_mm[k, joints], expected, rtol=1e-4, atol=1e-4)
            checked += 1
    assert checked > 50 and not (errors.aligned_valid & ~errors.joint_valid).any()


def posed_alike(seed: int, change) -> metrics.Errors:
    """Errors of joints that are the annotated ones, each hand's (21, 3) changed in its own way."""
    _, truth = made_up(30, seed)
    moved = truth.joints_cam_mm.reshape(60, 21, 3)
    changed = np.stack([change(hand, np.random.default_rng(k)) for k, hand in enumerate(moved)])
    return compare(changed.reshape(30, 42, 3), np.zeros((30, 3)), truth.hand_type, truth)


def test_rotation_scale_and_shift_cost_nothing_when_aligned():
    def similar(hand, rng):
        return rng.uniform(0.3, 3) * Rotation.random(random_state=rng).apply(hand) + rng.normal(0, 500, 3)

    errors = posed_alike(37, similar)
    assert errors.joint_mm.max() > 50 and errors.aligned_valid.sum() > 500
    assert errors.aligned_mm.max() < 1e-3


def test_a_mirrored_hand_is_not_aligned():
    errors = posed_alike(41, lambda hand, _: hand * np.array([-1, 1, 1]))
    assert errors.aligned_mm[errors.aligned_valid].mean() > 10


def test_hands_of_two_joints_are_not_aligned():
    _, truth = made_up(8, 43)
    joint_valid = np.zeros((8, JOINT_COUNT), dtype=bool)
    joint_valid[:, [20, 3, 41, 22, 23]] = True
    errors = compare(truth.joints_cam_mm, np.zeros((8, 3)), truth.hand_type, replace(truth, joint_valid=joint_valid))
    assert errors.joint_valid.sum() == 40
    np.testing.assert_array_equal(np.flatnonzero(errors.aligned_valid.any(axis=0)), [22, 23, 41])


def test_a_hand_in_one_point_is_as_far_as_its_joints_are_from_their_middle():
    _, truth = made_up(4, 47)
    truth = replace(truth, joint_valid=np.ones_like(truth.joint_valid))
    errors = compare(np.zeros((4, 42, 3)), np.zeros((4, 3)), truth.hand_type, truth)
    hands = truth.joints_cam_mm.reshape(8, 21, 3)
    expected = np.linalg.norm(hands - hands.mean(axis=1, keepdims=True), axis=2).reshape(4, 42)
    np.testing.assert_allclose(errors.aligned_mm, expected, rtol=1e-5)


def test_pck_counts_finger_joints_within_each_threshold():
    predictions, truth = made_up(200, 13)
    errors = metrics.measure(perfect_but_noisy(predictions, truth), truth, SPACE)
    tallied = metrics.tally(errors)
    curve = metrics.pck(tallied)["all"]
    values = np.delete(errors.joint_mm, ROOT_JOINTS, axis=1)[np.delete(errors.joint_valid, ROOT_JOINTS, axis=1)]
    np.testing.assert_allclose(curve, [(values <= t).mean() for t in metrics.PCK_THRESHOLDS_MM])
    area = metrics.scalars(tallied.sums.sum(axis=0))["pck_auc"]
    assert area == pytest.approx(np.trapezoid(curve, dx=1 / 50), abs=2e-3)
    assert 0.1 < area < 0.9


def test_part_iou_pools_pixels_and_skips_absent_parts():
    _, truth = made_up(3, 1)
    errors = metrics.measure_constant(metrics.fit_constant([truth]), truth)
    overlap = np.zeros((3, 32), dtype=np.int64)
    union = np.zeros((3, 32), dtype=np.int64)
    overlap[:, 0], union[:, 0] = [1, 2, 3], [2, 4, 6]
    union[1, 5] = 7
    tallied = metrics.tally(errors, overlap_px=overlap, union_px=union)
    iou = metrics.part_iou(tallied)
    assert iou[0] == 0.5
    assert iou[5] == 0
    assert np.isnan(np.delete(iou, [0, 5])).all()
    assert metrics.scalars(tallied.sums.sum(axis=0))["part_iou"] == pytest.approx(0.25)


def test_intervals_cover_the_mean_and_repeat_with_the_seed():
    predictions, truth = made_up(400, 17)
    tallied = metrics.tally(metrics.measure(predictions, truth, SPACE))
    first, again, other = (metrics.intervals(tallied, 300, seed) for seed in (1, 1, 2))
    for name, value in metrics.scalars(tallied.sums.sum(axis=0)).items():
        np.testing.assert_array_equal(first[name], again[name])
        if name != "part_iou":
            low, high = first[name]
            assert low < value < high
    assert (first["mpjpe_all"] != other["mpjpe_all"]).any()


def test_interval_width_is_that_of_the_mean():
    n = 2000
    rng = np.random.default_rng(1)
    correct = rng.random(n) < 0.7
    _, truth = made_up(n, 1)
    errors = metrics.measure_constant(metrics.fit_constant([truth]), truth)
    errors = metrics.Errors(**{**errors.__dict__, "hand_correct": correct, "hand_valid": np.ones(n, dtype=bool)})
    low, high = metrics.intervals(metrics.tally(errors), 1000, 1)["handedness_accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / n), rel=0.1)
    grouped = metrics.intervals(metrics.tally(errors, np.arange(n) // 2000), 1000, 1)
    assert np.isnan(grouped["handedness_accuracy"]).all()


def test_constant_pose_is_the_pooled_mean():
    _, truth = made_up(80, 19)
    halves = [metrics.Truth(**{k: v[part] for k, v in truth.__dict__.items()}) for part in (slice(30), slice(30, 80))]
    constant = metrics.fit_constant(halves)
    joints, valid = truth.joints_cam_mm, truth.joint_valid & truth.joint_valid[:, [20] * 21 + [41] * 21]
    np.testing.assert_allclose(
        constant.joints_rel_mm[7], (joints[:, 7] - joints[:, 20])[valid[:, 7]].mean(axis=0), atol=1e-9
    )
    kinds = [tuple(kind) for kind, ok in zip(truth.hand_type, truth.hand_type_valid, strict=True) if ok]
    assert tuple(constant.hands) == max(set(kinds), key=kinds.count)
    single = metrics.Truth(**{**truth.__dict__, "joints_cam_mm": np.tile(joints[:1], (80, 1, 1))})
    errors = metrics.measure_constant(metrics.fit_constant([single]), single)
    assert errors.joint_mm.max() < 1e-3
    assert errors.aligned_mm.max() < 1e-3
    assert errors.root_mm.max() < 1e-3
