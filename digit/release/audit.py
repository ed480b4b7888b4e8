"""The questions that ``check`` asks of a data folder beyond its annotations. Each adds to a list of problems."""

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from digit.original import reading as original
from digit.release.interhand import RELEASE_IMAGES, Columns, Release, texts
from digit.release.plausibility import judge_rootnet
from digit.release.problems import Problems
from digit.run.console import track
from digit.run.errors import UserError
from digit.run.layout import ROOTNET_FILES
from digit.skeleton import FIRST_LABEL, HANDS, JOINT_NAMES, PARENTS
from digit.store.jpeg import find_damage_inside, jpeg_orientation, read_file
from digit.store.masks import pixels_per_hand
from digit.store.prefetch import map_ahead

OLDER_LAYOUTS = ("all", "human_annot", "machine_annot")
"""Folders of annotations/ in release v0.0."""

READERS = 8
"""Threads that list folders, or read and decode images; both leave Python's lock to the others."""


def audit_folders(release: Release, problems: Problems) -> None:
    """Is this the folder, and the release, that it should be? Does its skeleton have our joint order?"""
    root, annotations = release.root, release.root / "annotations"
    if not root.is_dir():
        remedy = release.remedy("annotations") if release.synthetic else "set data.root to the folder with the data"
        problems.error(root, "this folder does not exist", remedy)
        return
    older = [name for name in OLDER_LAYOUTS if (annotations / name).is_dir()]
    if older:
        problems.error(annotations, "is laid out as in release v0.0", release.remedy("annotations"), older)
    skeleton = annotations / "skeleton.txt"
    if not skeleton.is_file():
        problems.warn(skeleton, "is missing, so the joint order was not compared", release.remedy("annotations"))
        return
    lines = [line.split() for line in skeleton.read_text(errors="replace").splitlines() if not line.startswith("#")]
    joints = [(words[0], words[1], words[2]) for words in lines if len(words) == 3]
    expected = [(name, str(row), str(PARENTS[row])) for row, name in enumerate(JOINT_NAMES)]
    if joints != expected:
        wrong = [" ".join(found) for found, right in zip(joints, expected, strict=False) if found != right]
        wrong = wrong or [f"{len(joints)} joints instead of {len(expected)}"]
        problems.error(skeleton, "is not the joint order of InterHand2.6M", release.remedy("annotations"), wrong)


def compare_with_release(split: str, images: int, synthetic: bool) -> str:
    """Say how the number of annotated images compares with the published release."""
    published = RELEASE_IMAGES[split]
    if synthetic:
        return f"a synthetic data set of {images:,} images (InterHand2.6M has {published:,})"
    if images == published:
        return f"all {images:,} images of the 5 fps v1.0 release"
    return (
        f"a subset: {images:,} of {published:,} images"
        if images < published
        else f"{images:,} images, more than "
        + (f"the {published:,} of the 5 fps v1.0 release (30 fps, or another version)")
    )


def missing_images(folder: Path, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that are not below ``folder``, found by listing each sub-folder once.

    Raises:
        UserError: when a sub-folder is there but cannot be listed.
    """
    expected: dict[str, set[str]] = defaultdict(set)
    for name in names:
        parent, _, base = name.rpartition("/")
        expected[parent].add(base)

    def absent(parent: str) -> list[str]:
        try:
            with os.scandir(folder / parent) as entries:
                present = {entry.name for entry in entries}
        except (FileNotFoundError, NotADirectoryError):
            present = set()
        except OSError as error:
            raise UserError(
                f"{folder / parent}: cannot be read ({error.strerror}); check the disk and your rights"
            ) from error
        return [f"{parent}/{base}" if parent else base for base in sorted(expected[parent] - present)]

    with ThreadPoolExecutor(READERS) as pool:
        return [name for found in pool.map(absent, sorted(expected)) for name in found]


def decode_images(
    folder: Path, names: Sequence[str], widths: np.ndarray, heights: np.ndarray
) -> tuple[dict[str, str], dict[str, int]]:
    """Decode the images ``names`` below ``folder``.

    Returns:
        The reason for each that is damaged or of another size; and the EXIF orientation of each that has one.

    Raises:
        UserError: when one cannot be read for a reason that says nothing about it.
    """

    def look(place: int) -> tuple[str | None, int]:
        content = read_file(f"{folder}/{names[place]}")[0]
        damage = find_damage_inside(content, int(widths[place]), int(heights[place]))
        return damage, jpeg_orientation(content) if isinstance(content, bytes) else 1

    looks = track(map_ahead(look, range(len(names)), READERS), f"check {folder.name}", len(names))
    seen = dict(zip(names, looks, strict=True))
    return (
        {name: damage for name, (damage, _) in seen.items() if damage},
        {name: orientation for name, (_, orientation) in seen.items() if orientation != 1},
    )


def audit_orientations(folder: Path, turned: dict[str, int], decoded: int, problems: Problems) -> None:
    """Warn of files that viewers show turned or mirrored, and the data stages do not."""
    if turned:
        problems.warn(
            folder,
            f"of {decoded} images looked at, some carry an EXIF orientation, which other programs obey; here pixels "
            "stay as stored, because the annotations of the release refer to those",
            "if boxes and joints were annotated on the turned pictures, turn the pixels and clear the tag "
            "(jpegtran, exiftran -ai); if not, clear the tag (exiftool -Orientation=)",
            [f"{name}: orientation {orientation}" for name, orientation in turned.items()],
        )


def seeded_sample(places: np.ndarray, wanted: int, seed: int) -> np.ndarray:
    """``wanted`` of the places, in order and always the same for a seed; all with 0, or when there are no more."""
    if not 0 < wanted < len(places):
        return places
    return np.sort(np.random.default_rng(seed).choice(places, wanted, replace=False))


def audit_original_masks(
    store: Path, cache: Path, split: str, columns: Columns, wanted: int, seed: int, problems: Problems
) -> dict[str, Any]:
    """Do the original's masks and fit errors know the samples, are the masks masks, and do they agree?

    Every key is looked up; ``wanted`` masks are decoded, all with 0.
    """
    names = texts(columns["file_name"])
    masks = fits = None
    with problems.gathering():
        masks = original.OriginalStore(store, split, "masks")
    with problems.gathering():
        fits = original.read_fit_cache(cache, split, names)
    if masks is None or fits is None:
        return {}
    if not fits.listed.all():
        unlisted = [names[place] for place in np.flatnonzero(~fits.listed)]
        problems.warn(cache, "lacks samples, which get no mask", original.FITS_REMEDY, unlisted)
    fitted = np.flatnonzero(fits.fitted.any(axis=1))
    missing = masks.missing([names[place] for place in fitted])
    if missing:
        problems.error(store, "lacks masks of samples whose hands have fits", original.MASKS_REMEDY, missing)
    gone, damaged, stray, empty = set(missing), [], [], []
    looked_at = seeded_sample(np.array([place for place in fitted if names[place] not in gone], int), wanted, seed)
    for place in looked_at.tolist():
        name, size = names[place], (int(columns["width"][place]), int(columns["height"][place]))
        found = original.read_labels(masks.find(name) or b"", *size)
        if isinstance(found, str):
            damaged.append(f"{name} {found}")
            continue
        shown = pixels_per_hand(found[0], FIRST_LABEL[1]) > 0
        if (shown & ~fits.fitted[place]).any():
            stray.append(name)
        if not shown.any():
            empty.append(name)
    if damaged:
        problems.error(store, "masks cannot be used", original.MASKS_REMEDY, damaged)
    if stray:
        problems.warn(store, "masks show a hand that has no fit in data.fit_cache", original.MASKS_REMEDY, stray)
    if empty:
        note = problems.error if len(empty) == len(looked_at) else problems.warn
        note(store, "masks show no hand, though data.fit_cache has fits", original.MASKS_REMEDY, empty)
    return {"fitted": len(fitted), "missing": len(missing), "decoded": len(looked_at), "damaged": len(damaged)}


def audit_rootnet(columns: Columns, release: Release, split: str, needed: bool, problems: Problems) -> dict[str, Any]:
    """Has RootNet a result for every sample, and of that sample? If not, that is an error when evaluation needs them.

    What it found is compared with annotations that have no error of their own.
    """
    if split not in ROOTNET_FILES:
        return {"needed": False}
    path, covered = release.rootnet(split), columns["rootnet_valid"]
    trusted = "frame_row" in columns and not problems.errors
    note = problems.error if needed else problems.warn
    remedy = release.remedy("rootnet_output")
    if needed:
        remedy += ", or take rootnet out of evaluate.root_depth"
    else:
        remedy = f"only evaluation with root depth rootnet needs them: {remedy}"
    if path is None:
        folder, names = release.root / "rootnet_output", " or ".join(ROOTNET_FILES[split])
        note(folder, f"lacks RootNet's results of split {split} ({names})", remedy)
    elif not covered.all():
        missing = [f"annot_id {number}" for number in columns["annot_id"][~covered]]
        note(path, "lacks results of samples", remedy, missing)
    file = path.relative_to(release.root).as_posix() if path else None
    shares = judge_rootnet(columns, path, remedy, note, problems) if trusted else {}
    return {"needed": needed, "file": file, "covered": int(covered.sum()), "missing": int((~covered).sum())} | shares


def audit_mano(columns: Columns, release: Release, split: str, problems: Problems) -> dict[str, Any]:
    """How many of the hands that samples show have a MANO fit, and so a mask?"""
    shown = columns["hand_type"]
    fitted = columns["mano_valid"][columns["frame_row"]] & shown
    path = release.annotation(split, "MANO_NeuralAnnot")
    if path.exists() and not fitted.any():
        problems.warn(path, "holds no fit of any hand, so there will be no part masks", release.remedy("annotations"))
    return {hand: {"shown": int(shown[:, k].sum()), "fitted": int(fitted[:, k].sum())} for k, hand in enumerate(HANDS)}
