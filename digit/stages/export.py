"""export: weights for other software, and prepared data in the layout of the original's scripts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from digit.config import Config
from digit.console import log
from digit.data import original_export
from digit.data.fits import read_fits
from digit.data.index import SplitIndex, open_index
from digit.data.interhand import Release
from digit.data.store import Store
from digit.errors import UserError
from digit.files import read_json, replacing
from digit.layout import Layout
from digit.model.network import require_images_alone
from digit.model.weights import load_model, released_layout
from digit.skeleton import HANDS

KINDS = ("images", "masks", "annotations")
"""What the original's layout consists of."""


def export_weights(checkpoint: Path, output: Path, preset: str) -> None:
    """Write a network as ``.onnx``, or as ``.pt`` in the layout of the released weights.

    Raises:
        UserError: the checkpoint cannot be used, the ending is another one, the network needs masks (.onnx only), or
            the ONNX file answers differently.
    """
    if output.suffix not in (".onnx", ".pt"):
        raise UserError(f"{output}: should end in .onnx or .pt, which says what to write")
    model = load_model(checkpoint, preset)
    if output.suffix == ".pt":
        with replacing(output) as temporary:
            torch.save(released_layout(model), temporary)
        log.info("export: %s, %d tensors in the released layout", output, len(model.state_dict()))
        return
    require_images_alone(model, str(checkpoint))
    from digit.model.onnx_export import write_onnx  # slow to import

    errors = write_onnx(model, output)
    log.info("export: %s; ONNX Runtime agrees with torch to %.1e of each output's range", output, max(errors.values()))


def export_layout(config: Config, output: Path, splits: Sequence[str], kinds: Sequence[str] = KINDS) -> None:
    """Write what images, parts and index prepared as the original's scripts leave it.

    ``interhand.lmdb`` (images), ``segm_32.lmdb`` and ``cache/meta_dict_<split>.pkl`` (masks) and
    ``annotations/<split>/InterHand2.6M_<split>_data.pkl`` (annotations).

    Raises:
        UserError: when an earlier stage's files are missing or damaged.
    """
    layout, shards = Layout.of(config), range(config.data.shards)
    indices = {split: open_index(layout.index(split)) for split in splits}
    if "images" in kinds:
        images = {split: Store([layout.images(split, shard) for shard in shards]) for split in splits}
        path = output / "interhand.lmdb"
        count = original_export.write_store(path, images, original_export.image_key, original_export.encode_image)
        log.info("export: %s, %d images, %d left out", path, count, sum(len(s.excluded()) for s in images.values()))
    if "masks" in kinds:
        masks = {split: Store([layout.parts(split, shard) for shard in shards]) for split in splits}
        path = output / "segm_32.lmdb"
        count = original_export.write_store(path, masks, original_export.mask_key, original_export.encode_labels)
        log.info("export: %s, %d masks", path, count)
        for split, index in indices.items():
            path = output / "cache" / f"meta_dict_{split}.pkl"
            original_export.write_pickle(path, _fit_entries(layout, index, shards))
    if "annotations" in kinds:
        for split in splits:
            source = Release.of(config).annotation(split, "data")
            content = read_json(source, "download the annotations again")
            path = output / "annotations" / split / f"{source.stem}.pkl"
            original_export.write_pickle(path, content)
            log.info("export: %s", path)


def _fit_entries(layout: Layout, index: SplitIndex, shards: Sequence[int]) -> dict[str, dict[str, object]]:
    """Fit errors of a split. A hand that was fitted but could not be measured has the original's NaN."""
    fits = read_fits([layout.fit(index.split, shard) for shard in shards], len(index))
    errors_mm = fits[[f"fit_{hand}_mm" for hand in HANDS]].to_numpy(float)
    fitted = np.isfinite(errors_mm) | fits[[f"valid_{hand}" for hand in HANDS]].to_numpy(bool)
    sizes_px = np.stack([index.width, index.height], axis=1)
    return original_export.fit_entries(index.split, index.keys(), errors_mm, fitted, sizes_px)
