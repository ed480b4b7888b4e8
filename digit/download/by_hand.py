"""What a person has to get, because a licence or a registration is in the way: MANO and RootNet's results.

Files are recognised by what they hold. Results for the 30 fps release and for other splits have the same names, and
wrong ones give wrong numbers without an error.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from digit.config import Config
from digit.hand.official import load_hand_files
from digit.release.interhand import PAGE, Columns, Release, lookup, read_rootnet, read_samples
from digit.release.plausibility import same_boxes
from digit.release.problems import Problems
from digit.run.errors import UserError
from digit.run.layout import ROOTNET_FILES, rootnet_paths

COVERED, AGREEING = 0.95, 0.9
"""Shares of samples that have a result, and of results whose box is the sample's, in the right file."""
MANO_PAGE = "https://mano.is.tue.mpg.de"
DEEPEST = 4
"""Folders below the data folder in which files are looked for."""


def missing_by_hand(config: Config) -> list[str]:
    """Say, for each thing that is missing, where to get it and where to put it; or that it is elsewhere or wrong."""
    return [*_mano(config), *_rootnet(Release.of(config))]


def _mano(config: Config) -> Iterator[str]:
    data = config.data
    if data.hand_model == "open":
        yield f"data.hand_model is open; the official hands, MANO v1.2, are at {MANO_PAGE} (registration)"
    else:
        yield from _mano_folder(Path(data.hand_model))
    for key, path, source in (
        ("data.joint_regressor", data.joint_regressor, "the MANO rendering tool in InterHand2.6M's repository"),
        ("data.sealed_faces", data.sealed_faces, "render_mano_ih's repository"),
    ):
        if path is not None and not Path(path).is_file():
            yield f"{Path(path).name}: from {source} to {path} (or set {key} to null)"


def _mano_folder(folder: Path) -> Iterator[str]:
    names = ("MANO_RIGHT.pkl", "MANO_LEFT.pkl")
    if all((folder / name).is_file() for name in names):
        try:
            load_hand_files(str(folder), None, None)
        except UserError as error:
            yield str(error)
        return
    unpacked = next(_below(folder if folder.is_dir() else folder.parent, names[0]), None)
    hint = f"; they seem to be in {unpacked.parent}: set data.hand_model to that folder" if unpacked else ""
    yield f"MANO v1.2 ({', '.join(names)}): from {MANO_PAGE} (registration) to {folder}{hint}"


def _rootnet(release: Release) -> Iterator[str]:
    """Compare every file that may be RootNet's results with the annotations of each split."""
    results = {path: columns for path in _candidates(release) if (columns := _read_results(path, release)) is not None}
    for split in ROOTNET_FILES:
        target = rootnet_paths(release.root, split)[0]
        samples = _read_boxes(release, split)
        if samples is None:
            if release.rootnet(split) is None:
                yield f"RootNet's results of {split}: from {PAGE} to {target}"
            continue
        right = [path for path, columns in results.items() if _belongs(columns, samples)]
        used = release.rootnet(split)
        if used is not None and used not in right:
            yield f"{used}: {_other(results.get(used), samples, split)}"
        if used is None or used not in right:
            found = f"; they are in {right[0]}: move that file" if right else f": from {PAGE}, those for 5 fps,"
            yield f"RootNet's results of {split}{found} to {target}"


def _belongs(results: Columns, samples: Columns) -> bool:
    covered, agreeing = agreement(results, samples)
    return covered >= COVERED and agreeing >= AGREEING


def _other(results: Columns | None, samples: Columns, split: str) -> str:
    """Say why a file under the right name is not that file."""
    if results is None:
        return "cannot be read as RootNet's results"
    covered, agreeing = agreement(results, samples)
    count, expected = len(results["annot_id"]), len(samples["annot_id"])
    rate = "; they seem to be for 30 fps" if count > 2 * expected else ""
    return (
        f"has the name of RootNet's results of {split} at 5 fps, but holds others: {count:,} results for {expected:,} "
        f"samples, of which {covered:.0%} have one and {agreeing:.0%} of those their box{rate}"
    )


def agreement(results: Columns, samples: Columns) -> tuple[float, float]:
    """Share of samples that have a result, and share of these whose box is the annotated one, squared and enlarged.

    Args:
        results: ``annot_id`` (R,) and ``bbox`` (R, 4) px, x, y, width, height.
        samples: ``annot_id`` (N,) and ``box_px`` (N, 4) of a split.
    """
    place, found = lookup(results["annot_id"], samples["annot_id"])
    if not found.any():
        return 0.0, 0.0
    same = same_boxes(results["bbox"][place[found]], samples["box_px"][found])
    return float(found.mean()), float(same.mean())


def _candidates(release: Release) -> list[Path]:
    """JSON files that may be RootNet's results, by their names or their folder."""
    found = {path for split in ROOTNET_FILES for path in rootnet_paths(release.root, split) if path.is_file()}
    found |= set((release.root / "rootnet_output").glob("*.json"))
    return sorted(found | {path for path in _below(release.root, "*.json") if "rootnet" in path.name.lower()})


def _below(folder: Path, pattern: str) -> Iterator[Path]:
    """Files of a pattern in a folder and the outer ones of its folders; those of images are left alone."""
    folders = [folder]
    for _ in range(DEEPEST):
        inner = []
        for each in folders:
            with contextlib.suppress(OSError):  # not ours to look into
                yield from (path for path in sorted(each.glob(pattern)) if path.is_file())
                inner += [path for path in sorted(each.iterdir()) if _is_searched(path)]
        folders = inner


def _is_searched(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and path.name != "images" and not path.name.startswith(".")


def _read_results(path: Path, release: Release) -> Columns | None:
    problems = Problems()
    try:
        columns = read_rootnet(path, release, problems)
    except UserError:
        return None
    return columns if len(columns["annot_id"]) else None


def _read_boxes(release: Release, split: str) -> Columns | None:
    problems = Problems()
    try:
        samples = read_samples(release, split, problems)
    except UserError:
        return None
    return samples if len(samples["annot_id"]) else None
