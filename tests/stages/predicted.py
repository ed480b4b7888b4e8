"""Predicting in tests, and what is then in the folder of results."""

import hashlib
import json

from typer.testing import CliRunner

from digit.cli import app
from digit.pages.files import is_own
from digit.stages import predict as stage


def digit(*arguments):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    return result.exit_code, result.stdout, str(result.exception) if result.exit_code else ""


def predict(checkpoint, image, output, boxes=None, **options):
    return stage.predict(checkpoint, [image], output, stage.Options(boxes, **options))


def names(folder):
    """Files below a folder, those of the page of a run aside."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path.as_posix() for path in files if not is_own(folder / path)]


def digests(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names(folder)}


def crop_of(path):
    """The only crop of a pose file."""
    (crop,) = json.loads(path.read_text())["crops"]
    return crop


def joints(path):
    return [
        (j["x_px"], j["y_px"], j["depth_mm"])
        for hand in crop_of(path)["hands"].values()
        for j in hand["joints"].values()
    ]
