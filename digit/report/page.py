"""The page: facts become tables, charts and text; a template puts them in place."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from digit import __version__, metrics
from digit.config import LOSSES, Config, to_dict
from digit.pages.inline import script_json, shared, skeleton
from digit.report import charts, experiments, tables
from digit.report.compare import Comparison
from digit.report.facts import SplitCounts, StageTime, Trained, duration
from digit.report.samples import DISPLAY_PX, Sample
from digit.run.console import counted
from digit.skeleton import FINGERS, HANDS, JOINTS_PER_HAND

FOLDER = Path(__file__).parent


def render(
    config: Config,
    trained: Sequence[Trained],
    counts: Sequence[SplitCounts],
    times: Sequence[StageTime],
    warnings: Sequence[str],
    samples: Sequence[Sample],
    compared: Comparison | None = None,
) -> str:
    """The report as one HTML document.

    Args:
        config: Of the run.
        trained: Every experiment; the first one is shown in detail.
        counts: Sizes of the splits.
        times: Of the stages.
        warnings: Of the audit.
        samples: Of the first experiment under its first protocol.
        compared: The experiments against the first one, if there are several.
    """
    main, first = trained[0], trained[0].evaluations[0]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((FOLDER / "page.html").read_text())
    document = first.document
    return template.render(
        config=config,
        version=__version__,
        synthetic=config.data.source == "synthetic",
        style=Markup(shared("style.css") + (FOLDER / "style.css").read_text()),
        script=Markup(shared("viewer.js") + (FOLDER / "samples.js").read_text()),
        main=main,
        first=first,
        trained=trained,
        notices=tables.notices(config, main),
        alarms=[alarm for item in trained for alarm in tables.alarms(item)],
        tiles=tables.tiles(document),
        counts=counts,
        data_facts=tables.data_facts(config, warnings),
        training_facts=tables.training_facts(main),
        given_facts=tables.given_facts(trained),
        times=times,
        times_chart=Markup(_times_chart(times)),
        training_charts=[
            {"name": item.name, "alarms": tables.alarms(item), "charts": _training_charts(item)}
            for item in trained
            if item.history
        ],
        metric_rows=tables.metric_rows(document),
        protocol_rows=tables.protocol_rows(trained),
        published_rows=tables.published_rows(config, main),
        comparison=experiments.comparison(trained) if len(trained) > 1 else [],
        compared=compared,
        least=metrics.LEAST_UNITS,
        difference_rows=experiments.difference_rows(compared) if compared else [],
        difference_charts=experiments.difference_charts(compared) if compared else [],
        joint_charts=_joint_charts(document),
        skipped=", ".join(document["skipped_joints"]["all"]),
        pck_chart=Markup(_pck_chart(document)),
        auc=tables.scalar(document, "pck_auc"),
        has_iou=document["metrics"]["part_iou"] is not None,
        iou=tables.scalar(document, "part_iou"),
        part_rows=tables.part_rows(document),
        samples=samples,
        side=DISPLAY_PX,
        panel=_panel,
        protocol_facts=tables.protocol_facts(document),
        provenance_facts=tables.provenance_facts(main),
        remarks=[*document["notes"], *warnings],
        config_text=yaml.safe_dump(to_dict(config), sort_keys=False, width=110),
        poses=script_json(skeleton() | {"samples": [sample.view for sample in samples]}),
    )


def _panel(
    number: int, mask: str | None = None, bones: Sequence[tuple[float, float, float, float, str]] = ()
) -> Markup:
    """The crop of a sample with a mask or a skeleton over it."""
    layers = [f'<use href="#crop{number}"/>']
    if mask:
        layers.append(f'<image class="mask" href="{mask}" width="{DISPLAY_PX}" height="{DISPLAY_PX}"/>')
    ends = [(f'x1="{a}" y1="{b}" x2="{c}" y2="{d}"', color) for a, b, c, d, color in bones]
    layers += [f'<line class="halo" {end}/>' for end, _ in ends]
    layers += [f'<line class="bone" stroke="{color}" {end}/>' for end, color in ends]
    return Markup(f'<svg viewBox="0 0 {DISPLAY_PX} {DISPLAY_PX}">{"".join(layers)}</svg>')


def _times_chart(times: Sequence[StageTime]) -> str:
    rows = []
    for item in times:
        memory = f", {item.memory_mb / 1024:.1f} GB" if item.memory_mb is not None else ""
        jobs = counted(item.jobs, "job")
        rows.append((item.stage.replace("_", " "), item.seconds, f"{duration(item.seconds)} ({jobs}{memory})", "tone0"))
    return charts.row_chart(rows, width=900)


def _training_charts(trained: Trained) -> list[dict[str, Any]]:
    history = trained.history
    epochs = [epoch or 0.0 for epoch in history["epoch"]]

    def lines(names: dict[str, tuple[str, str]]) -> list[charts.Series]:
        return [
            charts.Series(label, epochs, history[column], tone)
            for column, (label, tone) in names.items()
            if any(value is not None for value in history.get(column, []))
        ]

    loss = {"train_loss": ("sum", "all")}
    loss |= {f"train_{name}": (name.replace("_", " "), f"tone{k}") for k, name in enumerate(LOSSES)}
    errors = {
        f"val_mpjpe_{name}": (f"MPJPE {name.upper() if name != 'all' else name}", name) for name in ("sh", "ih", "all")
    }
    errors |= {"val_pa_mpjpe_all": ("PA-MPJPE all", "tone4"), "val_mrrpe": ("MRRPE", "tone3")}
    shares = {"val_handedness_accuracy": ("handedness accuracy", "tone1"), "val_part_iou": ("part IoU", "tone2")}
    specifications: tuple[tuple[str, dict[str, tuple[str, str]], str, dict[str, Any]], ...] = (
        ("Training losses, weights included, mean of each epoch (logarithmic).", loss, "loss", {"logarithmic": True}),
        ("Errors on the validation split, ground-truth root.", errors, "mm", {}),
        ("Handedness and part overlap on the validation split.", shares, "share", {"y_range": (0.0, 1.0)}),
        ("Learning rate at the end of each epoch.", {"lr": ("learning rate", "all")}, "rate", {}),
    )
    return [
        {"svg": Markup(charts.line_chart(lines(names), "epoch", unit, **options)), "caption": caption}
        for caption, names, unit, options in specifications
    ]


def _joint_charts(document: dict[str, Any]) -> list[dict[str, Any]]:
    per_joint, baseline = document["per_joint"], document["baseline_mean_pose"]
    names = [(finger, k) for finger in FINGERS for k in range(1, 5)]
    layers = [("sh", "single hand"), ("ih", "interacting")]
    highest = [row[kind] for row in per_joint.values() for kind, _ in layers if row[kind] is not None]
    result = []
    for hand in HANDS:
        joints = [f"{hand[0]}_{finger}{k}" for finger, k in names]
        bars = [charts.Bars(label, [per_joint[j][kind] for j in joints], kind) for kind, label in layers]
        marks = None
        if baseline:
            highest += [baseline["per_joint"][j]["all"] or 0.0 for j in joints]
            marks = charts.Bars("mean pose, all", [baseline["per_joint"][j]["all"] for j in joints], "mean")
        categories = [(finger, str(k)) for finger, k in names]
        result.append((f"{hand.capitalize()} hand", categories, bars, marks))
    assert len(names) == JOINTS_PER_HAND - 1, "every joint but the wrist"
    top = max(highest, default=1.0)
    return [
        {"name": name, "svg": Markup(charts.bar_chart(categories, bars, "mean error, mm", marks, y_max=top))}
        for name, categories, bars, marks in result
    ]


def _pck_chart(document: dict[str, Any]) -> str:
    curves, baseline = document["pck"], document["baseline_mean_pose"]
    x = curves["thresholds_mm"]
    names = {"sh": "single hand", "ih": "interacting", "all": "all"}
    series = [charts.Series(label, x, curves[kind], kind) for kind, label in names.items()]
    if baseline:
        series.append(charts.Series("mean pose, all", x, baseline["pck"]["all"], "mean", dashed=True))
    return charts.line_chart(series, "threshold, mm", "share of joints", y_range=(0.0, 1.0))
