"""Pictures of masks and skeletons as (H, W, 3) uint8 RGB arrays, drawn with OpenCV; nothing here changes its input.

- :mod:`overlay`: part masks in colour, alone or over their picture
- :mod:`skeleton`: joints and bones over a picture
- :mod:`legend`: which colour and which number stand for which part
- :mod:`page`: text, captions and grids
"""

from digit.figures.legend import legend, sheet
from digit.figures.overlay import color_mask, overlay_mask, square_crop, upscale, upscale_mask
from digit.figures.page import caption, grid, stack, text_block
from digit.figures.skeleton import BONE_COLORS, draw_skeleton

__all__ = [
    "BONE_COLORS",
    "caption",
    "color_mask",
    "draw_skeleton",
    "grid",
    "legend",
    "overlay_mask",
    "sheet",
    "square_crop",
    "stack",
    "text_block",
    "upscale",
    "upscale_mask",
]
