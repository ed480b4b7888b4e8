"""Which hand fits are accepted, and what is said of the others."""

import contextlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digit.run.errors import UserError
from digit.samples.fits import FitTable, judge_fits, mean_over_valid, read_fits, read_hands, write_fits
from digit.samples.index import COLUMNS, SplitIndex


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


@pytest.fixture
def written(tmp_path):
    """A table of 64 samples."""
    rng, count = np.random.default_rng(3), 64
    columns = dict.fromkeys(COLUMNS, np.zeros(count)) | {"hand_type": np.ones((count, 2), bool)}
    columns["file_name"] = np.array([f"Capture0/s/cam4/image{k}.jpg".encode() for k in range(count)])
    table = FitTable.empty(count)
    table.fitted[:], table.error_mm[:] = rng.random((count, 2)) < 0.5, rng.uniform(0, 20, (count, 2))
    path = tmp_path / "0.fit.parquet"
    write_fits(path, SplitIndex(Path(), {}, **columns), np.arange(count), table, 10.0, "a test", "a pair")
    return path, table


def test_what_is_written_is_read(written):
    path, table = written
    hands = read_hands([path], 64)
    np.testing.assert_array_equal(hands.drawn, table.fitted)
    np.testing.assert_array_equal(hands.accepted, table.fitted & (table.error_mm <= 10))
    assert hands.pairs == ["a pair"] and len(read_fits([path], 64)) == 64


def test_a_byte_that_changed_on_the_disk_is_noticed_or_harmless(written):
    path, _ = written
    content, whole = path.read_bytes(), read_hands([path], 64)
    for place in range(4, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        with contextlib.suppress(UserError):
            hands = read_hands([path], 64)
            np.testing.assert_array_equal(hands.drawn, whole.drawn)
            np.testing.assert_array_equal(hands.accepted, whole.accepted)


BOOLS = dict.fromkeys(["fitted_right", "fitted_left", "valid_right", "valid_left"], pa.array([True]))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"row": pa.array([0])}, "no column fitted_right of bool"),
        ({"row": pa.array(["a"]), **BOOLS}, "no column row of int64"),
        ({"row": pa.array([None], pa.int64()), **BOOLS}, "nothing in some rows of column row"),
        ({"row": pa.array([0]), **BOOLS, "valid_left": pa.array([None], pa.bool_())}, "column valid_left"),
    ],
)
def test_a_foreign_table_is_named(tmp_path, columns, message):
    path = tmp_path / "0.fit.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(UserError, match=rf"0\.fit\.parquet: .*{message}; run `digit parts`"):
        read_hands([path], 1)
