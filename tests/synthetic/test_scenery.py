from collections import Counter

import cv2
import numpy as np
import pytest

from digit.synthetic.scenery import KINDS, choose_kind, paint_scenery, spectrum_noise


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "a.jpg"
    picture = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(picture, (900, 700)))
    return (path,)


@pytest.mark.parametrize("kind", KINDS)
def test_surroundings_are_light_of_the_size_asked_for(kind, photos):
    rng, levels = np.random.default_rng(1), []
    for _ in range(12):
        picture = paint_scenery(rng, kind, photos, 97, 64)
        assert picture.shape == (64, 97, 3) and picture.dtype == np.float32
        assert np.isfinite(picture).all() and picture.min() >= 0
        levels.append(picture.mean())
    assert np.std(levels) > 0.005


def test_without_photographs_none_is_shown():
    rng = np.random.default_rng(2)
    kinds = Counter(choose_kind(rng, ()) for _ in range(400))
    assert set(kinds) == set(KINDS) - {"photo"}
    assert "photo" in Counter(choose_kind(rng, ("some.jpg",)) for _ in range(50))


def test_noise_is_coarse_rather_than_fine():
    noise = spectrum_noise(np.random.default_rng(3), 64, 64).mean(axis=2)
    amplitude = np.abs(np.fft.fft2(np.log(noise)))
    assert amplitude[1:4, 1:4].mean() > 5 * amplitude[20:30, 20:30].mean()
