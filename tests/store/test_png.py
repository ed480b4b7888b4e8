import cv2
import numpy as np
import pytest

from digit.store.png import find_png_damage, is_png

CONTENT = cv2.imencode(".png", np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3))[1].tobytes()


def test_a_whole_file_is_sound():
    assert is_png(CONTENT) and find_png_damage(CONTENT, 8, 6) is None
    assert find_png_damage(CONTENT + b"\0\0", 8, 6) is None
    assert find_png_damage(CONTENT, 6, 8) == "8x6 px, annotated as 6x8"


def test_every_cut_and_every_changed_byte_is_noticed():
    for place in range(len(CONTENT)):
        assert find_png_damage(CONTENT[:place], 8, 6) is not None
        changed = bytearray(CONTENT)
        changed[place] ^= 0x40
        assert find_png_damage(bytes(changed), 8, 6) is not None


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + b"\0" * 200])
def test_other_files_are_named(content):
    assert find_png_damage(content, 8, 6) == "not a PNG"
