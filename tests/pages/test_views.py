from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from digit.pages.files import picture_path
from digit.pages.views import read_thumbnail, save_view

SIZES = [((3000, 4000), (1280, 960), (200, 150)), ((30, 20), (20, 30), (20, 30)), ((2, 5000), (1280, 1), (200, 1))]


@pytest.mark.parametrize(("shape", "large", "small"), SIZES)
def test_pictures_are_made_to_fit(tmp_path, shape, large, small):
    path = picture_path(tmp_path, "sub/a")
    save_view(path, np.full((*shape, 3), (200, 100, 50), np.uint8))
    with Image.open(path) as kept:
        assert kept.size == large
    thumbnail = Image.open(BytesIO(b64decode(read_thumbnail(path).partition(",")[2])))
    assert thumbnail.size == small
    np.testing.assert_allclose(
        np.array(thumbnail.convert("RGB")), np.broadcast_to((200, 100, 50), (*small[::-1], 3)), atol=9
    )
