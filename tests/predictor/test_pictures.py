"""Pictures as phones, cameras, scanners and editors leave them, against the pixels that a viewer shows."""

import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from digit.predictor.pictures import decode_picture, read_picture
from digit.run.errors import UserError

UPRIGHT = np.kron(
    np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 255], [0, 0, 0], [255, 255, 0]]], np.uint8),
    np.ones((16, 16, 1), np.uint8),
)
"""Six colours that tell all eight orientations apart."""
STORED_AS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}
"""What a file of each orientation holds of an upright picture (EXIF 2.3, tag 274)."""


def encode(pixels, kind, orientation=None, **options):
    exif = Image.Exif()
    if orientation is not None:
        exif[274] = orientation
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, kind, exif=exif.tobytes(), **options)
    return file.getvalue()


def same(found, expected, tolerance=40):
    assert found.dtype == np.uint8 and found.shape == expected.shape
    middles = np.s_[8::16, 8::16]  # blocks are 16 px, so that lossy kinds agree in their middles
    np.testing.assert_allclose(found[middles].astype(int), expected[middles].astype(int), atol=tolerance)


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_every_orientation_of_every_kind(kind, orientation):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    same(decode_picture(encode(STORED_AS[orientation](UPRIGHT), kind, orientation), "x"), UPRIGHT)


@pytest.mark.parametrize("orientation", [0, 9, 400])
def test_an_orientation_that_does_not_exist_is_none(orientation):
    same(decode_picture(encode(UPRIGHT, "JPEG", orientation), "x"), UPRIGHT)


def test_damaged_metadata_leave_the_picture_as_it_is():
    png = encode(UPRIGHT, "PNG")
    broken = png[:33] + chunk(b"eXIf", b"\xff\xffnothing\0") + png[33:]
    same(decode_picture(broken, "x"), UPRIGHT)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deep(samples, kind, orientation=None, tags=()):
    """A file of 16-bit samples (H, W, C), written by hand."""
    height, width, channels = samples.shape
    if kind == "PNG":
        color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0))
        exif = Image.Exif()
        exif[274] = orientation or 1
        metadata = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        return b"\x89PNG\r\n\x1a\n" + header + metadata + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    data = samples.astype("<u2").tobytes()
    photometric = 1 if channels < 3 else 2
    entries = {256: width, 257: height, 259: 1, 262: photometric, 273: 8, 274: orientation or 1, 277: channels}
    entries |= {278: height, 279: len(data), **dict(tags)}
    if channels in (2, 4):
        entries[338] = 2
    lists = 8 + len(data) + 2 + 12 * (len(entries) + 1) + 4
    entries[258] = 16 if channels == 1 else lists
    out = b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(entries))
    for tag, value in sorted(entries.items()):
        short = tag not in (273, 279) and not (tag == 258 and channels > 1)
        count = channels if tag == 258 and channels > 1 else 1
        out += struct.pack("<HHII", tag, 3 if short or tag == 258 else 4, count, value)
    return out + struct.pack("<I", 0) + struct.pack(f"<{channels}H", *[16] * channels)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_samples_are_scaled_by_the_bits_that_they_use(kind, bits, caplog):
    caplog.set_level("INFO", "digit")
    largest = (1 << bits) - 1
    samples = (UPRIGHT.astype(float) / 255 * largest).round().astype(np.uint16)
    same(decode_picture(deep(samples, kind), "scan.png"), UPRIGHT, tolerance=0)
    grey = samples[..., :1]
    same(decode_picture(deep(grey, kind), "x"), np.repeat(UPRIGHT[..., :1], 3, 2), tolerance=0)
    assert ("scan.png: uses" in caplog.text) == (bits < 16)


def test_opaque_samples_do_not_hide_how_few_bits_the_colours_use():
    twelve = (UPRIGHT.astype(np.uint32) * 4095 // 255).astype(np.uint16)
    for opaque in (4095, 65535):
        alpha = np.full((*UPRIGHT.shape[:2], 1), opaque, np.uint16)
        for kind in ("PNG", "TIFF"):
            same(decode_picture(deep(np.dstack([twelve, alpha]), kind), "x"), UPRIGHT, tolerance=0)


def test_a_dark_tiff_that_says_what_its_largest_value_is_stays_dark():
    dim = UPRIGHT.astype(np.uint16) * 10
    found = decode_picture(deep(dim, "TIFF", tags={281: 65535}.items()), "x")
    assert found.max() == round(2550 / 257)


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_every_orientation_of_deep_pictures(kind, orientation):
    samples = STORED_AS[orientation](UPRIGHT.astype(np.uint16) * 257)
    same(decode_picture(deep(samples, kind, orientation), "x"), UPRIGHT, tolerance=0)


def test_colours_of_every_kind_become_rgb():
    image = Image.fromarray(UPRIGHT)
    grey = np.repeat(np.array(image.convert("L"))[..., None], 3, 2)
    same(decode_picture(encode(np.array(image.convert("L")), "PNG"), "x"), grey)
    for mode, kind in (("P", "PNG"), ("P", "GIF"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("RGBA", "WEBP")):
        file = io.BytesIO()
        image.convert(mode).save(file, kind)
        same(decode_picture(file.getvalue(), "x"), UPRIGHT)
    file = io.BytesIO()
    image.convert("L").convert("1").save(file, "BMP")
    assert set(np.unique(decode_picture(file.getvalue(), "x"))) == {0, 255}


def test_what_is_transparent_is_white():
    alpha = np.zeros(UPRIGHT.shape[:2], np.uint8)
    alpha[:, 16:] = 255
    expected = UPRIGHT.copy()
    expected[:, :16] = 255
    same(decode_picture(encode(np.dstack([UPRIGHT, alpha]), "PNG"), "x"), expected, tolerance=0)
    deeper = np.dstack([UPRIGHT, alpha]).astype(np.uint16) * 257
    same(decode_picture(deep(deeper, "PNG"), "x"), expected, tolerance=0)
    indexed = Image.fromarray(UPRIGHT).convert("P", palette=Image.Palette.ADAPTIVE)
    file = io.BytesIO()
    indexed.save(file, "PNG", transparency=indexed.getpixel((0, 0)))
    same(decode_picture(file.getvalue(), "x"), np.where((UPRIGHT[0, 0] == UPRIGHT).all(2)[..., None], 255, UPRIGHT))


def several(kind, **options):
    frames = [Image.fromarray(UPRIGHT[:, ::step]) for step in (1, -1)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_several_pictures_in_one_file_are_refused(kind):
    with pytest.raises(UserError, match=r"clip\.x: holds 2 pictures .*save the one to use"):
        decode_picture(several(kind), "clip.x")


def test_a_phone_s_second_picture_and_a_scanner_s_thumbnail_do_not_matter():
    same(decode_picture(several("MPO"), "x"), UPRIGHT)
    small = Image.fromarray(UPRIGHT[::4, ::4])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    file = io.BytesIO()
    Image.fromarray(UPRIGHT).save(file, "TIFF", save_all=True, append_images=[small])
    same(decode_picture(file.getvalue(), "x"), UPRIGHT)


def test_a_raw_file_s_preview_is_not_taken_for_the_picture():
    file = io.BytesIO()
    Image.fromarray(UPRIGHT).save(file, "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(UserError, match="raw file"):
        decode_picture(file.getvalue(), "x.dng")


@pytest.mark.parametrize("number", [np.float32, np.int32, np.int16])
def test_numbers_without_a_scale_are_refused(number):
    file = io.BytesIO()
    if number is np.int16:
        content = bytearray(deep(np.ones((8, 8, 1), np.uint16), "TIFF", tags={339: 2}.items()))
    else:
        Image.fromarray(np.ones((8, 8), number)).save(file, "TIFF")
        content = file.getvalue()
    with pytest.raises(UserError, match="depth\\.tif: is a TIFF of numbers without a known scale; save it with 8"):
        decode_picture(bytes(content), "depth.tif")


def huge_png(side):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_what_cannot_be_decoded_is_explained():
    jpeg, png = encode(UPRIGHT, "JPEG"), encode(UPRIGHT, "PNG")
    bomb = png[:33] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b" " * (1 << 22))) + png[33:]
    for content, message in (
        (b"", "is empty"),
        (b"some text", "is not a JPEG"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "is no picture but what macOS leaves"),
        (jpeg[: len(jpeg) // 2], "is damaged or cut off"),
        (jpeg[:20], "is not a JPEG|is damaged"),
        (png[:-30], ".*damaged"),
        (png[:60] + b"\0\0\0\0" + png[64:], ".*damaged"),
        (bomb, ".*damaged"),
        (huge_png(40_000), "has 1,600 million pixels, and at most"),
        (huge_png(2_000_000_000), "has .* million pixels"),
    ):
        with pytest.raises(UserError, match=f"^photo: ({message})"):
            decode_picture(content, "photo")


def test_damage_that_is_patched_up_is_said(caplog):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    sound = encode(noise, "JPEG", quality=95)
    middle = len(sound) // 2
    damaged = sound[:middle] + b"\xff\xd0" * 30 + sound[middle + 60 :]
    assert decode_picture(sound, "a.jpg").shape == (64, 64, 3) and not caplog.text
    assert decode_picture(damaged, "a.jpg").shape == (64, 64, 3)
    assert "a.jpg: is damaged inside" in caplog.text
    caplog.clear()
    for content in (encode(noise[..., 0], "JPEG"), encode(noise, "JPEG", progressive=True), several("MPO")):
        decode_picture(content, "a.jpg")
    file = io.BytesIO()
    Image.fromarray(noise).convert("CMYK").save(file, "JPEG")
    decode_picture(file.getvalue() + b"a phone's own notes", "a.jpg")
    decode_picture(encode(noise, "JPEG") + b"a phone's own notes", "a.jpg")
    assert not caplog.text


def test_a_name_does_not_matter(tmp_path):
    for name in ("a.png", "b.jfif", "c", "d.heic"):
        (tmp_path / name).write_bytes(encode(UPRIGHT, "JPEG", 1))
        same(read_picture(tmp_path / name), UPRIGHT)


def test_a_file_larger_than_the_memory_is_named(tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(UserError, match=r"huge\.jpg: is larger than the memory"):
        read_picture(tmp_path / "huge.jpg")


def test_heic_without_its_package_is_named_with_advice(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    content = bytes.fromhex("00000018") + b"ftypheic" + bytes(100)
    with pytest.raises(UserError, match=r"IMG_2\.HEIC: is a HEIC picture; run `pip install pillow-heif`"):
        decode_picture(content, "IMG_2.HEIC")


def test_random_damage_never_ends_in_a_traceback():
    rng = np.random.default_rng(3)
    noise = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (64, 48))
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"):
        sound = np.frombuffer(encode(noise, kind, 6), np.uint8)
        for _ in range(40):
            content = sound.copy()
            places = rng.integers(0, len(content), 4)
            content[places] = rng.integers(0, 256, 4)
            try:
                found = decode_picture(content[: rng.integers(8, len(content) + 1)].tobytes(), "x")
            except UserError:
                continue
            assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3


def test_damaged_heic_is_a_picture_all_the_same():
    pytest.importorskip("pillow_heif")
    content = bytes.fromhex("00000018") + b"ftypheic" + bytes(100)
    with pytest.raises(UserError, match=r"film: is a HEIC picture that is damaged or cut off"):
        decode_picture(content, "film")
