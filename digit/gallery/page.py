"""``index.html``: what one run predicted, to look through, with everything to download."""

import statistics
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from digit import __version__
from digit.gallery.coco import write_coco
from digit.gallery.meshes import add_meshes, surfaces
from digit.gallery.records import Records, is_video, moments, shown_record
from digit.gallery.tables import write_csv, write_mano
from digit.model.shipped import NAME as SHIPPED_NAME
from digit.pages import files
from digit.pages.entry import CAM, described, entry_of, present_hands
from digit.pages.inline import script_json, shared, skeleton
from digit.pages.views import read_thumbnail
from digit.predictor.hand_meshes import HandMeshes
from digit.predictor.overlay_video import KINDS
from digit.predictor.results import LINES_SUFFIX, MESH_SUFFIX, OVERLAY_SUFFIX, POSE_SUFFIX
from digit.run.console import counted
from digit.run.files import remove, replacing

HERE = Path(__file__).parent
THREADS = 4
RESULTS = {
    OVERLAY_SUFFIX: "overlay",
    MESH_SUFFIX: "shaded meshes",
    **dict.fromkeys(KINDS, "overlay video"),
    POSE_SUFFIX: "pose (JSON)",
    LINES_SUFFIX: "poses (JSON Lines)",
    ".glb": "meshes (glTF)",
    ".obj": "meshes (OBJ)",
}
"""What the files beside a pose are called on the page, by what follows the picture's name."""
MESHES = (MESH_SUFFIX, ".glb", ".obj")


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


def write_gallery(
    output: Path, poses: Sequence[Path], failed: Sequence[str] = (), meshes: HandMeshes | None = None
) -> Path:
    """Write the page of a run, and its poses as CSV, COCO keypoints and, where meshes were fitted, MANO parameters.

    Args:
        output: folder of the results; files in it that have the page's names are replaced.
        poses: the run's pose files and files of lines below it, each with a picture at
            :func:`digit.pages.files.picture_path`.
        failed: a sentence for each picture without a result.
        meshes: what the run fitted; without it, meshes that lie beside the poses are those of another run, and not
            shown.

    Returns:
        The page.

    Raises:
        UserError: when a pose file is damaged, or something cannot be written.
    """
    write_csv(output / files.CSV, Records(poses))
    write_coco(output / files.COCO, Records(poses))
    if not write_mano(output / files.MANO, Records(poses)):
        remove(output / files.MANO)
    with ThreadPoolExecutor(THREADS) as pool:
        views = list(pool.map(partial(_view, output, () if meshes is None else meshes.kinds), poses))
    if meshes is not None:
        pictures = [view for view in views if view.record["frame"] is None]
        add_meshes([view.entry for view in pictures], [view.record for view in pictures], meshes.hands)
    with replacing(output / files.PAGE) as temporary:
        temporary.write_text(_render(output, views, failed, meshes), encoding="utf-8")
    return output / files.PAGE


def _view(output: Path, of_meshes: Collection[str], pose: Path) -> View:
    """What the page shows of a picture or a video; its results have the name of its pose file.

    Args:
        output: folder of the results.
        of_meshes: suffixes of the files of meshes that the run writes.
        pose: pose file or file of lines.
    """
    record = shown_record(pose)
    name = pose.relative_to(output).as_posix().removesuffix(POSE_SUFFIX).removesuffix(LINES_SUFFIX)
    base = pose.name.removesuffix(POSE_SUFFIX).removesuffix(LINES_SUFFIX)
    fitted = any(known.get("mano") for *_, known in present_hands(record))
    suffixes = [suffix for suffix in RESULTS if suffix not in MESHES or (fitted and suffix in of_meshes)]
    beside = {suffix: pose.with_name(base + suffix) for suffix in suffixes}
    linked = {suffix: files.link(path, output) for suffix, path in beside.items() if path.is_file()}
    picture = files.picture_path(output, name)
    links: dict[str, Any] = {
        "picture": files.link(picture, output),
        "files": {RESULTS[suffix]: link for suffix, link in linked.items()},
    }
    if MESH_SUFFIX in linked:
        links["shaded"] = linked[MESH_SUFFIX]
    if is_video(pose):
        links |= {"video": next((linked[kind] for kind in KINDS if kind in linked), None), "moments": moments(pose)}
    return View(
        record,
        described(record),
        read_thumbnail(picture),
        entry_of(record) | links,
        round(100 * record["height"] / record["width"], 2),
    )


def _render(output: Path, views: Sequence[View], failed: Sequence[str], meshes: HandMeshes | None) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((HERE / "page.html").read_text())
    records = [view.record for view in views]
    exports = {files.CSV: "a row per joint", files.COCO: "COCO keypoints", files.MANO: "MANO parameters"}
    drawn = None if meshes is None else surfaces(meshes.hands)
    return template.render(
        version=__version__,
        views=views,
        failed=failed,
        title=_title(records),
        checkpoints=sorted({record["checkpoint"] for record in records}),
        shipped=SHIPPED_NAME,
        thresholds=sorted({record["hand_threshold"] for record in records}),
        exports={name: words for name, words in exports.items() if (output / name).is_file()},
        rows=[row for number, view in enumerate(views) for row in _rows(number, view.record, meshes is not None)],
        style=Markup(shared("style.css") + (HERE / "style.css").read_text()),
        script=Markup(shared("viewer.js") + shared("overlay.js") + (HERE / "gallery.js").read_text()),
        surfaces=drawn,
        data=script_json(skeleton() | {"surfaces": drawn, "entries": [view.entry for view in views]}),
    )


def _title(records: Sequence[dict[str, Any]]) -> str:
    """How many hands there are in how many pictures; of a video in the frame that stands for it."""
    videos = sum(record["frame"] is not None for record in records)
    hands = sum(len(present_hands(record)) for record in records)
    counts = {"hand": hands, "picture": len(records) - videos, "video": videos}
    words = [counted(count, name) for name, count in counts.items()]
    if videos == len(records) > 0:
        return words[2]
    return f"{words[0]} in {words[1]}" + (f" and {words[2]}" if videos else "")


def _rows(number: int, record: dict[str, Any], fitted: bool) -> Iterator[dict[str, Any]]:
    """The table's row for each hand of a picture that is present, or one that says that there is none.

    Args:
        number: of the picture.
        record: its result.
        fitted: whether the run fits meshes.
    """
    found = present_hands(record)
    if not found:
        yield {"number": number, "image": record["image"], "hand": "none", "cells": ["–"] * (3 + fitted)}
    for _, hand, known in found:
        wrist = known["joints"]["wrist"]
        sure = statistics.fmean(joint["confidence"] for joint in known["joints"].values())
        place = ", ".join("–" if wrist[key] is None else f"{wrist[key]:.0f}" for key in CAM)
        cells = [f"{known['probability']:.2f}", f"{sure:.2f}", place]
        if fitted:
            cells.append(f"{known['mano']['fit_error_mm']:.1f}" if known.get("mano") else "–")
        yield {"number": number, "image": record["image"], "hand": hand, "cells": cells}
