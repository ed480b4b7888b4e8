"""One self-contained HTML page about a whole run."""

from digit import scoring
from digit.config import Config
from digit.model.weights import load_network
from digit.report import facts
from digit.report.compare import compare, write_comparison
from digit.report.page import render
from digit.report.samples import Sample, gallery
from digit.run.console import log
from digit.run.errors import UserError
from digit.run.files import remove, replacing
from digit.run.layout import Layout
from digit.samples.opening import open_dataset


def report(config: Config) -> None:
    """Write ``report/index.html`` from the files of all earlier stages, and ``comparison.csv`` of several experiments.

    Raises:
        UserError: when nothing was trained, or an earlier stage's files are missing or damaged.
    """
    layout = Layout.of(config)
    if not config.experiments:
        raise UserError("experiments: none is configured, so there is nothing to report; name one under experiments")
    trained = [facts.read_trained(config, layout, name) for name in config.experiments]
    counts = facts.read_counts(layout)
    compared = compare(config, layout, trained)
    page = render(
        config=config,
        trained=trained,
        counts=counts,
        times=facts.read_times(layout.run / "benchmarks"),
        warnings=facts.read_warnings(layout, [row.split for row in counts]),
        samples=_samples(config, layout, trained[0]),
        compared=compared,
    )
    table, path = layout.report() / "comparison.csv", layout.report() / "index.html"
    if compared:
        write_comparison(table, compared, trained)
    else:
        remove(table)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    log.info("report: %s (%.1f MB)", path, path.stat().st_size / 1e6)


def _samples(config: Config, layout: Layout, trained: facts.Trained) -> list[Sample]:
    """Samples of the first experiment under its first protocol."""
    evaluation = trained.evaluations[0]
    split, root_depth = evaluation.split, evaluation.root_depth
    model = load_network(layout.train(trained.name) / "best.ckpt", trained.settings.model)
    dataset, _ = open_dataset(config, split, model.settings, root_depth)
    path = layout.evaluation(trained.name, split, root_depth) / "predictions.npz"
    return gallery(model, scoring.load_outputs(path, dataset.index), dataset)
