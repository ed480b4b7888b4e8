"""sheet: part masks over images of a few samples, on one picture, for a person to check."""

import cv2
import numpy as np
import pandas as pd

from digit import figures, geometry
from digit.config import Config
from digit.run.console import log
from digit.run.files import replacing
from digit.run.layout import Layout
from digit.samples.dataset import read_image, read_mask
from digit.samples.fits import describe_fits, read_fits
from digit.samples.index import SplitIndex, open_index
from digit.samples.opening import open_images, open_masks
from digit.skeleton import HANDS
from digit.store.shards import Store

SHEET_TILES, SHEET_COLUMNS = 24, 6
SHEET_TILE_PX = (256, 224, 192, 160)
SHEET_BYTES = 2_500_000
"""The contact sheet has the largest tiles with which its file is no larger than this."""


def contact_sheet(config: Config, split: str) -> None:
    """Write ``parts/<split>.png``: masks over images of evenly chosen samples, for a person to check.

    Raises:
        UserError: an image, a mask or a table that should be there is missing or damaged.
    """
    layout, index = Layout.of(config), open_index(Layout.of(config).index(split))
    shards = range(config.data.shards)
    images, masks = open_images(config, index), open_masks(config, index).store
    fits = read_fits([layout.fit(split, shard) for shard in shards], len(index))
    rows = np.unique(np.linspace(0, len(index) - 1, min(SHEET_TILES, len(index))).round().astype(int))
    samples = [_sheet_sample(index, row, images, masks, fits) for row in rows.tolist()]
    missing = len(index) - len(masks)
    head = [
        f"{len(index):,} samples, {len(masks):,} masks" + (f", {missing:,} without any hand fit" if missing else ""),
        *describe_fits(fits),
    ]
    for size in SHEET_TILE_PX:
        tiles = [_sheet_tile(*sample, size) for sample in samples]
        sheet = figures.sheet(f"Part masks of the {split} split", head, tiles, SHEET_COLUMNS)
        png = cv2.imencode(".png", sheet[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 9))[1].tobytes()
        if len(png) <= SHEET_BYTES:
            break
    with replacing(layout.contact_sheet(split)) as temporary:
        temporary.write_bytes(png)
    log.info("parts %s: contact sheet of %d samples, %.1f MB", split, len(samples), len(png) / 1e6)


def _sheet_sample(
    index: SplitIndex, row: int, images: Store, masks: Store, fits: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], str]:
    """Image, mask, box around the hands, caption and warning of one sample."""
    name, camera = index.keys(slice(row, row + 1))[0], index.camera_row[row]
    shape = (int(index.height[row]), int(index.width[row]))
    content, png = images.find(name), masks.find(name)
    image = np.full((*shape, 3), 128, np.uint8) if content is None else read_image(content, name)
    mask = np.zeros(shape, np.uint8) if png is None else read_mask(png, name)
    annotated = index.box_px[row] if index.box_px[row, 2:].min() > 0 else (0, 0, *shape[::-1])
    box = cv2.boundingRect(mask) if mask.any() else annotated
    fit = fits.loc[row]
    errors = [fit[f"fit_{hand}_mm"] for hand in HANDS]
    words = [
        f"{hand[0].upper()} -" if np.isnan(e) else f"{hand[0].upper()} {e:.1f} mm"
        for hand, e in zip(HANDS, errors, strict=True)
    ]
    notes = [f"capture {index.capture[row]}  frame {index.frame[row]}  cam {index.camera_name[camera].decode()}"]
    notes.append(f"{'   '.join(words)}   {np.count_nonzero(mask) / mask.size:.1%} of the image")
    alert = "; ".join(filter(None, ["image left out" if content is None else "", fit["reason"]]))
    return image, mask, geometry.square_box(np.array(box), 1.2), notes, alert


def _sheet_tile(
    image: np.ndarray, mask: np.ndarray, box_px: np.ndarray, notes: list[str], alert: str, size: int
) -> np.ndarray:
    """Draw one captioned tile of the contact sheet."""
    picture, labels = figures.square_crop(image, box_px, size), figures.square_crop(mask, box_px, size)
    return figures.caption(figures.overlay_mask(picture, labels), notes, alert)
