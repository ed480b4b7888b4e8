"""What is known of the camera."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from digit.predictor.camera import Intrinsics, exif_focal_px
from digit.predictor.pictures import decode_photograph
from digit.run.errors import UserError


def test_a_field_of_view_is_assumed_across_the_longer_side():
    for size in ((640, 480), (480, 640)):
        camera = Intrinsics.of(*size)
        assert np.degrees(2 * np.arctan(320 / camera.focal_px)) == pytest.approx(60)
        np.testing.assert_allclose(camera.princpt_px, (np.array(size) - 1) / 2)
        assert camera.focal_from == "assumed field of view of 60 degrees"
    given = Intrinsics.of(640, 480, 700)
    assert given.focal_px.tolist() == [700, 700] and given.focal_from == "given"


@pytest.mark.parametrize("focal", [0, -1, float("nan"), float("inf")])
def test_what_is_no_focal_length_is_named(focal):
    with pytest.raises(UserError, match="give a positive number of px"):
        Intrinsics.of(640, 480, focal)


def tags(**values):
    return {getattr(Base, name): value for name, value in values.items()}


def test_exif_tells_the_focal_length():
    phone = tags(FocalLengthIn35mmFilm=26, FocalLength=5.4)
    for size in ((4000, 3000), (3000, 4000)):
        assert exif_focal_px(phone, *size) == pytest.approx(26 / 43.267 * 5000, rel=1e-4)
    camera = tags(FocalLength=50.0, FocalPlaneXResolution=4000 / 36, FocalPlaneResolutionUnit=4, ExifImageWidth=4000)
    assert exif_focal_px(camera, 4000, 2667) == pytest.approx(50 * 4000 / 36)
    assert exif_focal_px(camera, 2000, 1333) == pytest.approx(50 * 2000 / 36), "made smaller since"
    inches = camera | tags(FocalPlaneXResolution=4000 / 36 * 25.4, FocalPlaneResolutionUnit=2)
    assert exif_focal_px(inches, 4000, 2667) == pytest.approx(50 * 4000 / 36)


@pytest.mark.parametrize(
    "lens",
    [{}, {"FocalLength": 5.4}, {"FocalLengthIn35mmFilm": 0}, {"FocalLengthIn35mmFilm": 65535},
     {"FocalLengthIn35mmFilm": "wide"}, {"FocalLengthIn35mmFilm": float("nan")}, {"FocalLengthIn35mmFilm": -26},
     {"FocalLength": 5.4, "FocalPlaneXResolution": 100, "FocalPlaneResolutionUnit": 77}],
)  # fmt: skip
def test_tags_that_tell_nothing_are_not_believed(lens):
    assert exif_focal_px(tags(**lens), 4000, 3000) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_focal_length_is_read_from_files(kind):
    exif = Image.Exif()
    exif[274] = 6
    exif.get_ifd(IFD.Exif)[Base.FocalLengthIn35mmFilm] = 26
    file = io.BytesIO()
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(file, kind, exif=exif.tobytes())
    pixels, focal_px = decode_photograph(file.getvalue(), "x")
    assert pixels.shape == (40, 30, 3) and focal_px == pytest.approx(26 / 43.267 * 50, rel=1e-4)
