"""export data: what images, parts and index prepared, in the layout of the original's scripts."""

import filecmp
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from digit.config import SPLITS, Config
from digit.original import writing as original_export
from digit.release.interhand import Release
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import read_json, replacing, require_writable
from digit.run.layout import Layout, annotation_path
from digit.samples.fits import read_fits
from digit.samples.index import SplitIndex, open_index
from digit.samples.opening import open_masks
from digit.skeleton import HANDS
from digit.store.shards import Store

KINDS = ("images", "masks", "annotations")
"""What the original's layout consists of."""
IMAGES, MASKS = "images/interhand.lmdb", "segm_32.lmdb"


def export_data(
    config: Config,
    output: Path,
    splits: Sequence[str] | None = None,
    kinds: Sequence[str] = KINDS,
    overwrite: bool = False,
) -> None:
    """Write what images, parts and index prepared as the original expects it in its folder ``data/InterHand``.

    ``images/interhand.lmdb`` (images), ``segm_32.lmdb`` and ``cache/meta_dict_<split>.pkl`` (masks), and
    ``annotations/``: the release's files and ``<split>/InterHand2.6M_<split>_data.pkl`` (annotations). Everything is
    opened before anything is written.

    Args:
        config: of the run.
        output: folder to write into; link ``data/InterHand`` to it.
        splits: None for those that are prepared.
        kinds: some of ``KINDS``.
        overwrite: replace files of an earlier export.

    Raises:
        UserError: when a split is not prepared or its files are damaged, when a file is in the way, or when it is
            one that the configuration reads.
    """
    layout = Layout.of(config)
    chosen = list(splits or (split for split in SPLITS if _is_indexed(layout, split)))
    if not chosen:
        raise UserError(f"{layout.run}: no split is prepared; run `snakemake --cores all images parts` first")
    targets = _targets(config, output, chosen, kinds)
    _require_free(config, output, targets, overwrite)
    prepared = {split: _open(config, split, kinds) for split in chosen}
    for path in targets:
        require_writable(path)
    if "annotations" in kinds:
        for original, copy in _copied(config, output, chosen).items():
            with replacing(copy) as temporary:
                shutil.copyfile(original, temporary)
        for split, source in prepared.items():
            _write_pickle(_records(output, split), _read_records(config, split, source.left_out))
    for split, source in prepared.items():
        if source.fits is not None:
            _write_pickle(output / "cache" / f"meta_dict_{split}.pkl", _fit_entries(source.index, source.fits))
    masks = {split: source.masks for split, source in prepared.items() if source.masks}
    if masks:
        path = output / MASKS
        count = original_export.write_store(path, masks, original_export.mask_key, original_export.encode_labels)
        log.info("export: %s, %d masks", path, count)
    images = {split: source.images for split, source in prepared.items() if source.images}
    if images:
        path = output / IMAGES
        count = original_export.write_store(path, images, original_export.image_key, original_export.encode_image)
        log.info("export: %s, %d images, %d left out", path, count, sum(len(s.excluded()) for s in images.values()))


def _targets(config: Config, output: Path, splits: Sequence[str], kinds: Sequence[str]) -> list[Path]:
    """The files and stores that would be written."""
    targets = [output / IMAGES] if "images" in kinds else []
    if "masks" in kinds:
        targets += [output / MASKS, *(output / "cache" / f"meta_dict_{split}.pkl" for split in splits)]
    if "annotations" in kinds:
        targets += [*_copied(config, output, splits).values(), *(_records(output, split) for split in splits)]
    return targets


def _records(output: Path, split: str) -> Path:
    return annotation_path(output, split, "data").with_suffix(".pkl")


def _copied(config: Config, output: Path, splits: Sequence[str]) -> dict[Path, Path]:
    """The release's annotation files, and where copies go that are not there yet."""
    layout, own = Layout.of(config), Layout(output, output)
    pairs = [(layout.tables(), own.tables()), *((layout.annotations(s), own.annotations(s)) for s in splits)]
    files = dict(pair for sources, targets in pairs for pair in zip(sources, targets, strict=True))
    return {
        source: target
        for source, target in files.items()
        if source.is_file() and not (target.is_file() and filecmp.cmp(source, target, shallow=False))
    }


def _require_free(config: Config, output: Path, targets: Sequence[Path], overwrite: bool) -> None:
    """Let nothing be replaced that nobody asked to replace, and never what this configuration reads."""
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: is a file; name a folder")
    for key in ("image_lmdb", "mask_lmdb", "fit_cache"):
        value = getattr(config.data, key)
        own = Path(value).resolve() if value else None
        for target in (path.resolve() for path in targets):
            if own and (own.is_relative_to(target) or target.parent == own):
                raise UserError(f"{target}: is what data.{key} reads, and is not overwritten; choose another --output")
    there = [path for path in targets if path.exists() or path.is_symlink()]
    if there and not overwrite:
        names = ", ".join(str(path) for path in there)
        raise UserError(
            f"{names}: already there, and an export holds only the splits that it is given; choose another --output, "
            "or replace what is there with --overwrite"
        )


@dataclass(frozen=True)
class Prepared:
    """What is to be exported of a split."""

    index: SplitIndex
    images: Store | None
    masks: Store | None
    fits: pd.DataFrame | None
    left_out: Collection[str]
    """Names of samples without an image."""


def _is_indexed(layout: Layout, split: str) -> bool:
    return (layout.index(split) / "index.json").is_file()


def _open(config: Config, split: str, kinds: Sequence[str]) -> Prepared:
    """Open everything that is to be exported of a split.

    Raises:
        UserError: something is missing or damaged, or does not belong to the split's index.
    """
    layout, shards = Layout.of(config), range(config.data.shards)
    if not _is_indexed(layout, split):
        raise UserError(f"split {split} is not prepared; run `snakemake --cores all images parts`, or leave it out")
    index = open_index(layout.index(split))
    images = masks = fits = None
    if "images" in kinds:
        images = _store(split, "images", [layout.images(split, shard) for shard in shards])
        _require_all(split, "images", len(images) + len(images.excluded()), len(index))
    if "masks" in kinds:
        masks = _store(split, "parts", [layout.parts(split, shard) for shard in shards])
        fits = read_fits([layout.fit(split, shard) for shard in shards], len(index))
        open_masks(config, index)  # compares stores and tables
    if "annotations" in kinds:
        annotations = Release.of(config).annotation(split, "data")
        if not annotations.is_file():
            raise UserError(f"{annotations}: does not exist; set data.root to the folder with the data")
    packed = [path for shard in shards if (path := layout.images(split, shard)).is_file()]
    return Prepared(index, images, masks, fits, Store(packed).excluded())


def _store(split: str, stage: str, paths: Sequence[Path]) -> Store:
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"split {split} is not prepared: {missing[0]} is missing ({len(missing)} of {len(paths)} files); "
            f"run `snakemake --cores all {stage}`"
        )
    store = Store(paths)
    len(store)  # opens every shard
    return store


def _require_all(split: str, stage: str, count: int, expected: int) -> None:
    if count != expected:
        raise UserError(
            f"split {split}: {stage} has {count} samples, expected {expected}; it was made with other data or "
            f"data.shards; run `snakemake --cores all {stage}` again"
        )


def _read_records(config: Config, split: str, left_out: Collection[str]) -> dict[int, dict[str, object]]:
    """Annotation records of a split, without those of images that were left out."""
    path, remedy = Release.of(config).annotation(split, "data"), "download the annotations again"
    try:
        return original_export.annotated_records(read_json(path, remedy), left_out)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is not the annotation file that was indexed ({error!r}); {remedy}") from error


def _write_pickle(path: Path, content: object) -> None:
    original_export.write_pickle(path, content)
    log.info("export: %s", path)


def _fit_entries(index: SplitIndex, fits: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Fit errors of a split. A hand that was fitted but could not be measured has the original's NaN."""
    errors_mm = fits[[f"fit_{hand}_mm" for hand in HANDS]].to_numpy(float)
    fitted = fits[[f"fitted_{hand}" for hand in HANDS]].to_numpy(bool)
    sizes_px = np.stack([index.width, index.height], axis=1)
    return original_export.fit_entries(index.split, index.keys(), errors_mm, fitted, sizes_px)
