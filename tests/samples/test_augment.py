"""Augmentation: distributions of the protocol, and independence from how samples are grouped."""

from dataclasses import replace

import numpy as np
import pytest

from digit.config import AugmentSettings
from digit.samples.augment import MOST_MIXED, draw_augmentation, no_augmentation

PAPER = AugmentSettings()


def draw(count=4000, settings=PAPER, seed=1, epoch=0):
    return draw_augmentation(settings, seed, np.full(count, epoch), np.arange(count))


def test_a_draw_depends_only_on_seed_epoch_and_row():
    whole = draw(count=10, epoch=3)
    part = draw_augmentation(PAPER, 1, np.array([3, 3]), np.array([7, 2]))
    np.testing.assert_array_equal(part.shift, whole.shift[[7, 2]])
    np.testing.assert_array_equal(part.rotation_rad, whole.rotation_rad[[7, 2]])
    np.testing.assert_array_equal(part.color, whole.color[[7, 2]])


@pytest.mark.parametrize("changed", [{"seed": 2}, {"epoch": 1}])
def test_another_seed_or_epoch_draws_anew(changed):
    assert not np.allclose(draw(count=10).shift, draw(count=10, **changed).shift)


def test_ranges_are_those_of_the_paper():
    drawn = draw()
    assert np.abs(drawn.shift).max() == pytest.approx(0.15, abs=0.001)
    assert drawn.scale.min() == 0.75 and drawn.scale.max() == 1.25
    assert np.abs(np.degrees(drawn.rotation_rad)).max() == pytest.approx(90)
    assert (drawn.rotation_rad != 0).mean() == pytest.approx(0.6, abs=0.03)
    assert drawn.flip.mean() == pytest.approx(0.5, abs=0.03)
    assert drawn.color.min() == pytest.approx(0.8, abs=0.001) and drawn.color.max() == pytest.approx(1.2, abs=0.001)


def test_spectra_are_mixed_as_often_as_asked_and_change_no_other_draw():
    drawn, plain = draw(settings=replace(PAPER, spectrum_mix=0.3)), draw()
    assert (drawn.spectrum_share > 0).mean() == pytest.approx(0.3, abs=0.03)
    assert drawn.spectrum_share.max() == pytest.approx(MOST_MIXED, abs=0.01)
    assert not plain.spectrum_share.any()
    for name in ("shift", "scale", "rotation_rad", "flip", "color"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(plain, name))


def test_ranges_of_zero_leave_samples_as_they_are():
    still = AugmentSettings(translation=0, scale=0, rotation_deg=0, rotation_probability=1, flip_probability=0, color=0)
    drawn, nothing = draw(count=5, settings=still), no_augmentation(5)
    for name in ("shift", "scale", "rotation_rad", "flip", "color"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(nothing, name))
