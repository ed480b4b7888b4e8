import base64
import io

import numpy as np
from PIL import Image

from digit.pages.inline import data_uri, encode, label_png, script_json, shared, skeleton
from digit.skeleton import LABEL_COUNT, label_colors


def test_label_png_holds_the_labels_and_shows_their_colours():
    labels = np.arange(LABEL_COUNT * 4, dtype=np.uint8).reshape(12, 11) % LABEL_COUNT
    image = Image.open(io.BytesIO(label_png(labels)))
    np.testing.assert_array_equal(np.array(image), labels)
    shown = np.array(image.convert("RGBA"))
    np.testing.assert_array_equal(shown[..., :3][labels > 0], label_colors()[labels[labels > 0]])
    np.testing.assert_array_equal(shown[..., 3], np.where(labels > 0, 255, 0))


def test_encoded_pictures_keep_their_colours():
    red = np.full((8, 8, 3), (200, 30, 10), np.uint8)
    for kind in ("jpeg", "webp"):
        content = encode(red, kind, 90)
        assert np.abs(np.array(Image.open(io.BytesIO(content)).convert("RGB")).astype(int) - red).max() < 12
        start, _, text = data_uri(content, kind).partition(",")
        assert start == f"data:image/{kind};base64" and base64.b64decode(text) == content


def test_no_text_ends_the_script_that_holds_it():
    assert "</script" not in script_json({"name": "</script><script>alert(1)</script>"})


def test_scripts_get_every_bone_with_its_colour():
    assert len(skeleton()["bones"]) == len(skeleton()["colors"]) == 40
    assert "function viewHands" in shared("viewer.js")
