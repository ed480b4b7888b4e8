"""``index.html``: what one run predicted, to look through, with everything to download."""

import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from digit import __version__
from digit.gallery.coco import write_coco
from digit.gallery.tables import write_csv, write_mano
from digit.pages import files
from digit.pages.entry import CAM, described, entry_of, present_hands
from digit.pages.inline import script_json, shared, skeleton
from digit.pages.views import read_thumbnail
from digit.predictor.results import POSE_SUFFIX
from digit.run.files import read_json, remove, replacing

HERE = Path(__file__).parent
REMEDY = "predict again"
THREADS = 4
RESULTS = {".overlay.png": "overlay", POSE_SUFFIX: "pose (JSON)", ".glb": "meshes (glTF)", ".obj": "meshes (OBJ)"}
"""What the files beside a pose are called on the page, by what follows the picture's name."""


@dataclass(frozen=True)
class View:
    """One picture on the page."""

    record: dict[str, Any]
    """Content of its pose file."""
    hands: str
    """In words."""
    thumbnail: str
    """A link that holds it."""
    entry: dict[str, Any]
    """What the script draws, and links."""
    height_percent: float
    """Of its width."""


def write_gallery(output: Path, poses: Sequence[Path], failed: Sequence[str] = ()) -> Path:
    """Write the page of a run, and its poses as CSV, COCO keypoints and, where meshes were fitted, MANO parameters.

    Args:
        output: folder of the results; files in it that have the page's names are replaced.
        poses: the run's pose files below it, each with its picture at :func:`digit.pages.files.picture_path`.
        failed: a sentence for each picture without a result.

    Returns:
        The page.

    Raises:
        UserError: when a pose file is damaged, or something cannot be written.
    """
    write_csv(output / files.CSV, _records(poses))
    write_coco(output / files.COCO, _records(poses))
    if not write_mano(output / files.MANO, _records(poses)):
        remove(output / files.MANO)
    with ThreadPoolExecutor(THREADS) as pool:
        views = list(pool.map(partial(_view, output), poses))
    with replacing(output / files.PAGE) as temporary:
        temporary.write_text(_render(output, views, failed), encoding="utf-8")
    return output / files.PAGE


def _records(poses: Sequence[Path]) -> Iterator[dict[str, Any]]:
    return (read_json(path, REMEDY) for path in poses)


def _view(output: Path, pose: Path) -> View:
    """What the page shows of a picture; its results have the name of its pose file."""
    record = read_json(pose, REMEDY)
    name = pose.relative_to(output).as_posix().removesuffix(POSE_SUFFIX)
    base = pose.name.removesuffix(POSE_SUFFIX)
    beside = {words: pose.with_name(base + suffix) for suffix, words in RESULTS.items()}
    picture = files.picture_path(output, name)
    links = {
        "picture": files.link(picture, output),
        "files": {words: files.link(path, output) for words, path in beside.items() if path.is_file()},
    }
    return View(
        record,
        described(record),
        read_thumbnail(picture),
        entry_of(record) | links,
        round(100 * record["height"] / record["width"], 2),
    )


def _render(output: Path, views: Sequence[View], failed: Sequence[str]) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((HERE / "page.html").read_text())
    records = [view.record for view in views]
    exports = {files.CSV: "a row per joint", files.COCO: "COCO keypoints", files.MANO: "MANO parameters"}
    return template.render(
        version=__version__,
        views=views,
        failed=failed,
        hands=sum(len(present_hands(record)) for record in records),
        checkpoints=sorted({record["checkpoint"] for record in records}),
        thresholds=sorted({record["hand_threshold"] for record in records}),
        exports={name: words for name, words in exports.items() if (output / name).is_file()},
        rows=[row for number, view in enumerate(views) for row in _rows(number, view.record)],
        style=Markup(shared("style.css") + (HERE / "style.css").read_text()),
        script=Markup(shared("viewer.js") + shared("overlay.js") + (HERE / "gallery.js").read_text()),
        data=script_json(skeleton() | {"entries": [view.entry for view in views]}),
    )


def _rows(number: int, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The table's row for each hand of a picture that is present, or one that says that there is none."""
    found = present_hands(record)
    if not found:
        yield {"number": number, "image": record["image"], "hand": "none", "cells": ["–"] * 4}
    for _, hand, known in found:
        wrist = known["joints"]["wrist"]
        sure = statistics.fmean(joint["confidence"] for joint in known["joints"].values())
        place = ", ".join("–" if wrist[key] is None else f"{wrist[key]:.0f}" for key in CAM)
        fit = f"{known['mano']['fit_error_mm']:.1f}" if known.get("mano") else "–"
        cells = [f"{known['probability']:.2f}", f"{sure:.2f}", place, fit]
        yield {"number": number, "image": record["image"], "hand": hand, "cells": cells}
