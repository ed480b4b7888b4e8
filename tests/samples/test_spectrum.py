import numpy as np
import pytest

from digit.samples.spectrum import mix_amplitudes


def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    edge = rng.integers(80, 100, (64, 64, 3), np.uint8)
    edge[:, 32:] += 70
    return edge, rng.integers(60, 190, (64, 64, 3), np.uint8)


def amplitudes(picture: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft2(picture.astype(float), axes=(0, 1)))


def test_nothing_mixed_in_leaves_the_picture():
    picture, other = pictures()
    np.testing.assert_array_equal(mix_amplitudes(picture, other, 0.0), picture)


def test_amplitudes_approach_the_other_picture_and_edges_stay():
    picture, other = pictures()
    distances = [
        np.abs(amplitudes(mix_amplitudes(picture, other, share)) - amplitudes(other)).mean()
        for share in (0.0, 0.3, 0.7, 1.0)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.15 * distances[0]
    mixed = mix_amplitudes(picture, other, 0.5).astype(float)
    steps = np.abs(np.diff(mixed.mean(axis=(0, 2))))
    assert steps.argmax() == 31, "the edge moved"


@pytest.mark.parametrize("size", [(63, 64), (64, 63)])
def test_odd_sizes_keep_their_shape(size):
    picture = np.zeros((*size, 3), np.uint8)
    assert mix_amplitudes(picture, picture + 200, 0.5).shape == picture.shape
