"""Where a run keeps its files. The workflow's rules and the stages both ask here, so they cannot disagree."""

from dataclasses import dataclass
from pathlib import Path

from digit.config import Config


@dataclass(frozen=True)
class Layout:
    """Paths of one run. Arguments may be Snakemake wildcards such as ``"{split}"``."""

    run: Path
    dataset: Path

    @classmethod
    def of(cls, config: Config) -> "Layout":
        """The layout of a resolved configuration."""
        run = Path(config.run.folder) / config.run.name
        synthetic = config.data.source == "synthetic"
        return cls(run=run, dataset=run / "dataset" if synthetic or not config.data.root else Path(config.data.root))

    def settings(self, stage: str) -> Path:
        """The part of the configuration that one stage depends on; ``stage`` may be ``experiments/<name>``."""
        return self.run / "settings" / f"{stage}.yaml"

    def check(self, split: str) -> Path:
        """Audit of one split of the data."""
        return self.run / "check" / f"{split}.json"

    def index(self, split: str) -> Path:
        """Folder of memory-mapped tables."""
        return self.run / "index" / split

    def images(self, split: str, shard: int | str) -> Path:
        """LMDB shard of JPEG bytes."""
        return self.run / "images" / split / f"{shard}.lmdb"

    def parts(self, split: str, shard: int | str) -> Path:
        """LMDB shard of part masks."""
        return self.run / "parts" / split / f"{shard}.lmdb"

    def fit(self, split: str, shard: int | str) -> Path:
        """Fit errors of the hands of one parts shard."""
        return self.run / "parts" / split / f"{shard}.fit.parquet"

    def contact_sheet(self, split: str) -> Path:
        """Overlays of masks on images, for a person to check."""
        return self.run / "parts" / f"{split}.png"

    def train(self, experiment: str) -> Path:
        """Checkpoints, history and provenance of one experiment."""
        return self.run / "experiments" / experiment / "train"

    def evaluation(self, experiment: str, split: str, root_depth: str) -> Path:
        """Metrics and predictions of one experiment under one protocol."""
        return self.run / "experiments" / experiment / "eval" / f"{split}-{root_depth}"

    def report(self) -> Path:
        """Folder of the HTML report."""
        return self.run / "report"

    def log(self, name: str) -> Path:
        """Log file of a rule."""
        return self.run / "logs" / f"{name}.log"

    def benchmark(self, name: str) -> Path:
        """Snakemake benchmark file of a rule."""
        return self.run / "benchmarks" / f"{name}.tsv"
