import cv2
import numpy as np
import pytest

from digit.run.errors import UserError
from digit.samples.photographs import SHORTEST_PX, cut_out, photo_files, read_photo


@pytest.fixture
def album(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(10):
        picture = cv2.resize(rng.integers(0, 256, (8, 12, 3), np.uint8), (900, 600))
        cv2.imwrite(str(tmp_path / f"{k}.{'jpg' if k % 2 else 'JPEG'}"), picture)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_splits_share_no_photograph_and_leave_none_out(album):
    parts = [set(photo_files((str(album),), split)) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [6, 2, 2]
    assert len(set.union(*parts)) == 10


def test_photographs_of_an_installed_package_are_found():
    found = photo_files(("scikit-image",), "train")  # its data hold a few
    assert all(path.is_file() and path.suffix in (".jpg", ".jpeg") for path in found)
    assert found


@pytest.mark.parametrize("source", ["no-such-package-here", ""])
def test_a_source_that_is_not_there_says_so(source, tmp_path):
    with pytest.raises(UserError, match=r"augment\.spectra: .*(neither a folder|holds no JPEG)"):
        photo_files((source or str(tmp_path),), "train", "augment.spectra")


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    with pytest.raises(UserError, match=r"broken\.jpg: cannot be decoded"):
        read_photo(tmp_path / "broken.jpg")


def test_parts_of_a_photograph_have_the_size_asked_for_and_come_from_it(album):
    photo = read_photo(photo_files((str(album),), "train")[0])
    assert min(photo.shape[:2]) == SHORTEST_PX
    rng = np.random.default_rng(1)
    for width, height in ((320, 320), (160, 136), (40, 90)):
        part = cut_out(rng, photo, width, height)
        assert part.shape == (height, width, 3)
        assert part.min() >= photo.min() and part.max() <= photo.max()
        assert part.std() > 2
