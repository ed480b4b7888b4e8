"""Which hand fits are accepted, and what is said of the others."""

import numpy as np

from digit.data.fits import FitTable, judge_fits, mean_over_valid


def test_without_a_threshold_every_fit_is_accepted():
    table = FitTable(
        np.array([[True, True], [False, True]]),
        np.array([[999.0, np.nan], [np.nan, 1]]),
        np.ones((2, 2)),
        np.zeros(2, np.uint64),
    )
    valid, reasons = judge_fits(table, np.array([[True, False], [False, True]]), None)
    np.testing.assert_array_equal(valid, table.fitted)
    assert reasons == ["", ""]


def test_a_hand_outside_the_picture_is_noted():
    table = FitTable(np.ones((1, 2), bool), np.ones((1, 2)), np.array([[0, 12]]), np.zeros(1, np.uint64))
    valid, reasons = judge_fits(table, np.ones((1, 2), bool), 5.0)
    assert valid.all() and reasons == ["right: not in the picture"]


def test_mean_over_valid_ignores_what_is_not():
    distances = np.full((2, 42), 7.0)
    distances[0, :20], distances[1, 21:] = 1e9, np.nan
    valid = np.ones((2, 42), bool)
    valid[0, :20] = False
    np.testing.assert_array_equal(mean_over_valid(distances, valid), [[7, 7], [7, np.nan]])
