from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.released import write_release
from tests.download.release_server import ReleaseServer

PIECE_BYTES = 20_011


@pytest.fixture
def released(tiny_release, tmp_path) -> Path:
    """The tiny release as the mirrors have it."""
    folder = tmp_path / "released"
    write_release(tiny_release, folder, PIECE_BYTES)
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[..., ReleaseServer]]:
    """Function that starts a mirror of a folder."""
    with ExitStack() as stack:
        yield lambda folder, **options: stack.enter_context(ReleaseServer(folder, **options))
