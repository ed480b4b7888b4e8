"""Part masks as PNG files."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.store.masks import decode_mask, encode_mask

STRATEGIES = (
    cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
    cv2.IMWRITE_PNG_STRATEGY_FIXED,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
)


def blobs(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for label in rng.integers(1, 33, rng.integers(0, 30)):
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.circle(mask, center, int(rng.integers(1, 40)), int(label), -1)
    return mask


def encode(mask: np.ndarray, strategy: int, filtered: bool = False) -> bytes:
    kind = cv2.IMWRITE_PNG_FILTER_SUB if filtered else cv2.IMWRITE_PNG_FILTER_NONE
    options = (cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_STRATEGY, strategy, cv2.IMWRITE_PNG_FILTER, kind)
    return cv2.imencode(".png", mask, options)[1].tobytes()


def test_masks_survive_encoding():
    mask = np.random.default_rng(0).integers(0, 33, (40, 50)).astype(np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(encode_mask(mask), np.uint8), cv2.IMREAD_UNCHANGED), mask)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(1, 400))
def test_reads_what_parts_writes(seed, height, width):
    mask = blobs(seed, height, width)
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_reads_any_compression(strategy):
    mask = blobs(3, 100, 120)
    noise = np.random.default_rng(0).integers(0, 33, (60, 80), np.uint8)
    assert np.array_equal(decode_mask(encode(mask, strategy)), mask)
    assert np.array_equal(decode_mask(encode(noise, strategy)), noise)


def test_leaves_other_files_to_others():
    color = cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    gradient = np.tile(np.arange(200, dtype=np.uint8), (50, 1))
    filtered = encode(gradient, cv2.IMWRITE_PNG_STRATEGY_DEFAULT, filtered=True)
    several_blocks = encode(np.random.default_rng(0).integers(0, 33, (300, 300), np.uint8), STRATEGIES[0])
    jpeg = cv2.imencode(".jpg", np.zeros((9, 9), np.uint8))[1].tobytes()
    for content in (color, filtered, several_blocks, jpeg, b"", b"\x89PNG\r\n\x1a\n" * 20):
        assert decode_mask(content) is None


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 50), st.data())
def test_damage_is_found_or_harmless(seed, data):
    mask = blobs(seed, 60, 90)
    content = bytearray(encode(mask, STRATEGIES[seed % 4]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for damaged in (bytes(content), bytes(content[:cut])):
        labels = decode_mask(damaged)
        assert labels is None or labels.dtype == np.uint8
