"""What decoding says about sound and damaged JPEG files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from digit.store.jpeg import find_damage, find_damage_inside

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
