import hashlib
import json

import numpy as np
import pytest

from digit.samples.subsets import SUBSETS, subset_places, subset_rows


def test_subsets_equal_the_golden_draws(golden):
    vectors = json.loads((golden / "subsets.json").read_text())
    assert vectors
    for name, expected in vectors.items():
        count, subset = name.split("/")
        ids = (7 + 3 * np.arange(int(count)))[subset_places(subset, int(count))].tolist()
        digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
        assert (len(ids), ids[:12], ids[-3:]) == (expected["count"], expected["first"], expected["last"]), name
        assert digest == expected["sha256"], name


def test_tinytrain_is_the_first_twentieth_of_the_same_draw():
    places = subset_places("tinytrain", 5000)
    assert len(places) == 250
    assert places.tolist() == subset_places("minitrain", 5000)[:250].tolist()


@pytest.mark.parametrize("subset", sorted(SUBSETS))
def test_a_small_split_is_taken_whole_or_as_its_share(subset):
    places = subset_places(subset, 60)
    expected = {"smalltrain": 6, "smallval": 15, "smalltest": 15, "tinytrain": 3}.get(subset, 60)
    assert len(places) == len(set(places.tolist())) == expected
    if expected == 60:
        assert places.tolist() == list(range(60))


def test_rows_follow_the_draw_and_put_single_hands_first():
    count = 5000
    rng = np.random.default_rng(0)
    annotation_order = rng.permutation(count).astype(np.int32)
    hand_type = np.stack([np.ones(count, bool), rng.random(count) < 0.5], axis=1)
    rows = subset_rows("minival", annotation_order)
    assert annotation_order[rows].tolist() == subset_places("minival", count).tolist()
    grouped = subset_rows("minival", annotation_order, hand_type)
    interacting = hand_type[grouped].all(axis=1)
    assert not np.diff(interacting.astype(int)).min() < 0
    single = [row for row in rows if not hand_type[row].all()]
    assert grouped[: len(single)].tolist() == single


def test_an_unknown_subset_is_refused():
    with pytest.raises(ValueError, match="minitrain"):
        subset_places("minitrains", 10)
