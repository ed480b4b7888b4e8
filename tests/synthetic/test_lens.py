import cv2
import numpy as np
import pytest

from digit.synthetic import lens


def develop(light: float, level: float, seed: int, grey: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    linear = np.full((60, 80, 3), light, np.float32) * np.array([1.0, 0.7, 0.5], np.float32)
    return lens.develop(rng, linear, lens.exposure(rng, level), grey)


def test_pictures_keep_their_size_and_have_skin_neither_black_nor_white():
    means = []
    for seed in range(60):
        picture = develop(0.3, 0.3 * 2.2 / 3, seed)
        assert picture.shape == (60, 80, 3) and picture.dtype == np.uint8
        means.append(picture.mean())
    assert 60 < np.median(means) < 190
    assert np.mean((np.array(means) > 25) & (np.array(means) < 245)) > 0.9


def test_exposure_makes_up_for_most_of_the_light():
    dark, bright = (np.median([develop(light, light, seed).mean() for seed in range(40)]) for light in (0.05, 1.0))
    assert dark < bright < 2.2 * dark


def test_red_light_comes_out_red_and_a_grey_camera_gives_three_equal_channels():
    blue, green, red = np.mean([develop(0.3, 0.2, seed).mean(axis=(0, 1)) for seed in range(20)], axis=0)
    assert red > green > blue
    for seed in range(10):
        picture = develop(0.3, 0.2, seed, grey=True)
        assert np.ptp(picture.astype(int), axis=2).max() == 0
        assert picture.std() > 0


def test_blur_keeps_the_light_and_smooths_edges():
    picture = np.zeros((64, 64, 3), np.float32)
    picture[:, 32:] = 1
    for seed in range(30):
        blurred = lens.blur(np.random.default_rng(seed), picture)
        assert blurred[20:44, 12:52].mean() == pytest.approx(0.5, abs=0.02)
        assert np.abs(np.diff(blurred, axis=1)).max() < 0.99


def test_files_are_jpegs_of_all_qualities():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    files = [lens.encode(rng, picture) for _ in range(30)]
    assert all(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR).shape == picture.shape for file in files)
    assert max(map(len, files)) > 1.8 * min(map(len, files))
