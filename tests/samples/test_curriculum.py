"""Palms before backs: which samples a training begins with."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from digit.config import TrainingSettings
from digit.hand.mano import load_hands
from digit.run.layout import Layout
from digit.samples.curriculum import CLEARLY, FEW_BACKS, curriculum_of, palm_view
from digit.samples.dataset import EpochSampler
from digit.samples.index import open_index
from digit.skeleton import JOINTS_PER_HAND
from digit.stages.index import index as make_index
from digit.synthetic.cameras import SUBJECT_MM
from digit.synthetic.poses import UPRIGHT

BEGINNING = TrainingSettings(palm_epochs=2, few_backs_epochs=3)


def joints_mm(turned_deg):
    """Both hands, upright before the camera, turned about the vertical axis; 0 shows palms."""
    hands, joints = load_hands("open"), []
    for side in ("right", "left"):
        turn = Rotation.from_euler("y", turned_deg, degrees=True) * Rotation.from_matrix(UPRIGHT[side])
        pose = np.concatenate([turn.as_rotvec(), np.zeros(45)])
        vertices_mm = hands[side].vertices_world_mm(pose[None], np.zeros((1, 10)), np.zeros((1, 3)))
        joints.append(hands[side].joints_world_mm(vertices_mm)[0])
    return np.concatenate(joints)[None] + [0, 0, 900.0]


@pytest.mark.parametrize(("turned_deg", "sign"), [(0, 1), (40, 1), (-40, 1), (180, -1), (140, -1), (220, -1)])
def test_palms_are_told_from_backs_on_either_hand(turned_deg, sign):
    view = palm_view(joints_mm(turned_deg))
    assert view.shape == (1, 2)
    assert (sign * view > 0.3).all() and (abs(view) <= 1).all()


def test_a_mirrored_hand_shows_the_same_side():
    joints = joints_mm(30)
    mirrored = np.concatenate([joints[:, JOINTS_PER_HAND:], joints[:, :JOINTS_PER_HAND]], axis=1) * [-1, 1, 1]
    np.testing.assert_allclose(palm_view(mirrored), palm_view(joints)[:, ::-1])


@pytest.fixture
def index(run_config, synthetic_root):
    """Hands that show their palms to half of the cameras; the others are moved to the opposite side."""
    config = run_config(synthetic_root)
    make_index(config, "train")
    found = open_index(Layout.of(config).index("train"))
    rotation, position_mm = found.rotation.copy(), found.position_mm.copy()
    rotation[::2] = rotation[::2] @ np.diag([-1.0, 1.0, -1.0])
    position_mm[::2] = SUBJECT_MM + (position_mm[::2] - SUBJECT_MM) * [-1, 1, -1]
    return replace(found, rotation=rotation, position_mm=position_mm)


def single_views(index, positions):
    """How much of its palm each single hand among some samples shows."""
    hands = index.hand_type[positions]
    single = hands.sum(axis=1) == 1
    view = palm_view(index.seen_joints(positions[single])[0])
    return np.where(hands[single, 0], view[:, 0], view[:, 1])


def test_stages_follow_each_other(index):
    rows = np.arange(len(index))
    found = curriculum_of(index, rows, BEGINNING)
    assert found(0) is found(1) is found.palms
    assert found(2) is found(4) is found.few_backs
    assert found(5) is None
    everywhere, palms, mixed = (single_views(index, chosen) for chosen in (rows, found.palms, found.few_backs))
    assert (everywhere <= 0).sum() >= 2, "the cameras behind see backs"
    assert len(palms) == (everywhere > CLEARLY).sum() and (palms > CLEARLY).all()
    assert (mixed > 0).sum() == (everywhere > 0).sum()
    assert (mixed <= 0).sum() == min((everywhere <= 0).sum(), round((mixed > 0).sum() * FEW_BACKS / (1 - FEW_BACKS)))
    assert len(found.palms) <= 2 * len(palms) and len(found.few_backs) <= 2 * len(mixed)


def test_without_epochs_or_without_backs_there_is_none(index):
    rows = np.arange(len(index))
    assert curriculum_of(index, rows, TrainingSettings()) is None
    in_front = rows[index.camera_row % 2 == 1]
    assert curriculum_of(index, in_front, BEGINNING) is None


def test_an_epoch_draws_from_its_pool_only():
    pool = np.arange(0, 40, 2)
    sampler = EpochSampler(40, 8, seed=3, pool=lambda epoch: pool if epoch < 1 else None)
    first = np.array(list(sampler))
    assert len(first) == len(sampler) == 40 and set(first) == set(pool)
    sampler.set_epoch(1)
    assert sorted(set(sampler)) == list(range(40, 80))
    shares = [EpochSampler(40, 8, 3, rank, 2, pool=lambda _: pool) for rank in range(2)]
    together = np.concatenate([np.array(list(share)).reshape(5, 4) for share in shares], axis=1)
    np.testing.assert_array_equal(np.sort(together), np.sort(first.reshape(5, 8)))
