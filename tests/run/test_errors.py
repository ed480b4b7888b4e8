"""What a failure tells the person at the keyboard, wherever it happened."""

import errno
import os

import pytest
import torch
from torch.utils.data import DataLoader

from digit.run.errors import UserError, words_for_people
from tests.forked import CONTEXT

MESSAGE = "images/train/0.lmdb: 'a.jpg' is damaged:\n  - first\n  - second; run `digit images` again"


class Damaged(torch.utils.data.Dataset):
    """A data set that cannot be read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 4

    def __getitem__(self, place: int) -> int:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise self.error from inner


def load(rank: int, error: Exception, workers: int) -> None:
    """Read a damaged data set in worker processes."""
    list(DataLoader(Damaged(error), num_workers=workers))


def load_elsewhere(error: Exception, workers: int) -> None:
    """The same in a process of its own, as one of several in a training."""
    torch.multiprocessing.start_processes(load, (error, workers), start_method=CONTEXT.get_start_method())


def caught(function, *arguments) -> Exception:
    with pytest.raises(Exception) as raised:
        function(*arguments)
    return raised.value


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_user_error_keeps_its_words_through_processes(workers, elsewhere):
    if elsewhere:
        error = caught(load_elsewhere, UserError(MESSAGE), workers)
        assert "Process 0 terminated" in str(error)
    else:
        error = caught(load, 0, UserError(MESSAGE), workers)
    assert words_for_people(error) == MESSAGE


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_defect_keeps_its_traceback(elsewhere):
    if elsewhere:
        error = caught(load_elsewhere, RuntimeError("defect"), 1)
    else:
        error = caught(load, 0, RuntimeError("defect"), 1)
    assert words_for_people(error) is None and "defect" in str(error)


def test_a_defect_while_a_user_error_was_handled_is_a_defect():
    text = "\ndigit.errors.UserError: words\n\nDuring ...\n\nTraceback (most recent call last):\n ...\nKeyError: 1"
    assert words_for_people(torch.multiprocessing.ProcessRaisedException(text, 0, 1)) is None


def test_what_the_system_refuses_is_named(tmp_path):
    (tmp_path / "file").touch()
    assert words_for_people(caught((tmp_path / "none").read_bytes)) == f"{tmp_path}/none: No such file or directory"
    blocked = caught((tmp_path / "file" / "x" / "y").mkdir)
    assert words_for_people(blocked) == f"{tmp_path}/file is a file, not a folder"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert words_for_people(full) == "No space left on device"
    assert words_for_people(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) is None
    assert words_for_people(OSError("12 requested and 0 written")) is None
