"""Where a run keeps its files, and how a data set names its own.

The workflow's rules and the stages both get their paths here, so they cannot disagree.
"""

from dataclasses import dataclass
from pathlib import Path

from digit.config import Config

ANNOTATION_KINDS = ("data", "camera", "joint_3d", "MANO_NeuralAnnot")
"""The release's annotation files of each split."""

ROOTNET_FILES = {
    "val": ("rootnet_interhand2.6m_output_val.json", "rootnet_interhand2.6m_output_machine_annot_val.json"),
    "test": ("rootnet_interhand2.6m_output_test.json", "rootnet_interhand2.6m_output_all_test.json"),
}
"""RootNet results of a split: the name in the current release, then in older ones. Training has none."""


def annotation_path(root: Path, split: str, kind: str) -> Path:
    """Annotation file of a data set in the release's layout; ``kind`` is one of ``ANNOTATION_KINDS``."""
    return root / "annotations" / split / f"InterHand2.6M_{split}_{kind}.json"


def rootnet_paths(root: Path, split: str) -> tuple[Path, ...]:
    """Where a data set's RootNet results may lie, newest name first."""
    return tuple(root / "rootnet_output" / name for name in ROOTNET_FILES.get(split, ()))


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

    def jpeg_folder(self) -> Path:
        """Folder of the data set's JPEG files, one folder per split."""
        return self.dataset / "images"

    def annotations(self, split: str) -> tuple[Path, ...]:
        """Annotation files of one split, in the order of ``ANNOTATION_KINDS``."""
        return tuple(annotation_path(self.dataset, split, kind) for kind in ANNOTATION_KINDS)

    def tables(self) -> tuple[Path, Path]:
        """The data set's joint table (skeleton.txt) and subject table (subject.txt)."""
        return self.dataset / "annotations" / "skeleton.txt", self.dataset / "annotations" / "subject.txt"

    def rootnet(self, split: str) -> tuple[Path, ...]:
        """Where the RootNet results of a split may lie, newest name first; training has none."""
        return rootnet_paths(self.dataset, split)

    def members(self) -> Path:
        """What the headers of the archive say, where nothing can be kept beside its pieces."""
        return self.run / "members"

    def download(self) -> Path:
        """What was downloaded, and what a person has to get."""
        return self.run / "download.json"

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

    def evaluation(self, experiment: str, split: str, root_depth: str, weights: str | None = None) -> Path:
        """Metrics and predictions of one experiment under one protocol; ``weights`` names others than its own."""
        own = self.run / "experiments" / experiment / "eval" / f"{split}-{root_depth}"
        return own if weights is None else own.with_name(f"{own.name}-{weights}")

    def report(self) -> Path:
        """Folder of the HTML report."""
        return self.run / "report"

    def log(self, name: str) -> Path:
        """Log file of a rule."""
        return self.run / "logs" / f"{name}.log"

    def benchmark(self, name: str) -> Path:
        """Snakemake benchmark file of a rule."""
        return self.run / "benchmarks" / f"{name}.tsv"
