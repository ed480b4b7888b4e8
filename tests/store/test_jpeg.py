"""What decoding says about sound and damaged JPEG files."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from digit.store.jpeg import find_damage, find_damage_inside, jpeg_orientation, jpeg_size

SHARED = Path(__file__).parents[2] / ".." / "shared" / "real_interhand"
KINDS = {
    "baseline": (),
    "progressive": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "optimized": (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "restart markers": (cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    "4:4:4": (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "grey": (),
}


def encoded(kind):
    pixels = cv2.resize(np.random.default_rng(0).integers(0, 256, (42, 64, 3), np.uint8), (512, 334))
    return cv2.imencode(".jpg", pixels[..., 0] if kind == "grey" else pixels, KINDS[kind])[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_sound_files_pass(kind):
    assert find_damage_inside(encoded(kind), 512, 334) is None
    assert find_damage_inside(encoded(kind) + bytes(9), 512, 334) is None
    assert find_damage_inside(encoded(kind), 512, 335) == "512x334 px, annotated as 512x335"


SECOND = cv2.imencode(".jpg", np.zeros((24, 32, 3), np.uint8))[1].tobytes()
TRAILERS = {
    "samsung": b"\0\0\1\n\x0e\0\0\0Image_UTC_Data1458170015363SEFHe\0\0\0\1\0\0\0\0\0\1\n$\0\0\0SEFT",
    "zeros": bytes(5000),
    "line feed": b"\r\n",
    "xmp": b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta/>",
    "second picture": SECOND,
    "cut second picture": SECOND[:-200],
    "second picture and zeros": SECOND + bytes(300),
    "motion photo": b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 9,
    "noise": np.random.default_rng(1).bytes(3000),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trailer", TRAILERS)
def test_what_follows_a_whole_picture_does_not_matter(kind, trailer):
    assert find_damage_inside(encoded(kind) + TRAILERS[trailer], 512, 334) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rest", [b"", bytes(40), b"SEFT", b"\xff", b"\xff\x00"], ids=repr)
def test_a_cut_picture_is_cut_whatever_pictures_it_holds(kind, rest):
    plain, whole = encoded(kind), with_exif(encoded(kind), 1, SECOND)
    assert find_damage_inside(whole, 512, 334) is None
    scan = plain.index(b"\xff\xda")
    for length in len(whole) - len(plain) + np.array([scan + 5, scan + 500, len(plain) * 3 // 4, len(plain) - 2]):
        assert find_damage(whole[:length] + rest, 512, 334) == "cut off: no end marker"


def with_exif(content, orientation, thumbnail=b"", order="<"):
    """A JPEG with an EXIF block behind its start marker."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    entries = [
        struct.pack(f"{order}HHI4s", 0x010F, 2, 2, b"a\0"),
        struct.pack(f"{order}HHIHxx", 0x0112, 3, 1, orientation),
    ]
    tiff = start + struct.pack(f"{order}IH", 8, 2) + b"".join(entries) + bytes(4) + thumbnail
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + content[2:]


@pytest.mark.parametrize("order", "<>")
def test_orientations_are_read(order):
    plain = encoded("baseline")
    assert jpeg_orientation(plain) == 1
    for orientation in range(1, 9):
        turned = with_exif(plain, orientation, SECOND, order)
        assert jpeg_orientation(turned) == orientation and jpeg_size(turned) == (512, 334)
    for impossible in (0, 9, 65535):
        assert jpeg_orientation(with_exif(plain, impossible, order=order)) == 1


def test_a_cut_exif_block_states_no_orientation():
    whole = with_exif(encoded("baseline"), 6)
    for length in range(200):
        assert jpeg_orientation(whole[:length]) in (1, 6)
    assert jpeg_orientation(b"") == jpeg_orientation(b"GIF89a") == jpeg_orientation(whole.replace(b"II*", b"XX*")) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["zeros", "cut", "no scan", "table"])
def test_damage_between_sound_ends_is_found(kind, damage):
    content = encoded(kind)
    third, scan, table = len(content) // 3, content.index(b"\xff\xda"), content.index(b"\xff\xdb")
    damaged = {
        "zeros": content[:third] + bytes(third) + content[2 * third :],
        "cut": content[: len(content) // 4] + content[-2:],
        "no scan": content[:scan] + content[-2:],
        "table": content[: table + 4] + b"\xff" * 60 + content[table + 64 :],
    }[damage]
    assert find_damage(damaged, 512, 334) is None
    assert find_damage_inside(damaged, 512, 334).startswith("does not decode: ")


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real frames")
def test_real_frames_pass():
    for path in SHARED.glob("*.jpg"):
        height, width = cv2.imread(str(path)).shape[:2]
        assert find_damage_inside(path.read_bytes(), width, height) is None
