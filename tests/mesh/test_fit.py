"""Fits reproduce what the model can do, and are hands whatever they are given."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from digit.hand.mano import load_hands
from digit.hand.mesh import seal
from digit.hand.open_hand.posing import LIMITS_DEG, pose_vector, sample_poses
from digit.mesh.fit import FEWEST_JOINTS, Fitter, View, fit_hands
from digit.mesh.limits import angle_limits_rad
from digit.mesh.solver import LARGEST_BETA
from digit.run.errors import UserError
from digit.skeleton import HANDS

SEEDS = st.integers(0, 2**32 - 1)
HANDS_OF_MODEL = load_hands()
FITTER = Fitter(HANDS_OF_MODEL)
FOCAL_PX, PRINCPT_PX = np.array([620.0, 600.0]), np.array([320.0, 240.0])


def drawn(seed, count, side="right", natural=True):
    """Vertices and joints of random hands about 600 mm before the camera, within the limits of the sampled poses."""
    rng = np.random.default_rng(seed)
    uniform = rng.uniform(*np.moveaxis(LIMITS_DEG, -1, 0), (count, 5, 5))
    angles = sample_poses(rng, count) if natural else uniform
    orient, betas = rng.normal(0, 1.5, (count, 3)), np.clip(rng.normal(size=(count, 10)), -2, 2)
    trans_m = rng.normal(0, 0.05, (count, 3)) + [0, 0, 0.6]
    hand = HANDS_OF_MODEL[side]
    vertices = hand.vertices_world_mm(np.concatenate([orient, pose_vector(angles, side)], axis=1), betas, trans_m)
    return vertices, hand.joints_world_mm(vertices)


def distance(a, b):
    return np.linalg.norm(a - b, axis=-1).mean(axis=-1)


def assert_hands(fits):
    """Each fit is within the limits of angles and shape, as large as a hand, and not inside out."""
    lowest, highest = angle_limits_rad()
    for row in np.flatnonzero(fits.fitted):
        hand = HANDS_OF_MODEL[fits.side[row]]
        a, b, c = np.moveaxis(seal(fits.vertices_cam_mm[row])[hand.sealed_faces], 1, 0)
        middle = fits.vertices_cam_mm[row].mean(axis=0)
        volume_cm3 = ((a - middle) * np.cross(b - middle, c - middle)).sum() / 6000
        assert 100 < volume_cm3 < 800
        assert 60 < np.ptp(fits.vertices_cam_mm[row], axis=0).max() < 280
        assert np.abs(fits.betas[row]).max() <= LARGEST_BETA
        angles = fits.angles_deg[row]
        assert (angles >= np.degrees(lowest) - 1e-3).all() and (angles <= np.degrees(highest) + 1e-3).all()
        assert np.abs(pose_vector(angles, fits.side[row]) - fits.hand_pose[row]).max() < 1e-4


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.sampled_from(HANDS), st.booleans())
def test_joints_of_the_model_are_reproduced(seed, side, natural):
    vertices, joints = drawn(seed, 8, side, natural)
    fits = FITTER(joints, [side] * 8)
    assert distance(fits.joints_cam_mm, joints).max() < 1
    assert fits.fit_error_mm.max() < 1 and fits.fitted.all()
    assert distance(fits.vertices_cam_mm, vertices).max() < 2
    assert_hands(fits)


@settings(max_examples=5, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 6.0, 30.0]))
def test_mirrored_joints_give_mirrored_hands(seed, noise_mm):
    joints = drawn(seed, 4)[1] + np.random.default_rng(seed).normal(0, noise_mm, (4, 21, 3))
    right, left = FITTER(joints, ["right"] * 4), FITTER(joints * [-1, 1, 1], ["left"] * 4)
    assert np.abs(right.vertices_cam_mm * [-1, 1, 1] - left.vertices_cam_mm).max() < 0.05
    assert np.allclose(right.hand_pose * np.tile([1, -1, -1], 15), left.hand_pose, atol=1e-3)
    assert np.allclose(right.betas, left.betas, atol=1e-3)


@settings(max_examples=5, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 6.0]))
def test_moved_joints_give_moved_hands(seed, noise_mm):
    rng = np.random.default_rng(seed)
    joints = drawn(seed, 4)[1] + rng.normal(0, noise_mm, (4, 21, 3))
    turn, shift = Rotation.from_rotvec(rng.normal(size=3)).as_matrix(), rng.normal(0, 2000, 3)
    still, moved = FITTER(joints, ["right"] * 4), FITTER(joints @ turn.T + shift, ["right"] * 4)
    assert np.abs(still.vertices_cam_mm @ turn.T + shift - moved.vertices_cam_mm).max() < 0.5


def test_noise_is_smoothed():
    vertices, joints = drawn(1, 24)
    for noise_mm in (5.0, 10.0):
        given_mm = joints + np.random.default_rng(2).normal(0, noise_mm, joints.shape)
        fits = FITTER(given_mm, ["right"] * 24)
        assert distance(fits.joints_cam_mm, joints).mean() < 0.65 * distance(given_mm, joints).mean()
        assert distance(fits.vertices_cam_mm, vertices).mean() < 0.65 * distance(given_mm, joints).mean()
        assert np.allclose(fits.fit_error_mm, distance(fits.joints_cam_mm, given_mm))
        assert_hands(fits)


def degenerate(kind, rng):
    """Joints (8, 21, 3) that no right hand has."""
    joints = drawn(7, 8)[1]
    along = np.linspace(0, 200, 21)[None, :, None] * np.ones((8, 1, 1))
    return {
        "one point": np.full((8, 21, 3), 3.0),
        "a line": along * [1, 0, 0],
        "a plane": joints * [1, 1, 0],
        "noise": rng.normal(0, 40, (8, 21, 3)),
        "much noise": rng.normal(0, 90, (8, 21, 3)),
        "the other hand": joints * [-1, 1, 1],
        "depth the wrong way": joints * [1, 1, -1],
        "shuffled": rng.permuted(joints, axis=1),
        "a doll": (joints - joints[:, 20:]) * 0.3,
        "a giant": (joints - joints[:, 20:]) * 3,
        "fingers pulled out": joints + (np.arange(21) % 4 == 0)[None, :, None] * (joints - joints[:, 20:]),
    }[kind]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "kind",
    ["one point", "a line", "a plane", "noise", "much noise", "the other hand", "depth the wrong way", "shuffled"]
    + ["a doll", "a giant", "fingers pulled out"],
)
def test_whatever_comes_the_result_is_a_hand(kind):
    joints = degenerate(kind, np.random.default_rng(3))
    for side in HANDS:
        fits = FITTER(joints, [side] * 8)
        fitted = fits.fitted
        assert fitted.all() or kind in ("a giant", "much noise")
        assert_hands(fits)
        middles = np.linalg.norm(fits.joints_cam_mm.mean(axis=1) - joints.mean(axis=1), axis=1)
        assert (middles[fitted] < 150).all(), "the hand flew away"


@pytest.mark.parametrize("far", [100.0, 600.0, 1e6, 1e300])
def test_one_joint_far_out_does_not_matter(far):
    joints = drawn(4, 21)[1]
    given_mm = joints.copy()
    given_mm[np.arange(21), np.arange(21)] += [0.6 * far, 0, 0.8 * far]
    fits = FITTER(given_mm, ["right"] * 21)
    assert distance(fits.joints_cam_mm, joints).max() < 1.5
    assert_hands(fits)


@pytest.mark.filterwarnings("error")
def test_absent_hands_are_skipped_and_absent_joints_filled_in():
    joints = drawn(5, 6, "left")[1]
    given_mm, confidence = joints.copy(), np.ones((6, 21))
    given_mm[0] = np.nan
    given_mm[1, 3:7] = np.nan
    given_mm[2] = np.inf
    confidence[3] = 0
    confidence[5] = 1e-60
    given_mm[4, : 21 - FEWEST_JOINTS + 1] = np.nan
    confidence[5, 16:20] = np.nan
    fits = FITTER(given_mm, ["left"] * 6, confidence)
    assert fits.fitted.tolist() == [False, True, False, False, False, True]
    assert np.isnan(fits.vertices_cam_mm[0]).all() and np.isnan(fits.betas[3]).all()
    assert distance(fits.joints_cam_mm[[1, 5]], joints[[1, 5]]).max() < 12  # a finger that nobody saw may bend
    seen = np.r_[0:3, 7:16, 20]
    assert distance(fits.joints_cam_mm[1, seen], joints[1, seen]) < 1
    assert_hands(fits)


def test_hands_do_not_depend_on_their_batch():
    joints = drawn(6, 5)[1] + np.random.default_rng(6).normal(0, 5, (5, 21, 3))
    sides = ["right", "left", "right", "left", "right"]
    together = FITTER(joints, sides)
    for row in range(5):
        alone = fit_hands(HANDS_OF_MODEL, joints[row : row + 1], sides[row : row + 1])
        assert np.abs(alone.vertices_cam_mm[0] - together.vertices_cam_mm[row]).max() < 0.05
    nobody = FITTER(np.zeros((0, 21, 3)), [])
    assert nobody.vertices_cam_mm.shape == (0, 778, 3) and nobody.fitted.shape == (0,)


def test_confidence_decides_whom_to_believe():
    joints = drawn(8, 8)[1]
    rng = np.random.default_rng(8)
    bad = np.zeros((8, 21), bool)
    bad[:, rng.permutation(21)[:8]] = True
    given_mm = joints + np.where(bad[..., None], rng.normal(0, 25, joints.shape), rng.normal(0, 1, joints.shape))
    told = FITTER(given_mm, ["right"] * 8, np.where(bad, 0.02, 1.0))
    untold = FITTER(given_mm, ["right"] * 8)
    assert distance(told.joints_cam_mm, joints).mean() < distance(untold.joints_cam_mm, joints).mean()
    assert distance(told.joints_cam_mm[~bad], joints[~bad]).mean() < 2


def test_a_view_draws_the_hand_to_its_pixels():
    joints = drawn(9, 8)[1]
    depth_noise = np.random.default_rng(9).normal(1, 0.02, (8, 21, 1))
    px = joints[..., :2] / joints[..., 2:] * FOCAL_PX + PRINCPT_PX
    given_mm = joints * depth_noise  # along the rays
    plain = FITTER(given_mm, ["right"] * 8)
    px[0, 4] = np.nan
    viewed = FITTER(given_mm, ["right"] * 8, view=View(px, FOCAL_PX, PRINCPT_PX))
    off_px = []
    for fits in (plain, viewed):
        seen = fits.joints_cam_mm[..., :2] / fits.joints_cam_mm[..., 2:] * FOCAL_PX + PRINCPT_PX
        off_px.append(np.nanmean(np.linalg.norm(seen - px, axis=2)))
    assert off_px[1] < 0.5 < off_px[0]
    assert distance(viewed.joints_cam_mm, joints).mean() < 0.8 * distance(plain.joints_cam_mm, joints).mean()


def test_parameters_are_manos():
    joints = drawn(10, 2, "left")[1]
    fits = FITTER(joints, ["left"] * 2)
    found = json.loads(json.dumps(fits.mano_parameters(1), allow_nan=False))
    assert {name: len(values) for name, values in found.items()} == {
        "global_orient": 3, "hand_pose": 45, "betas": 10, "transl_mm": 3,
    }  # fmt: skip
    pose = np.array([found["global_orient"] + found["hand_pose"]])
    again = HANDS_OF_MODEL.left.vertices_world_mm(
        pose, np.array([found["betas"]]), np.array([found["transl_mm"]]) / 1000
    )
    assert np.abs(again[0] - fits.vertices_cam_mm[1]).max() < 0.02


def test_a_model_of_the_users_is_fitted_as_well(tmp_path, caplog):
    """MANO's files, here with another rest pose and other proportions than the open hand's."""
    hands = _users_hands(tmp_path)
    assert "joint_regressor" in caplog.text
    rng = np.random.default_rng(11)
    pose = np.concatenate([rng.normal(0, 1, (6, 3)), rng.normal(0, 0.12, (6, 45))], axis=1)
    for side in HANDS:
        vertices = hands[side].vertices_world_mm(pose, rng.normal(0, 0.5, (6, 10)), np.tile([0, 0, 0.6], (6, 1)))
        joints = hands[side].joints_world_mm(vertices)
        fits = fit_hands(hands, joints, [side] * 6)
        assert fits.fit_error_mm.max() < 4
        assert distance(fits.vertices_cam_mm, vertices).max() < 6


def _users_hands(folder):
    from tests.hand.test_official import mano_content, write_models

    contents = {}
    for side in HANDS:
        content = mano_content(side)
        stretched = content["v_template"] * [1.06, 1.0, 0.97]
        contents[side] = content | {"v_template": stretched, "hands_mean": np.roll(content["hands_mean"], 3) * 0.8}
    return load_hands(write_models(folder / "mano", **contents))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros((2, 42, 3)), ["right"] * 2), "(n, 21, 3)"),
        ((np.zeros((2, 21, 3)), ["right"]), "each of the 2 hands"),
        ((np.zeros((1, 21, 3)), ["both"]), "'right' or 'left'"),
        ((np.zeros((5, 21, 3)), "right"), "'right' or 'left'"),
        ((np.zeros((1, 21, 3)), ["left"], np.ones((1, 20))), "from 0 to 1"),
        ((np.zeros((1, 21, 3)), ["left"], np.full((1, 21), 1.5)), "from 0 to 1"),
        ((np.zeros((1, 21, 3)), ["left"], np.full((1, 21), -0.1)), "from 0 to 1"),
        ((np.zeros((1, 21, 3)), ["left"], None, View(np.zeros((1, 21, 2)), FOCAL_PX, PRINCPT_PX)), "before the camera"),
        ((np.ones((1, 21, 3)), ["left"], None, View(np.zeros((1, 42, 2)), FOCAL_PX, PRINCPT_PX)), "(n, 21, 2)"),
    ],
)
def test_what_is_wrong_is_said(arguments, words):
    with pytest.raises(UserError, match=re.escape(words)):
        FITTER(*arguments)
