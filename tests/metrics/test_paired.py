"""Differences between predictors: their sign, their intervals, and what pairing is for."""

import numpy as np
import pytest

from digit import metrics

FRAMES, VIEWS = 80, 3


def tallied(shift_mm: float = 0.0, noise_mm: float = 1.0, seed: int = 0) -> metrics.Tally:
    """Errors that depend on the frame (the same for every predictor), a shift and noise of the predictor's own."""
    n = FRAMES * VIEWS
    hardness = np.random.default_rng(99).gamma(4, 5, FRAMES).repeat(VIEWS)
    rng = np.random.default_rng(seed)
    interacting = np.arange(n) // VIEWS % 2 == 0
    joint_mm = np.abs(hardness[:, None] + shift_mm + rng.normal(0, noise_mm, (n, 42)))
    joint_mm[:, [20, 41]] = 0
    errors = metrics.Errors(
        joint_mm=joint_mm.astype(np.float32),
        joint_valid=np.ones((n, 42), dtype=bool),
        aligned_mm=(joint_mm / 2).astype(np.float32),
        aligned_valid=np.ones((n, 42), dtype=bool),
        interacting=interacting,
        root_mm=(joint_mm[:, 0] * interacting).astype(np.float32),
        root_valid=interacting,
        hand_correct=rng.random(n) < (0.9 if shift_mm <= 0 else 0.5),
        hand_valid=np.ones(n, dtype=bool),
    )
    return metrics.tally(errors, np.arange(n) // VIEWS)


def test_identical_predictions_differ_by_nothing():
    for difference in metrics.differences([tallied()], [tallied()], 200, 1).values():
        if difference.value is not None:
            assert difference.value == 0 and difference.interval == (0, 0) and difference.verdict == "undecided"


def test_equally_good_predictors_are_undecided():
    found = metrics.differences([tallied(seed=1, noise_mm=3.0)], [tallied(seed=2, noise_mm=3.0)], 400, 1)["mpjpe_all"]
    assert found.interval[0] < 0 < found.interval[1] and found.verdict == "undecided"


def test_pairing_narrows_the_interval_of_correlated_predictions():
    ours, theirs = tallied(shift_mm=-1.0, seed=1), tallied(seed=2)
    low, high = metrics.differences([ours], [theirs], 400, 1)["mpjpe_all"].interval
    one, other = (metrics.intervals(each, 400, seed)["mpjpe_all"] for each, seed in ((ours, 1), (theirs, 2)))
    unpaired = np.hypot(one[1] - one[0], other[1] - other[0])
    assert high - low < unpaired / 5
    assert low < -40 / 42 * 1.0 < high, "the shift of the finger joints, wrists pooled"


@pytest.mark.parametrize(("shift_mm", "errors", "shares"), [(-3.0, "better", "undecided"), (3.0, "worse", "worse")])
def test_the_sign_of_a_verdict_follows_the_metric(shift_mm, errors, shares):
    found = metrics.differences([tallied(shift_mm, seed=1)], [tallied(seed=2)], 300, 1)
    for name in ("mpjpe_sh", "mpjpe_ih", "mpjpe_all", "pa_mpjpe_all", "mrrpe"):
        assert found[name].verdict == errors and np.sign(found[name].value) == np.sign(shift_mm)
    assert found["handedness_accuracy"].verdict == shares
    assert found["pck_auc"].verdict == errors


def test_swapping_the_two_swaps_the_signs():
    ours, theirs = tallied(shift_mm=1.0, seed=1), tallied(seed=2)
    there, back = (metrics.differences([a], [b], 100, 3)["mpjpe_ih"] for a, b in ((ours, theirs), (theirs, ours)))
    assert there.value == -back.value
    np.testing.assert_allclose(there.interval, [-back.interval[1], -back.interval[0]])


def test_what_is_undefined_stays_undefined():
    """No mask was drawn, so part overlap is undefined; without resamples nothing has an interval."""
    found = metrics.differences([tallied(seed=1)], [tallied(seed=2)], 0, 1)
    assert found["part_iou"] == metrics.Difference(None, None, "undecided")
    assert found["mpjpe_all"].value is not None and found["mpjpe_all"].interval is None


def test_other_units_are_refused():
    other = tallied()
    with pytest.raises(ValueError, match="same units: 80 and 79"):
        metrics.differences([tallied()], [metrics.Tally(other.sums[1:], other.pck_counts, other.samples)], 10, 1)


def test_what_seeds_do_widens_the_interval():
    """Three trainings of each whose means differ by 3 mm, but which differ among themselves by 4."""
    shifts = (-4.0, 0.0, 4.0)
    ours = [tallied(shift_mm - 3, seed=k) for k, shift_mm in enumerate(shifts)]
    theirs = [tallied(shift_mm, seed=3 + k) for k, shift_mm in enumerate(shifts)]
    one = metrics.differences(ours[1:2], theirs[1:2], 400, 1)["mpjpe_all"]
    three = metrics.differences(ours, theirs, 400, 1)["mpjpe_all"]
    assert abs(one.value - three.value) < 0.1 and (one.verdict, three.verdict) == ("better", "undecided")
    same = metrics.differences(ours[1:2] * 3, theirs[1:2] * 3, 400, 1)["mpjpe_all"]
    np.testing.assert_allclose(same.interval, one.interval, atol=0.05)


def test_seeds_spread_a_mean_as_its_standard_error_says():
    """Of one frame that all frames equal, only seeds are left: sqrt(var / s) of each."""
    shifts = np.random.default_rng(5).normal(0, 2, 8)
    flat = [
        metrics.Tally(np.tile(t.sums.mean(axis=0), (FRAMES, 1)), t.pck_counts, t.samples)
        for t in (tallied(shift_mm, seed=1, noise_mm=0) for shift_mm in shifts)
    ]
    low, high = metrics.differences(flat, flat[:1], 4000, 1)["mpjpe_all"].interval
    expected = 2 * 1.96 * np.std(shifts * 40 / 42, ddof=1) / np.sqrt(len(shifts))
    assert abs((high - low) / expected - 1) < 0.1
