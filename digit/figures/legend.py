"""Which colour and which number stands for which part."""

from collections.abc import Sequence

import numpy as np

from digit.figures.page import FAINT, INK, PAPER, Color, grid, stack, text_block, text_width
from digit.skeleton import FINGERS, HANDS, LABEL_NAMES, label_colors

ORDER = ("palm", *(f"{finger}{bone}" for finger in FINGERS for bone in (1, 2, 3)))
"""Parts from the palm outwards, finger by finger."""

SHEET_WIDTH = 1000
LUMA = (0.299, 0.587, 0.114)


def legend(width: int, size_px: int = 12, background: Color = PAPER) -> np.ndarray:
    """Draw a strip with a swatch, the label's number and the part's name, for 16 parts of both hands.

    Args:
        width: of the strip in px; from about 1000 on every name fits.
        size_px: size of the text.
        background: colour of the strip.

    Returns:
        (H, width, 3) uint8 RGB: the right hand above the left one, names below.
    """
    colors = label_colors()
    margin = text_width("right hand", size_px, 600) + size_px
    edges = np.linspace(margin, width, len(ORDER) + 1).astype(int)
    swatch_height = 2 * size_px
    strips = []
    for hand in HANDS:
        strip = np.full((swatch_height, width, 3), background, dtype=np.uint8)
        _paste(strip, text_block([f"{hand} hand"], margin, size_px, INK, background, 600))
        for part, left, right in zip(ORDER, edges[:-1], edges[1:], strict=True):
            label = LABEL_NAMES.index(f"{hand[0]}_{part}")
            color: Color = tuple(map(int, colors[label]))  # type: ignore[assignment]
            cell = strip[:, left : right - 2]
            cell[:] = color
            ink = INK if np.dot(color, LUMA) > 110 else PAPER
            _paste(cell, text_block([str(label)], right - 2 - left, size_px, ink, color, align="center"))
        strips += [strip, np.full((2, width, 3), background, dtype=np.uint8)]
    names = np.full((text_block([""], 1, size_px).shape[0], width, 3), background, dtype=np.uint8)
    for part, left, right in zip(ORDER, edges[:-1], edges[1:], strict=True):
        _paste(
            names[:, left : right - 2], text_block([part], right - 2 - left, size_px, INK, background, align="center")
        )
    return np.concatenate([*strips, names])


def sheet(title: str, lines: Sequence[str], tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lay out a page: title, lines of text, the legend of part colours, and the tiles in a grid.

    Args:
        title: the heading.
        lines: text below it.
        tiles: (h, w, 3) uint8 RGB pictures.
        columns: tiles in a row.
    """
    gap = 10
    body = grid(tiles, columns, gap)[:, gap:-gap]
    width = max(body.shape[1], SHEET_WIDTH)
    head = text_block([title], width, 24, weight=700)
    text = text_block(lines, width, 14, FAINT)
    return stack([head, text, legend(width), body])


def _paste(region: np.ndarray, block: np.ndarray) -> None:
    """Put a block into a region of the canvas, at its left edge and in the middle of its height."""
    top = max((region.shape[0] - block.shape[0]) // 2, 0)
    region[top : top + block.shape[0], : block.shape[1]] = block[: region.shape[0] - top, : region.shape[1]]
