"""The verbs of ``digit`` that need no data set: ``predict`` and ``serve``.

As in :mod:`digit.cli`, stage modules are imported inside the verbs.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from digit.run.errors import UserError

STOPPED_BY_HAND = 130
"""Exit status after Ctrl-C, as of any program."""

Preset = Literal["paper", "small", "tiny"]
Threshold = Annotated[float, typer.Option(help="Hands below this probability count as absent.")]
PresetOption = Annotated[Preset, typer.Option(help="Size of the network, where the checkpoint does not say.")]


def predict(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="INPUT...", help="Pictures, videos, folders of them, or - for standard input."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Ours (best.ckpt), the released .pt or a checkpoint of the original; by default the weights that come "
            "with digit.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Gets NAME.overlay.png and NAME.pose.json for each picture NAME, NAME.overlay.webm and "
            "NAME.poses.jsonl for each video.",
        ),
    ] = Path("predictions"),
    boxes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='JSON {"photo.jpg": \\[x, y, width, height]} px; else hands are found.'),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,W,H", help="Box in px for every picture and frame; repeat it for several crops."),
    ] = None,
    focal: Annotated[
        float | None,
        typer.Option(metavar="PX", help="Focal length; by default EXIF's, else a field of view is assumed."),
    ] = None,
    hand_threshold: Threshold = 0.5,
    preset: PresetOption = "paper",
    smooth: Annotated[bool, typer.Option(help="Smooth the joints of hands in videos over time.")] = True,
    camera: Annotated[
        int | None,
        typer.Option(min=0, metavar="NUMBER", help="Predict what this camera sees, until Ctrl-C; 0 is the first."),
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Of the camera, after which to end.")] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into sub-folders; results and boxes keep their paths.")
    ] = False,
    mesh: Annotated[
        bool, typer.Option(help="Fit the hand model to all hands; a picture also gets NAME.glb and NAME.mesh.png.")
    ] = False,
    hand_model: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With MANO_RIGHT.pkl and MANO_LEFT.pkl; by default the open hand."),
    ] = None,
    mesh_format: Annotated[
        Literal["glb", "obj"] | None, typer.Option(help="Of the meshes of pictures; by default glb.")
    ] = None,
) -> None:
    """Predict pose and parts on your own pictures and videos, or on what a camera sees; needs no data set.

    A picture that cannot be read does not stop the others: those without a result are listed at the end, and the
    exit status is 1. After Ctrl-C, or any other end, the same command goes on: results that are there are kept.
    """
    from digit.predictor.boxes import parse_box
    from digit.stages.predict import Options, predict_camera
    from digit.stages.predict import predict as stage

    given = None if box is None else [parse_box(one) for one in box]
    if hand_model is not None and not mesh:
        raise UserError("--hand-model is what --mesh fits; give both")
    if mesh_format is not None and not mesh:
        raise UserError("--mesh-format is what --mesh writes; give both")
    written = (mesh_format or "glb") if mesh else None
    options = Options(boxes, given, focal, hand_threshold, preset, smooth, recursive, written, hand_model or "open")
    if bool(inputs) == (camera is not None):
        raise UserError("give pictures, videos or folders, or else --camera 0")
    if camera is not None:
        path, stopped = predict_camera(checkpoint, camera, output, options, frames)
        typer.echo(os.fsencode(path))
        raise typer.Exit(STOPPED_BY_HAND if stopped else 0)
    if frames is not None:
        raise UserError("--frames is for --camera; of a video all frames are predicted")
    outcome = stage(checkpoint, inputs or [], output, options)
    for path in outcome.poses:
        typer.echo(os.fsencode(path))
    if outcome.stopped:
        raise typer.Exit(STOPPED_BY_HAND)
    outcome.require_all()


def serve(
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="As of predict; by default the weights that come with digit."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of this computer; 0 takes a free one.")] = 8765,
    hand_threshold: Threshold = 0.5,
    preset: PresetOption = "paper",
) -> None:
    """Open a page on this computer that predicts pictures dropped on it and what a camera sees.

    Nothing leaves this computer, nothing is kept. Other computers cannot reach the page.
    """
    from digit.stages.serve import serve as stage

    stage(checkpoint, port, hand_threshold, preset)
