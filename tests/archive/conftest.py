import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.released import BATCH, image_members, member, write_checksums, write_pieces

PIECE_BYTES = 20_011


@pytest.fixture
def archive(tiny_release, tmp_path) -> Path:
    """The images of the tiny release in pieces of :data:`PIECE_BYTES`, with their sums."""
    folder = tmp_path / "pieces"
    write_checksums(folder, write_pieces(folder, PIECE_BYTES, image_members(tiny_release)))
    return folder


@pytest.fixture
def pack(tmp_path) -> Callable[..., Path]:
    """Function that packs ``{path below images/: content}`` to pieces: ``pack(files, piece_bytes, format)``."""

    def make(files, piece_bytes=4_001, tar_format=tarfile.GNU_FORMAT, folder="pieces") -> Path:
        members = [(member(f"{BATCH}/images/{name}", len(content)), content) for name, content in files.items()]
        write_pieces(tmp_path / folder, piece_bytes, members, tar_format)
        return tmp_path / folder

    return make
