"""Part masks as PNG files."""

import cv2
import numpy as np

from digit.store.masks import encode_mask


def test_masks_survive_encoding():
    mask = np.random.default_rng(0).integers(0, 33, (40, 50)).astype(np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(encode_mask(mask), np.uint8), cv2.IMREAD_UNCHANGED), mask)
