import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from digit.run.errors import UserError
from digit.synthetic.cameras import SUBJECT_MM, Camera, look_at
from digit.synthetic.illumination import dome_directions
from digit.synthetic.panoramas import Panorama, panorama_files, panorama_light, panorama_view, read_panorama


def write_hdr(path: Path, spot: tuple[int, int] | None = None) -> Path:
    """A grey panorama (64, 128) with a very bright spot at (row, column)."""
    pixels = np.full((64, 128, 3), 0.5, np.float32)
    if spot is not None:
        pixels[spot[0] - 1 : spot[0] + 2, spot[1] - 1 : spot[1] + 2] = 400.0
    assert cv2.imwrite(str(path), pixels)
    return path


def camera(towards: np.ndarray) -> Camera:
    rotation = look_at(SUBJECT_MM - 1000 * towards, SUBJECT_MM, 0.0)
    return Camera("400001", rotation, SUBJECT_MM - 1000 * towards, np.full(2, 150.0), np.full(2, 49.5), 100, 100, False)


def test_a_bright_spot_becomes_a_lamp_that_a_camera_sees_in_the_same_place(tmp_path):
    light = read_panorama(write_hdr(tmp_path / "spot.hdr", (20, 90)))
    for turn in (0.0, 1.1, -2.5):
        panorama = Panorama(light, turn)
        studio = panorama_light(panorama, dome_directions())
        assert len(studio.lamps.directions) == 1
        lamp = studio.lamps.directions[0]
        assert lamp[1] < -0.3, "the spot is above the horizon, and -y is up"
        view = panorama_view(panorama, camera(lamp)).mean(axis=2)
        row, column = np.mean(np.nonzero(view > view.max() / 2), axis=1)
        assert abs(row - 49.5) < 3 and abs(column - 49.5) < 3
        away = panorama_view(panorama, camera(-lamp))
        assert away.max() < 0.5 * view.max()


def test_no_light_is_lost_between_lamps_and_dome(tmp_path):
    light = read_panorama(write_hdr(tmp_path / "spot.hdr", (20, 90)))
    studio = panorama_light(Panorama(light, 0.3), dome_directions())
    rows = len(light)
    solid_angle = np.cos((np.arange(rows) + 0.5) / rows * np.pi - np.pi / 2) * (np.pi / rows) ** 2
    total = (light * solid_angle[:, None, None]).sum(axis=(0, 1)) / np.pi
    gathered = studio.lamps.radiance.sum(axis=0) + studio.dome.radiance.sum(axis=0)
    np.testing.assert_allclose(gathered, total, rtol=0.02)


def test_an_even_panorama_has_no_lamps(tmp_path):
    studio = panorama_light(Panorama(read_panorama(write_hdr(tmp_path / "even.hdr")), 0.0), dome_directions())
    assert studio.lamps.directions.shape == studio.lamps.radiance.shape == (0, 3)
    assert studio.dome.radiance.std() < 0.2 * studio.dome.radiance.mean()


def test_splits_share_no_panorama(tmp_path):
    for k in range(10):
        write_hdr(tmp_path / f"{k}.hdr")
    parts = [set(panorama_files((str(tmp_path),), split)) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [6, 2, 2] and len(set.union(*parts)) == 10


def test_what_is_no_panorama_is_named(tmp_path):
    with pytest.raises(UserError, match=r"synthetic\.panoramas: .* holds no \.hdr"):
        panorama_files((str(tmp_path),), "train")
    (tmp_path / "broken.hdr").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"broken\.hdr: is no HDR panorama"):
        read_panorama(tmp_path / "broken.hdr")


def test_openexr_is_read_as_a_file_and_as_a_data_address(tmp_path):
    openexr = pytest.importorskip("OpenEXR")
    pixels = np.random.default_rng(0).uniform(0.1, 2, (64, 128, 3)).astype(np.float32)
    openexr.File({"compression": openexr.ZIP_COMPRESSION}, {"RGB": pixels}).write(str(tmp_path / "a.exr"))
    encoded = base64.b64encode((tmp_path / "a.exr").read_bytes()).decode()
    (tmp_path / "a.exr.js").write_text(f"export default 'data:application/exr;base64,{encoded}'")
    first, second = (read_panorama(tmp_path / name) for name in ("a.exr", "a.exr.js"))
    np.testing.assert_array_equal(first, second)
    (tmp_path / "b.exr").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"b\.exr: is no HDR panorama"):
        read_panorama(tmp_path / "b.exr")
