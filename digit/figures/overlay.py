"""Part masks in colour, alone or laid over their picture."""

import cv2
import numpy as np

from digit.skeleton import label_colors

BORDER = 0.35
"""Brightness of the lines between parts, relative to what they cover."""


def upscale(image: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge a picture (H, W, 3) by a whole number, smoothly."""
    if scale == 1:
        return image.copy()
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def upscale_mask(mask: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge labels (H, W) by a whole number: each new pixel gets the label with the largest smoothed share."""
    if scale == 1:
        return mask.copy()
    present = np.unique(mask)
    size = (mask.shape[1] * scale, mask.shape[0] * scale)
    shares = [cv2.resize((mask == label).astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for label in present]
    return present[np.argmax(shares, axis=0)]


def color_mask(mask: np.ndarray, background: tuple[int, int, int] = (24, 26, 30), scale: int = 1) -> np.ndarray:
    """Show labels (H, W) 0..32 in the colours of :func:`digit.skeleton.label_colors`, enlarged ``scale`` times."""
    colors = label_colors()
    colors[0] = background
    return colors[upscale_mask(mask, scale)]


def overlay_mask(
    image: np.ndarray, mask: np.ndarray, alpha: float = 0.5, scale: int = 1, borders: bool = True
) -> np.ndarray:
    """Lay a part mask over its picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) labels 0..32; 0 leaves the picture as it is.
        alpha: opacity of the parts' colours.
        scale: enlarge the picture by this whole number first, so that small crops stay crisp.
        borders: draw a dark line along the edge of each part.

    Returns:
        (H * scale, W * scale, 3) uint8 RGB.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f"the mask is {mask.shape}, the picture {image.shape[:2]}")
    picture, labels = upscale(image, scale).astype(np.float32), upscale_mask(mask, scale)
    shown = labels > 0
    picture[shown] = (1 - alpha) * picture[shown] + alpha * label_colors()[labels[shown]]
    if borders:
        picture[_edges(labels)] *= BORDER
    return np.round(picture).astype(np.uint8)


def _edges(labels: np.ndarray) -> np.ndarray:
    """Pixels of a part whose right or lower neighbour, or for the background's sake left or upper, has another one."""
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    from_background = np.zeros(labels.shape, dtype=bool)
    from_background[:, 1:] |= labels[:, :-1] == 0
    from_background[1:] |= labels[:-1] == 0
    return (edges | from_background) & (labels > 0)


def square_crop(image: np.ndarray, box_px: np.ndarray, size: int) -> np.ndarray:
    """Cut the square around a box out of a picture or mask and resize it; what lies outside is 0.

    Args:
        image: (H, W, 3) picture, resized smoothly, or (H, W) labels, resized to the nearest.
        box_px: x, y, width, height; the longer side decides.
        size: side of the result.
    """
    x, y, w, h = (float(value) for value in box_px)
    side = max(w, h, 1.0)
    k = size / side
    left, top = x + (w - side) / 2, y + (h - side) / 2
    transform = np.array([[k, 0, -k * left], [0, k, -k * top]])
    labels = image.ndim == 2
    smooth = cv2.INTER_AREA if k < 0.5 else cv2.INTER_LINEAR if k < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(image, transform, (size, size), flags=cv2.INTER_NEAREST if labels else smooth)
