"""Text, captions and grids: what turns pictures into a page."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

Color = tuple[int, int, int]
INK: Color = (34, 36, 42)
FAINT: Color = (110, 114, 122)
ALERT: Color = (190, 60, 20)
PAPER: Color = (250, 250, 248)
LINE_SPACING = 1.35


def text_block(
    lines: Sequence[str],
    width: int,
    size_px: int = 13,
    color: Color = INK,
    background: Color = PAPER,
    weight: int = 400,
    align: str = "left",
) -> np.ndarray:
    """Write lines of text, one below the other; what is too long is shortened with an ellipsis.

    Args:
        lines: the text.
        width: of the block in px.
        size_px: height of a capital with its accent.
        color: of the text, RGB.
        background: behind it.
        weight: 400 regular, 700 bold; heeded from OpenCV 5 on.
        align: ``left`` or ``center``.

    Returns:
        (H, width, 3) uint8 RGB; H is 1.35 times ``size_px`` for each line.
    """
    pitch = math.ceil(size_px * LINE_SPACING)
    canvas = np.full((pitch * len(lines), width, 3), background, dtype=np.uint8)
    for number, line in enumerate(lines):
        fitting = _shorten(line, width, size_px, weight)
        x = (width - text_width(fitting, size_px, weight)) // 2 if align == "center" else 0
        _write(canvas, fitting, (x, round(pitch * (number + 0.76))), size_px, color, weight)
    return canvas


def text_width(text: str, size_px: int, weight: int = 400) -> int:
    """Width of a line of text in px."""
    face = _font_face()
    if face is None:
        return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size_px / 30, 1)[0][0])
    end, *_ = cv2.putText(np.zeros((1, 1, 3), np.uint8), text, (0, -2 * size_px), (0, 0, 0), face, size_px, weight)
    return int(end[0])


def caption(
    tile: np.ndarray, lines: Sequence[str], alert: str = "", size_px: int = 11, background: Color = PAPER
) -> np.ndarray:
    """Put lines of text under a picture: the first in ink, the others fainter, and a warning in red."""
    width = tile.shape[1]
    below = [text_block(lines[:1], width, size_px, INK, background, 600)]
    if len(lines) > 1:
        below.append(text_block(lines[1:], width, size_px, FAINT, background))
    below.append(text_block([alert], width, size_px, ALERT, background))
    gap = np.full((3, width, 3), background, dtype=np.uint8)
    return np.concatenate([tile, gap, *below])


def grid(tiles: Sequence[np.ndarray], columns: int, gap: int = 8, background: Color = PAPER) -> np.ndarray:
    """Lay out pictures row by row in equal cells, each in the middle of its own.

    Args:
        tiles: (h, w, 3) uint8 RGB pictures of any size.
        columns: tiles in a row.
        gap: px between cells, and around them.
        background: colour between the tiles.
    """
    if not tiles:
        return np.full((gap, gap, 3), background, dtype=np.uint8)
    height, width = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    page = np.full((gap + rows * (height + gap), gap + columns * (width + gap), 3), background, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top = gap + row * (height + gap) + (height - tile.shape[0]) // 2
        left = gap + column * (width + gap) + (width - tile.shape[1]) // 2
        page[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return page


def stack(blocks: Sequence[np.ndarray], margin: int = 16, background: Color = PAPER) -> np.ndarray:
    """Lay blocks below one another, left-aligned, with a margin around and half of it between them."""
    width = max(block.shape[1] for block in blocks) + 2 * margin
    height = sum(block.shape[0] for block in blocks) + 2 * margin + (len(blocks) - 1) * (margin // 2)
    page = np.full((height, width, 3), background, dtype=np.uint8)
    top = margin
    for block in blocks:
        page[top : top + block.shape[0], margin : margin + block.shape[1]] = block
        top += block.shape[0] + margin // 2
    return page


def _shorten(text: str, width: int, size_px: int, weight: int) -> str:
    if text_width(text, size_px, weight) <= width:
        return text
    ellipsis = "..." if _font_face() is None else "\N{HORIZONTAL ELLIPSIS}"
    while text and text_width(text + ellipsis, size_px, weight) > width:
        text = text[:-1]
    return text.rstrip() + ellipsis


def _write(canvas: np.ndarray, text: str, baseline: tuple[int, int], size_px: int, color: Color, weight: int) -> None:
    face = _font_face()
    if face is None:
        cv2.putText(canvas, text, baseline, cv2.FONT_HERSHEY_SIMPLEX, size_px / 30, color, 1, cv2.LINE_AA)
    else:
        cv2.putText(canvas, text, baseline, color, face, size_px, weight)


@functools.cache
def _font_face() -> Any:
    """Return OpenCV 5's built-in font; None with OpenCV 4, which only has Hershey's strokes."""
    return cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None
