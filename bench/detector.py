"""How well and how fast hands are found: ``python -m bench.detector`` prints the table of docs/predict.md.

Whole pictures of the embedded data set, views ``wide``, against their annotated boxes; with ``--boxes`` also pictures
of one's own, with ``--without-hands`` what is found where there is nothing to find. Not part of ``make bench``: there
is no plain way to compare with.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from bench import fabricate
from bench.measure import use_one_core
from digit.detector.boxes import overlap
from digit.detector.detector import HandDetector
from digit.predictor.inputs import find_pictures
from digit.predictor.pictures import read_picture
from digit.run.layout import Layout

HEADINGS = ("pictures", "number", "with a crop", "IoU >= 0.5", "mean IoU", "other crops", "CPU ms per picture")


@dataclass(frozen=True)
class Case:
    """Pictures of one kind."""

    name: str
    paths: list[Path]
    boxes_px: np.ndarray
    """(n, 4) the annotated box of each; (0, 4) where there are no hands."""


def synthetic(folder: Path, variety: str, images: int) -> list[Case]:
    """Pictures of the embedded data set, single hands and two apart."""
    sizes = {"train_images": 8, "val_images": 8, "test_images": images, "captures": max(1, images // 4)}
    wanted = sizes | {"views": "wide", "variety": variety}
    config = fabricate.configuration(folder, f"detector-{variety}-{images}", synthetic=wanted)
    dataset = Layout.of(config).dataset
    if not dataset.is_dir():
        from digit.stages.synthesize import synthesize

        synthesize(config)
    document = json.loads((dataset / "annotations/test/InterHand2.6M_test_data.json").read_text())
    names = {image["id"]: dataset / "images/test" / image["file_name"] for image in document["images"]}
    cases = []
    for name, kinds in (("one hand", ("right", "left")), ("two hands", ("interacting",))):
        notes = [note for note in document["annotations"] if note["hand_type"] in kinds]
        paths, boxes_px = [names[note["image_id"]] for note in notes], np.array([note["bbox"] for note in notes])
        cases.append(Case(f"{variety}, {name}", paths, boxes_px))
    return cases


def own(file: Path) -> Case:
    """Pictures of a box file, as ``digit predict --boxes`` takes it, beside that file."""
    boxes = json.loads(file.read_text())
    return Case(file.stem, [file.parent / name for name in boxes], np.array(list(boxes.values()), float))


def measure(detector: HandDetector, case: Case) -> tuple[str, ...]:
    """One row of the table."""
    images = [read_picture(path) for path in case.paths]
    detector(images[:1])
    start = time.process_time()
    found = detector(images)
    ms = (time.process_time() - start) / len(images) * 1e3
    crops = np.array([len(each) for each in found])
    if not len(case.boxes_px):
        return case.name, str(len(images)), "", "", "", str(crops.sum()), f"{ms:.0f}"
    best = np.zeros(len(images))
    for k in np.flatnonzero(crops):
        best[k] = overlap(np.array([crop.box_px for crop in found[k]]), case.boxes_px[k : k + 1]).max()
    seen = crops > 0
    shares = (f"{100 * seen.mean():.0f} %", f"{100 * (best >= 0.5).mean():.0f} %", f"{best[seen].mean():.2f}")
    return case.name, str(len(images)), *shares, str((crops - 1).clip(0).sum()), f"{ms:.0f}"


def main(
    images: Annotated[int, typer.Option(min=48, help="Synthetic pictures of each variety.")] = 240,
    boxes: Annotated[list[Path] | None, typer.Option(help="Box files of other pictures.")] = None,
    without_hands: Annotated[list[Path] | None, typer.Option(help="Folders of pictures without hands.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to work; by default a temporary folder.")] = None,
) -> None:
    """Detect hands in whole pictures, on one core, and print a table."""
    detector = HandDetector()
    with fabricate.workspace(folder) as work:
        cases = [case for variety in ("plain", "rich") for case in synthetic(work, variety, images)]
        cases += [own(file) for file in boxes or ()]
        for place in without_hands or ():
            paths = list(find_pictures(place, recursive=True).pictures.values())
            cases.append(Case(f"{place.name}, no hand", paths, np.zeros((0, 4))))
        use_one_core()
        rows = [measure(detector, case) for case in cases]
    table = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    sys.stdout.write("".join(f"| {' | '.join(row)} |\n" for row in table))


if __name__ == "__main__":
    typer.run(main)
