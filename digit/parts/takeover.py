"""Part masks that the original's scripts have drawn, taken over as they are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digit.original import reading
from digit.parts.mask import PartMask
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.skeleton import FIRST_LABEL
from digit.store.masks import encode_mask, pixels_per_hand


def take_masks(
    store_path: Path, cache: reading.FitCache, split: str, names: list[str], sizes_px: np.ndarray
) -> Iterator[PartMask]:
    """Take the original's masks of some samples over, in order.

    Args:
        store_path: the original's ``segm_32.lmdb``.
        cache: fit errors of the samples.
        split: of the data.
        names: image file names.
        sizes_px: (n, 2) width and height of the images.

    Raises:
        UserError: when a hand has a fit but its sample no mask, a mask is damaged, or all masks are empty.
    """
    store = reading.OriginalStore(store_path, split, "masks")
    pixels, strange = np.zeros((len(names), 2), np.int32), np.zeros(len(names), np.int64)
    masked: np.ndarray = np.any(cache.fitted, axis=1)
    for place in track(range(len(names)), f"parts {split}", len(names)):
        name, png = names[place], None
        if masked[place]:
            content = store.find(name)
            if content is None:
                raise UserError(f"{store.path}: has no mask of {split}/{name}; {reading.MASKS_REMEDY}")
            found = reading.read_labels(content, *sizes_px[place].tolist())
            if isinstance(found, str):
                raise UserError(f"{store.path}: the mask of {split}/{name} {found}; {reading.MASKS_REMEDY}")
            mask, strange[place] = found
            pixels[place] = pixels_per_hand(mask, FIRST_LABEL[1])
            png = encode_mask(mask)
        yield PartMask(place, png, cache.fitted[place], cache.error_mm[place], pixels[place])
    if masked.any() and not pixels.any():
        raise UserError(
            f"{store.path}: all {masked.sum()} masks of split {split} that were read show no hand, though "
            f"data.fit_cache has fits of them; {reading.MASKS_REMEDY}"
        )
    _warn_of_masks(split, names, cache, pixels, strange)


def _warn_of_masks(
    split: str, names: list[str], cache: reading.FitCache, pixels: np.ndarray, strange: np.ndarray
) -> None:
    """Say in the log what the original's masks and fit errors disagree on, with counts and the first samples."""

    def warn(samples: np.ndarray, text: str) -> None:
        if samples.any():
            first = ", ".join(names[place] for place in np.flatnonzero(samples)[:3])
            log.warning("parts %s: %s (%s%s)", split, text, first, ", ..." if samples.sum() > 3 else "")

    masked: np.ndarray = np.any(cache.fitted, axis=1)
    stray, absent = np.where(cache.fitted | ~masked[:, None], 0, pixels), cache.fitted & ~pixels.astype(bool)
    unlisted = ~cache.listed
    warn(unlisted, f"{unlisted.sum()} samples are not in data.fit_cache: no masks")
    text = f"{stray.sum():,} pixels in {(stray > 0).any(axis=1).sum()} masks show a hand without a fit"
    warn(np.any(stray, axis=1), f"{text}; are right and left swapped in data.fit_cache or data.mask_lmdb?")
    warn(
        np.any(absent, axis=1),
        f"{absent.any(axis=1).sum()} of {masked.sum()} masks show no pixel of a hand that has a fit",
    )
    share = strange.sum() / max(strange.sum() + pixels.sum(), 1)
    text = f"{strange.sum():,} pixels ({share:.1%} of those that are not background) had labels above 32"
    warn(strange > 0, f"{text} and became background")
