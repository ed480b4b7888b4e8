"""check: the audit of one split of a data folder, before anything is made from it."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from digit.config import Config
from digit.hand.official import load_hand_files
from digit.original import reading as original
from digit.release.audit import (
    audit_folders,
    audit_mano,
    audit_orientations,
    audit_original_masks,
    audit_rootnet,
    compare_with_release,
    decode_images,
    missing_images,
    seeded_sample,
)
from digit.release.interhand import Columns, Release, texts
from digit.release.plausibility import judge_annotations
from digit.release.problems import Problems
from digit.release.tables import build_tables
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import remove, write_json
from digit.run.layout import Layout
from digit.store.image_files import MOST_LEFT_OUT, doubt
from digit.store.shards import Store


def check(config: Config, split: str) -> None:
    """Write ``check/<split>.json`` when the split can be used.

    Raises:
        UserError: naming every problem at once, each with what to do; then no ``check/<split>.json`` is left.
    """
    release, problems, result = Release.of(config), Problems(), Layout.of(config).check(split)
    remove(result)
    audit_folders(release, problems)
    if config.data.mask_lmdb is None:
        _audit_hands(config, problems)
    summary: dict[str, Any] = {"format": "digit-check", "version": 1, "split": split}
    if release.root.is_dir():
        columns, files = build_tables(release, split, problems)
        summary["files"] = [file.relative_to(release.root).as_posix() for file in files]
        if "file_name" in columns:
            summary |= _audit_samples(config, release, split, columns, problems)
    for warning in problems.warnings:
        log.warning("check %s: %s", split, warning)
    problems.raise_errors(f"split {split} of {release.root} cannot be used")
    summary["warnings"] = [_relative(warning.as_dict(), release.root) for warning in problems.warnings]
    write_json(result, summary)
    _log_summary(summary)
    _warn_of_packed(config, split, summary["images"]["excluded"])


def _audit_hands(config: Config, problems: Problems) -> None:
    """Read the hand model, the part table and the joint regressor as ``parts`` will."""
    data = config.data
    load_hand_files(data.hand_model, data.sealed_faces, data.joint_regressor, problems.gathering)


def _audit_samples(
    config: Config, release: Release, split: str, columns: Columns, problems: Problems
) -> dict[str, Any]:
    """Audit the images, RootNet results and fits of the samples, as far as their annotations could be read."""
    count = len(columns["annot_id"])
    needs_rootnet = split in config.evaluate.splits and "rootnet" in config.evaluate.root_depth
    interacting = int(columns["hand_type"].all(axis=1).sum())
    frames = np.unique(np.stack([columns["capture"], columns["frame"]], axis=1), axis=0)
    linked = "frame_row" in columns and "mano_valid" in columns
    return {
        "samples": count,
        "single_hand": count - interacting,
        "interacting": interacting,
        "captures": len(np.unique(columns["capture"])),
        "frames": len(frames),
        "joints": judge_annotations(columns, release, split, problems) if linked else {},
        "release": compare_with_release(split, count, release.synthetic),
        "rootnet": audit_rootnet(columns, release, split, needs_rootnet, problems),
        "images": _audit_images(config, release, split, columns, problems),
        "masks": _audit_masks(config, split, columns, problems),
        "mano": audit_mano(columns, release, split, problems) if linked else {},
    }


def _audit_images(config: Config, release: Release, split: str, columns: Columns, problems: Problems) -> dict[str, Any]:
    """Look for every image and decode a seeded sample of those that are there."""
    names = texts(columns["file_name"])
    missing, damaged, decoded = _look_at_images(config, release, split, columns, names, problems)
    packed, root = config.data.image_lmdb, release.root
    remedy = original.IMAGES_REMEDY if packed else release.remedy("images")
    too_many = len(missing) > MOST_LEFT_OUT * len(names) or len(damaged) > MOST_LEFT_OUT * decoded
    if too_many and not packed:
        remedy += f"; {doubt(root)}"
    elif config.data.damaged_images == "fail":
        remedy += ", or set data.damaged_images: exclude to leave these samples out"
    note = problems.error if too_many or config.data.damaged_images == "fail" else problems.warn
    where = packed or release.images(split)
    if missing:
        note(where, "images are missing", remedy, missing)
    if damaged:
        note(where, "images are damaged", remedy, [f"{name}: {reason}" for name, reason in damaged.items()])
    excluded = dict.fromkeys(missing, "missing") | damaged
    return {"missing": len(missing), "decoded": decoded, "damaged": len(damaged), "excluded": excluded}


def _look_at_images(
    config: Config, release: Release, split: str, columns: Columns, names: list[str], problems: Problems
) -> tuple[list[str], dict[str, str], int]:
    """Names of missing images, reasons of damaged ones, and how many were decoded."""
    folder, packed, store = release.images(split), config.data.image_lmdb, None
    if packed is None and not folder.is_dir():
        problems.error(folder, "this folder does not exist", f"{release.remedy('images')}; {doubt(release.root)}")
        return [], {}, 0
    with problems.gathering():
        if packed is not None:
            store = original.OriginalStore(Path(packed), split, "images")
        missing = store.missing(names) if store else missing_images(folder, names)
        gone = set(missing)
        present = np.array([place for place, name in enumerate(names) if name not in gone], int)
        present = seeded_sample(present, config.data.check_images, config.run.seed)
        looked_at, widths, heights = [names[k] for k in present], columns["width"][present], columns["height"][present]
        if store is None:
            damaged, turned = decode_images(folder, looked_at, widths, heights)
            audit_orientations(folder, turned, len(present), problems)
            return missing, damaged, len(present)
        original.require_pictures(store, names)
        contents = original.read_images(store, looked_at, widths.tolist(), heights.tolist(), set(looked_at))
        damaged = {n: content for n, content in zip(looked_at, contents, strict=True) if isinstance(content, str)}
        return missing, damaged, len(present)
    return [], {}, 0


def _audit_masks(config: Config, split: str, columns: Columns, problems: Problems) -> dict[str, Any]:
    """Look into the original's masks and fit errors, where the masks come from there."""
    data = config.data
    if data.mask_lmdb is None or data.fit_cache is None:
        return {}
    folders = Path(data.mask_lmdb), Path(data.fit_cache)
    return audit_original_masks(*folders, split, columns, data.check_images, config.run.seed, problems)


def _warn_of_packed(config: Config, split: str, damaged: dict[str, str]) -> None:
    """Say when images that cannot be used were packed before: by itself nothing is packed, or trained, again."""
    paths = sorted(Layout.of(config).images(split, 0).parent.glob("[0-9]*.lmdb"))
    with contextlib.suppress(UserError):
        store = Store(paths)
        packed = sum(name in store for name in damaged)
        if packed:
            words = "of these damaged images are packed already; leave them out: snakemake --forcerun images_shard"
            log.warning("check %s: %d %s", split, packed, words)


def _relative(problem: dict[str, Any], root: Path) -> dict[str, Any]:
    """Take the machine's path to the data out of a problem."""
    texts = {
        name: problem[name].replace(f"{root}/", "").replace(str(root), "data.root") for name in ("where", "remedy")
    }
    return problem | texts


def _log_summary(summary: dict[str, Any]) -> None:
    images, split = summary["images"], summary["split"]
    log.info("check %s: %s", split, summary["release"])
    log.info(
        "check %s: %d single-hand and %d interacting samples, %d frames, %d captures; %d images decoded",
        *(split, summary["single_hand"], summary["interacting"], summary["frames"], summary["captures"]),
        images["decoded"],
    )
    fits = ", ".join(f"{hand} {m['fitted']} of {m['shown']}" for hand, m in summary["mano"].items())
    log.info("check %s: hands with a MANO fit: %s; %d warnings", split, fits, len(summary["warnings"]))
