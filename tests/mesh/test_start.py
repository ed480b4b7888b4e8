"""Where a fit starts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from digit.hand.mano import load_hands
from digit.hand.open_hand.posing import NAMED_POSES
from digit.mesh.chain import chain_of, pose
from digit.mesh.start import first_state, rigid_motion
from digit.mesh.targets import Targets


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_rigid_motion_is_found_and_never_mirrors(seed, flatness):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 50, (4, 21, 3)) * [1, 1, flatness]
    turn, shift = Rotation.random(4, random_state=seed % 2**31).as_matrix(), rng.normal(0, 300, (4, 3))
    targets = points @ np.swapaxes(turn, -1, -2) + shift[:, None]
    targets[:, 3] += 500
    weight = np.ones((4, 21))
    weight[:, 3] = 0
    found, moved = rigid_motion(points, targets, weight)
    assert np.allclose(np.linalg.det(found), 1)
    assert np.abs((points @ np.swapaxes(found, -1, -2) + moved[:, None] - targets)[:, 4:]).max() < 1e-6
    mirrored, _ = rigid_motion(points * [-1, 1, 1], targets, weight)
    assert np.allclose(np.linalg.det(mirrored), 1)


def test_named_poses_are_their_own_start():
    chain = chain_of(load_hands().left)
    angles = np.radians(np.stack(list(NAMED_POSES.values()))).astype(np.float32)
    count = len(angles)
    turn = Rotation.random(count, random_state=0).as_matrix().astype(np.float32)
    shift = np.random.default_rng(0).normal(0, 40, (count, 3)).astype(np.float32)
    joints = pose(chain, turn, shift, angles, np.zeros((count, 10), np.float32)).joints
    state = first_state(chain, Targets(joints, np.ones((count, 21), np.float32)))
    assert np.array_equal(state.angles, angles)
    assert np.allclose(state.orient, turn, atol=1e-4) and np.allclose(state.shift, shift, atol=1e-2)
