"""The image store as the reference writes it."""

import os
from pathlib import Path

import cv2
import numpy as np

from digit.original.reading import OriginalStore, read_images
from digit.samples.dataset import read_image
from digit.store.lmdb_file import LmdbFile

GOLDEN = Path(os.environ.get("DIGIT_GOLDEN") or Path(__file__).parent)
STORE = GOLDEN / "original_images.lmdb"


def test_pixels_equal_those_of_the_jpeg_files():
    keys = [key.decode() for key, _ in LmdbFile(STORE).keys_and_sizes() if not key.startswith(b"__")]
    assert keys
    for key in keys:
        split, _, name = key.partition("/")
        picture = cv2.imread(str(GOLDEN / "interhand_mini" / "images" / key), cv2.IMREAD_COLOR_RGB)
        height, width = picture.shape[:2]
        (content,) = read_images(OriginalStore(STORE, split, "images"), [name], [width], [height])
        assert isinstance(content, bytes), content
        np.testing.assert_array_equal(read_image(content, name), picture)
