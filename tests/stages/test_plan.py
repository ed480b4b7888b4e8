"""The plan as a table, and the command that prints it."""

from pathlib import Path

from rich.console import Console
from typer.testing import CliRunner

from digit.cli import app
from digit.config import resolve
from digit.stages.plan import show

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "workflow" / "configs" / "paper.yaml"


def test_the_table_shows_every_stage_and_every_input(tmp_path):
    console = Console(record=True, width=120)
    synthetic = {"train_images": 4000, "val_images": 400, "test_images": 400}
    show(resolve({"run": {"folder": str(tmp_path)}, "synthetic": synthetic, "experiments": {"a": {}}}), console)
    text = console.export_text()
    for word in ("synthesize", "parts", "train a", "evaluate a", "GPU-hours", "path ", "4,000", "the configuration"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_command_takes_snakemakes_option(monkeypatch):
    monkeypatch.chdir(ROOT)
    for option in ("--configfile", "--config", "-c"):
        result = CliRunner().invoke(app, ["plan", option, str(PAPER)])
        assert result.exit_code == 0, result.output
        assert "train digit" in result.output and "tiny" not in result.output
