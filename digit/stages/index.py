"""index: annotation files to memory-mapped tables."""

from digit.config import Config
from digit.release.interhand import Release
from digit.release.plausibility import judge_annotations
from digit.release.problems import Problems
from digit.release.tables import build_tables
from digit.run.console import log
from digit.run.layout import Layout
from digit.samples.index import describe_source, write_index


def index(config: Config, split: str) -> None:
    """Write ``index/<split>/`` from the annotations of a split.

    Raises:
        UserError: naming every file and record that is missing or broken; then nothing is written.
    """
    release, problems = Release.of(config), Problems()
    columns, files = build_tables(release, split, problems)
    if not problems.errors:
        judge_annotations(columns, release, split, problems)
    problems.raise_errors(f"the annotations of split {split} cannot be indexed")
    for warning in problems.warnings:
        log.warning("%s", warning)
    sources = [describe_source(file, release.root) for file in files]
    folder = Layout.of(config).index(split)
    write_index(folder, split, columns, sources)
    counts = len(columns["annot_id"]), len(columns["frame_number"]), len(columns["camera_name"])
    log.info("index %s: %d samples of %d frames from %d cameras", split, *counts)
    log.info("index %s: %d with RootNet results", split, columns["rootnet_valid"].sum())
