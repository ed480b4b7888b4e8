"""The reduced model has the joints of the whole one, and the right derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from digit.hand.mano import load_hands
from digit.hand.open_hand.posing import LIMITS_DEG, pose_vector
from digit.mesh.chain import ANGLES, BETAS, ORIENT, PARAMETERS, SHIFT, chain_of, derivatives, pose, rotation_matrices
from digit.skeleton import HANDS

COUNT = 6


@pytest.fixture(scope="module")
def hands():
    return load_hands()


def parameters(seed):
    rng = np.random.default_rng(seed)
    angles = np.radians(rng.uniform(*np.moveaxis(LIMITS_DEG, -1, 0), (COUNT, 5, 5)))
    return rng.normal(size=(COUNT, 3)), rng.normal(0, 100, (COUNT, 3)), angles, rng.normal(size=(COUNT, 10))


def posed_by(chain, orient, shift, angles, betas):
    matrices = Rotation.from_rotvec(orient).as_matrix()
    return pose(chain, *(values.astype(np.float32) for values in (matrices, shift, angles, betas)))


def joints_of(hand, orient, shift, angles, betas):
    full = np.concatenate([orient, pose_vector(np.degrees(angles), hand.side)], axis=1)
    return hand.joints_world_mm(hand.vertices_world_mm(full, betas, shift / 1000))


@pytest.mark.parametrize("side", HANDS)
def test_joints_are_those_of_the_posed_mesh(hands, side):
    values = parameters(0)
    posed = posed_by(chain_of(hands[side]), *values)
    assert np.abs(posed.joints - joints_of(hands[side], *values)).max() < 1e-3


def test_any_regressor_will_do(hands):
    """One that takes every vertex, as a published one may, with rows that do not quite add up to 1."""
    dense = np.random.default_rng(1).dirichlet(np.full(778, 0.1), 21) * 1.01
    hand, values = replace(hands.right, joint_regressor=dense), parameters(1)
    chain = chain_of(hand)
    assert len(chain.bone) > 200
    assert np.abs(posed_by(chain, *values).joints - joints_of(hand, *values)).max() < 1e-3


@pytest.mark.parametrize("side", HANDS)
def test_derivatives_are_the_limits_of_differences(hands, side):
    chain, (orient, shift, angles, betas) = chain_of(hands[side]), parameters(2)
    exact = derivatives(chain, posed_by(chain, orient, shift, angles, betas))

    def moved(change):
        turned = rotation_matrices(change[ORIENT]) @ Rotation.from_rotvec(orient).as_matrix()
        turned = Rotation.from_matrix(turned).as_rotvec()
        bent = angles + change[ANGLES].reshape(5, 5)
        return posed_by(chain, turned, shift + change[SHIFT], bent, betas + change[BETAS]).joints

    for column, change in enumerate(np.eye(PARAMETERS) * 1e-2):
        difference = (moved(change) - moved(-change)) / 2e-2
        assert np.abs(difference - exact[..., column]).max() < 0.03, f"parameter {column}"
