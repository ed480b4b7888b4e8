"""The command ``digit``: one verb per stage.

Stage modules are imported inside the verbs, so that ``digit --help`` does not load torch.
"""

import contextlib
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from digit import __version__
from digit.cli_pictures import Preset, predict, serve
from digit.config import Config, RootDepth, Split, load_config, to_dict
from digit.config.overrides import with_evaluation_switches, with_training_switches
from digit.run.console import configure_logging
from digit.run.errors import UserError, words_for_people
from digit.run.layout import Layout
from digit.run.output import copy_output
from digit.run.processes import end_with_workflow, only_writer

PIPELINE = "Stages, in the order of the pipeline"
OTHER = "Other"

app = typer.Typer(
    name="digit",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="The 3D pose of two interacting hands from one RGB image: data, training, evaluation, prediction.\n\n"
    "Every verb is one stage of the workflow. [bold]snakemake --cores all[/bold] runs them all in order; a verb "
    "typed by hand runs one stage on the files that the earlier ones left.",
    epilog="Set-up and real data, step by step: README.md.",
)

SomeSplits = StrEnum("SomeSplits", ("train", "val", "test"))
SomeKinds = StrEnum("SomeKinds", ("images", "masks", "annotations"))
ConfigFiles = Annotated[
    list[Path],
    typer.Option(
        "--config", "-c", metavar="FILE", help="Configuration; repeat it to overlay later files on earlier ones."
    ),
]
SplitOption = Annotated[Split, typer.Option("--split", "-s", help="Split of the data.")]
ShardOption = Annotated[int, typer.Option("--shard", min=0, help="Which of data.shards parts of the split, from 0.")]
ExperimentOption = Annotated[str, typer.Option("--experiment", "-e", metavar="NAME", help="Key under experiments.")]
LogFile = Annotated[
    Path | None, typer.Option("--log", metavar="FILE", help="File that gets a copy of everything that is printed.")
]
SWITCHES = {"allow_extra_args": True, "ignore_unknown_options": True}
DEFAULT_CONFIG = [Path("config.yaml")]


def main() -> None:
    """Entry point of the command line: what the user can mend ends in one message and status 1."""
    configure_logging()
    end_with_workflow()
    try:
        app()
    except Exception as error:
        words = words_for_people(error)
        if words is None:
            raise
        print(f"digit: {words}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"digit {__version__}")
        raise typer.Exit


@app.command(rich_help_panel=PIPELINE)
def synthesize(
    processes: Annotated[int | None, typer.Option(min=1, help="Workers; by default one per core.")] = None,
    config: ConfigFiles = DEFAULT_CONFIG,
    log: LogFile = None,
) -> None:
    """Make a small data set with the embedded hand, in InterHand2.6M's own layout."""
    with _writing(config, "synthesize", log) as resolved:
        from digit.stages.synthesize import synthesize as stage

        stage(resolved, processes)


@app.command(rich_help_panel=PIPELINE)
def download(
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You accept the terms, which are shown without this flag.")
    ] = False,
    config: ConfigFiles = DEFAULT_CONFIG,
    log: LogFile = None,
) -> None:
    """Download InterHand2.6M's annotations and images, verified; resumes after any interruption.

    What needs a registration (MANO) or cannot be fetched by a script (RootNet's results) is named at the end.
    """
    with _writing(config, "download", log) as resolved:
        from digit.stages.download import download as stage

        stage(resolved, accept_licence)


@app.command(rich_help_panel=PIPELINE)
def check(split: SplitOption, config: ConfigFiles = DEFAULT_CONFIG, log: LogFile = None) -> None:
    """Audit a data folder: what is missing or damaged, and what to do about it."""
    with _writing(config, f"check/{split}", log) as resolved:
        from digit.stages.check import check as stage

        stage(resolved, split)


@app.command(rich_help_panel=PIPELINE)
def index(split: SplitOption, config: ConfigFiles = DEFAULT_CONFIG, log: LogFile = None) -> None:
    """Turn the annotation files into memory-mapped tables."""
    with _writing(config, f"index/{split}", log) as resolved:
        from digit.stages.index import index as stage

        stage(resolved, split)


@app.command(rich_help_panel=PIPELINE)
def images(split: SplitOption, shard: ShardOption, config: ConfigFiles = DEFAULT_CONFIG, log: LogFile = None) -> None:
    """Pack the JPEG files of one shard, byte for byte."""
    with _writing(config, f"images/{split}-{shard}", log) as resolved:
        from digit.stages.images import images as stage

        stage(resolved, split, shard)


@app.command(rich_help_panel=PIPELINE)
def parts(split: SplitOption, shard: ShardOption, config: ConfigFiles = DEFAULT_CONFIG, log: LogFile = None) -> None:
    """Draw the part masks of one shard and measure how well the hands fit."""
    with _writing(config, f"parts/{split}-{shard}", log) as resolved:
        from digit.stages.parts import parts as stage

        stage(resolved, split, shard)


@app.command(rich_help_panel=PIPELINE)
def sheet(split: SplitOption, config: ConfigFiles = DEFAULT_CONFIG, log: LogFile = None) -> None:
    """Draw a contact sheet of part masks over images, to check by eye."""
    with _writing(config, f"sheet/{split}", log) as resolved:
        from digit.stages.sheet import contact_sheet as stage

        stage(resolved, split)


@app.command(rich_help_panel=PIPELINE, context_settings=SWITCHES)
def train(
    context: typer.Context, experiment: ExperimentOption, config: ConfigFiles = DEFAULT_CONFIG, log: LogFile = None
) -> None:
    """Train one experiment; resumes an interrupted run.

    Every key of experiments.NAME.training is a flag as well, under the original's name: --lr 1e-4 --batch_size 64
    --iter_batch 32 --max_epoch 50 --lr_dec_epoch 40 --gpu_ids 0,1 --devices 8 --nodes 2 --load_from FILE
    --resume_ckpt FILE --load_ckpt FILE ... A flag that is not read is an error.
    """
    with _writing(config, f"train/{experiment}", log) as resolved:
        _known(resolved, experiment)
        from digit.stages.train import train as stage

        stage(with_training_switches(resolved, experiment, context.args), experiment)


@app.command(rich_help_panel=PIPELINE, context_settings=SWITCHES)
def evaluate(
    context: typer.Context,
    experiment: ExperimentOption,
    split: Annotated[Split, typer.Option("--split", "--eval_on", "-s", help="Split of the data.")],
    root_depth: Annotated[
        RootDepth, typer.Option("--root-depth", "--trans_test", help="Where absolute root depth and box come from.")
    ],
    load_ckpt: Annotated[
        Path | None, typer.Option("--load_ckpt", metavar="FILE", help="Other weights than the experiment's best.ckpt.")
    ] = None,
    config: ConfigFiles = DEFAULT_CONFIG,
    log: LogFile = None,
) -> None:
    """Measure one experiment on one split.

    The keys of section evaluate are flags as well: --batch_size 64 --num_workers 4 --bootstrap 0.
    """
    with _writing(config, f"evaluate/{experiment}-{split}-{root_depth}", log) as resolved:
        _known(resolved, experiment)
        from digit.stages.evaluate import evaluate as stage

        stage(with_evaluation_switches(resolved, context.args), experiment, split, root_depth, load_ckpt)


@app.command(rich_help_panel=PIPELINE)
def report(config: ConfigFiles = DEFAULT_CONFIG, log: LogFile = None) -> None:
    """Write the HTML report of a run."""
    with _writing(config, "report", log) as resolved:
        from digit.stages.report import report as stage

        stage(resolved)


app.command(rich_help_panel=OTHER)(predict)
app.command(rich_help_panel=OTHER)(serve)


class _ByOptions(typer.core.TyperGroup):
    """``digit export --checkpoint FILE ...`` is about a network, everything else is about data."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("--help", "-h"):
            args = ["network" if "--checkpoint" in args else "data", *args]
        return super().parse_args(ctx, args)


export = typer.Typer(cls=_ByOptions, no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(
    export, name="export", rich_help_panel=OTHER, help="Write a network, or prepared data, for other software."
)


@export.command("network")
def export_network(
    checkpoint: Annotated[Path, typer.Option(metavar="FILE", help="The network's weights.")],
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="Ends in .onnx, .safetensors (halves) or .pt (the released layout).")
    ],
    preset: Annotated[
        Preset | None, typer.Option(help="Size of the network, where the checkpoint does not say; by default paper.")
    ] = None,
) -> None:
    """Write a network as ONNX, or as a .pt in the layout of the released weights."""
    from digit.stages.export_network import export_network as stage

    stage(checkpoint, output, preset)


@export.command("data")
def export_data(
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Link the original's data/InterHand to it.")],
    layout: Annotated[Literal["original"], typer.Option(help="Whose layout.")] = "original",
    split: Annotated[
        list[SomeSplits] | None,
        typer.Option("--split", "-s", help="Splits to write; by default all that are prepared."),
    ] = None,
    only: Annotated[
        list[SomeKinds] | None,
        typer.Option(help="Write only this part of the layout; repeat it for more."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace existing files, which is refused otherwise; never those that data.image_lmdb, "
            "data.mask_lmdb and data.fit_cache read.",
        ),
    ] = False,
    config: ConfigFiles = DEFAULT_CONFIG,
) -> None:
    """Write the prepared data in the layout of the original's scripts."""
    from digit.stages.export_data import KINDS
    from digit.stages.export_data import export_data as stage

    stage(load_config(*config), output, split, list(only or KINDS), overwrite)


@app.command(rich_help_panel=OTHER)
def settings(
    stage: Annotated[
        str | None, typer.Option(help="Only the keys that this stage, or experiments/NAME, reads.")
    ] = None,
    config: ConfigFiles = DEFAULT_CONFIG,
) -> None:
    """Print the configuration with presets and defaults filled in."""
    from digit.stages.settings import as_yaml, stage_settings

    resolved = load_config(*config)
    typer.echo(as_yaml(stage_settings(resolved, stage) if stage else to_dict(resolved)), nl=False)


@app.command(rich_help_panel=OTHER)
def plan(
    config: Annotated[
        list[Path],
        typer.Option(
            "--config", "--configfile", "-c", metavar="FILE", help="Overlays config.yaml; may be given more than once."
        ),
    ] = DEFAULT_CONFIG,
) -> None:
    """Estimate what a run costs: jobs, core-hours, GPU-hours, disk and longest path of each stage."""
    from rich.console import Console

    from digit.stages.plan import show

    under = [path for path in DEFAULT_CONFIG if path.is_file() and path not in config]
    terminal = sys.stdout.isatty()
    show(load_config(*under, *config), Console(width=None if terminal else 120, highlight=False))


@app.command(rich_help_panel=OTHER)
def doctor(
    full: Annotated[
        bool, typer.Option("--full", help="Show folders outside the working directory, too; credentials never.")
    ] = False,
    config: ConfigFiles = DEFAULT_CONFIG,
) -> None:
    """Print a page of facts for a bug report: versions, devices, disks, configuration, state of the run, locks."""
    from digit.stages.doctor import doctor as stage

    typer.echo(stage(config, full))


@contextlib.contextmanager
def _writing(config: list[Path], output: str, log: Path | None) -> Iterator[Config]:
    """Yield the resolved configuration while this process alone writes ``output``; ``log`` gets what is printed."""
    if log is not None:
        copy_output(log)
    resolved = load_config(*config)
    with only_writer(Layout.of(resolved).run / ".locks" / output):
        yield resolved


def _known(config: Config, experiment: str) -> None:
    if experiment not in config.experiments:
        known = ", ".join(config.experiments) or "none"
        raise UserError(f"experiments.{experiment}: no such experiment; the configuration has: {known}")
