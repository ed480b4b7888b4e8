"""The One-Euro filter: what it does to rest, to motion and to time."""

import math

import numpy as np
import pytest

from digit.predictor.one_euro import OneEuro


def filtered(signal, rate_hz=30.0, unit=1.0, **settings):
    one_euro = OneEuro(**settings)
    return np.array([one_euro(points, k / rate_hz, unit) for k, points in enumerate(signal)])


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_it_is_the_published_filter(rng):
    """Written out for one number, as Casiez et al. give it."""
    values, rate_hz, last, speed, expected = rng.normal(0, 3, 50), 25.0, None, 0.0, []

    def alpha(cutoff_hz):
        return 1 / (1 + rate_hz / (2 * math.pi * cutoff_hz))

    for value in values:
        if last is None:
            last = value
        else:
            speed += alpha(1.3) * ((value - last) * rate_hz - speed)
            last += alpha(0.8 + 0.2 * abs(speed)) * (value - last)
        expected.append(last)
    found = filtered(values[:, None, None], rate_hz, min_cutoff_hz=0.8, beta=0.2, speed_cutoff_hz=1.3)
    np.testing.assert_allclose(found[:, 0, 0], expected, atol=1e-12)


def test_rest_stays_where_it_is_and_noise_shrinks(rng):
    still = np.broadcast_to(rng.normal(0, 9, (21, 2)), (40, 21, 2))
    np.testing.assert_array_equal(filtered(still), still)
    noisy = still + rng.normal(0, 0.02, still.shape)
    assert (filtered(noisy)[10:] - still[10:]).std() < 0.6 * 0.02


def test_fast_motion_lags_less_than_slow_motion(rng):
    ramp = np.arange(90)[:, None, None] / 30.0
    slow, fast = ((filtered(speed * ramp) - speed * ramp)[-1, 0, 0] / -speed for speed in (0.1, 10.0))
    assert 0 < fast < slow / 4


def test_points_do_not_mix_and_turning_or_shifting_the_picture_changes_nothing(rng):
    walk = rng.normal(0, 1, (30, 3, 2)).cumsum(axis=0)
    alone = np.concatenate([filtered(walk[:, k : k + 1]) for k in range(3)], axis=1)
    np.testing.assert_allclose(filtered(walk), alone, atol=1e-12)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(filtered(walk @ turn + 100), filtered(walk) @ turn + 100, atol=1e-9)


def test_size_counts_as_the_unit_says(rng):
    walk = rng.normal(0, 1, (30, 3, 2)).cumsum(axis=0)
    np.testing.assert_allclose(filtered(50 * walk, unit=50.0), 50 * filtered(walk), atol=1e-9)


def test_it_stays_between_what_it_has_seen(rng):
    jumps = rng.uniform(-1, 1, (200, 4, 1)) * 10 ** rng.uniform(-3, 3, (200, 1, 1))
    found = filtered(jumps)
    assert (found >= np.minimum.accumulate(jumps) - 1e-9).all() and (found <= np.maximum.accumulate(jumps) + 1e-9).all()


def test_time_that_stands_still_or_goes_back_changes_nothing(rng):
    one_euro = OneEuro()
    first = one_euro(rng.normal(0, 1, (5, 2)), 1.0)
    for time_s in (1.0, 0.5):
        np.testing.assert_array_equal(one_euro(rng.normal(0, 1, (5, 2)), time_s), first)


def test_motion_goes_on_as_expected():
    one_euro = OneEuro()
    for k in range(60):
        one_euro(np.full((1, 2), 3.0 * k / 30), k / 30)
    ahead, here = one_euro.expected(59 / 30 + 0.1), one_euro.expected(59 / 30)
    np.testing.assert_allclose(ahead - here, 0.3, rtol=0.05)
