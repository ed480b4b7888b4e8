from collections import Counter

import numpy as np
import pytest

from digit.config import SPLITS, SyntheticSettings
from digit.synthetic.plan import make_capture, plan_split

SETTINGS = SyntheticSettings(train_images=163, val_images=16, test_images=40, cameras=4, captures=3)


@pytest.mark.parametrize(("split", "images"), [("train", 163), ("val", 16), ("test", 40)])
def test_the_plan_has_exactly_the_images_asked_for(split, images):
    frames = plan_split(7, split, SETTINGS)
    assert sum(len(frame.cameras) for frame in frames) == images
    assert all(len(set(frame.cameras)) == len(frame.cameras) for frame in frames)
    assert len({(frame.capture, frame.frame_idx) for frame in frames}) == len(frames)
    assert {frame.capture for frame in frames} == {0, 1, 2}


def test_half_of_the_frames_interact():
    types = Counter(frame.hand_type for frame in plan_split(7, "train", SETTINGS))
    assert types == {"interacting": 20, "right": 11, "left": 10}


def test_no_two_captures_share_a_subject():
    subjects = [make_capture(7, split, k, SETTINGS).subject for split in SPLITS for k in range(3)]
    assert len({subject.number for subject in subjects}) == 9
    assert len({subject.shape.tobytes() for subject in subjects}) == 9
    assert len({subject.tone for subject in subjects}) == 9


def test_subjects_of_a_split_differ_in_size():
    sizes = np.sort([make_capture(7, "train", k, SETTINGS).subject.shape[0] for k in range(3)])
    assert sizes[0] < -0.43 < sizes[1] < 0.44 < sizes[2]
