"""Pictures, colours and data as text that an HTML page can hold."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup
from PIL import Image

from digit.figures import BONE_COLORS
from digit.skeleton import BONES, label_colors

FOLDER = Path(__file__).parent
KINDS = {"jpeg": [cv2.IMWRITE_JPEG_QUALITY], "webp": [cv2.IMWRITE_WEBP_QUALITY]}


def shared(name: str) -> str:
    """The text of a file that all pages share: ``style.css``, ``viewer.js`` or ``overlay.js``."""
    return (FOLDER / name).read_text()


def css_color(rgb: np.ndarray) -> str:
    """#rrggbb."""
    return "#" + "".join(f"{int(channel):02x}" for channel in rgb)


def bone_colors() -> list[str]:
    """(40) CSS colour of each bone."""
    return [css_color(color) for color in BONE_COLORS]


def skeleton() -> dict[str, Any]:
    """Bones (child, parent) of the 42 joints and their colours, as the scripts expect them."""
    return {"bones": BONES.tolist(), "colors": bone_colors()}


def script_json(value: Any) -> Markup:
    """JSON for the inside of a ``<script>``, which no text in it can end."""
    return Markup(json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def encode(rgb: np.ndarray, kind: str, quality: int) -> bytes:
    """A picture (H, W, 3) uint8 as a ``jpeg`` or ``webp`` file."""
    encoded = cv2.imencode(f".{kind}", np.ascontiguousarray(rgb[..., ::-1]), [*KINDS[kind], quality])[1]
    return encoded.tobytes()


def label_png(labels: np.ndarray) -> bytes:
    """Part labels (H, W) uint8 as a PNG whose pixel values are the labels: in their colours, background transparent."""
    image = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    image.putpalette(label_colors().tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", transparency=0, compress_level=6)
    return file.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """A file of an image type as a link that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
