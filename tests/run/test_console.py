"""Words of the log."""

import pytest

from digit.run.console import counted


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [(1, "input", "1 input"), (0, "box", "0 boxes"), (1, "box", "1 box"), (2000, "picture", "2,000 pictures")],
)
def test_things_are_counted_in_english(count, noun, words):
    assert counted(count, noun) == words
