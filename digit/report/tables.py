"""Tables and statements of the report, as plain text and numbers for the template."""

from collections.abc import Sequence
from typing import Any

from digit import metrics
from digit.config import Config, Experiment
from digit.pages.inline import css_color
from digit.report.facts import ROOT_NAMES, Trained, duration
from digit.report.published import PUBLISHED
from digit.run.provenance import backbone_warning
from digit.skeleton import LABEL_NAMES, PART_NAMES, PARTS_PER_HAND, label_colors

TITLES = {
    "mpjpe_sh": "MPJPE, single hand",
    "mpjpe_ih": "MPJPE, interacting",
    "mpjpe_all": "MPJPE, all",
    "mpjpe_sh_no_wrist": "MPJPE, single hand, 40 joints (no wrists)",
    "mpjpe_ih_no_wrist": "MPJPE, interacting, 40 joints",
    "mpjpe_all_no_wrist": "MPJPE, all, 40 joints",
    "pa_mpjpe_sh": "PA-MPJPE, single hand, each hand aligned",
    "pa_mpjpe_ih": "PA-MPJPE, interacting",
    "pa_mpjpe_all": "PA-MPJPE, all",
    "mrrpe": "MRRPE, left wrist relative to right",
    "handedness_accuracy": "Handedness accuracy",
    "part_iou": "Part IoU, mean over parts",
    "pck_auc": "PCK, area under the curve, 0 to 50 mm",
}
"""Every scalar metric, in the order of the table."""
JOINT_SETS = {
    42: ("mpjpe_sh", "mpjpe_ih", "mpjpe_all"),
    40: ("mpjpe_sh_no_wrist", "mpjpe_ih_no_wrist", "mpjpe_all_no_wrist"),
}
"""MPJPE by number of joints: with and without wrists."""
NONE = "–"
Facts = list[tuple[str, str]]


def number(value: float | None, name: str) -> str:
    """A metric as text: mm with two digits, shares with three."""
    if value is None:
        return NONE
    return f"{value:.2f}" if metrics.UNITS[name] == "mm" else f"{value:.3f}"


def scalar(document: dict[str, Any], name: str) -> dict[str, str]:
    """One metric with its interval in brackets and the mean pose's value."""
    interval, baseline = document["interval_95"][name], document["baseline_mean_pose"]
    low_high = f"[{number(interval[0], name)}, {number(interval[1], name)}]" if interval else ""
    value = baseline["metrics"][name] if baseline else None
    return {"value": number(document["metrics"][name], name), "interval": low_high, "baseline": number(value, name)}


def notices(config: Config, main: Trained) -> list[dict[str, str]]:
    """What a reader must know before any number."""
    found = []
    provenance = main.provenance
    seconds = provenance.get("seconds")
    if config.data.source == "synthetic" and provenance.get("weights"):
        found.append(
            {
                "title": "Measured on computer-made images.",
                "text": f"The weights of {main.name} ({provenance['weights']['file']}) were not trained here. They "
                "were measured on images that this software rendered: the numbers say nothing about InterHand2.6M.",
            }
        )
    elif config.data.source == "synthetic":
        span = f" in {duration(seconds)}" if seconds else ""
        found.append(
            {
                "title": "A demonstration, not a useful network.",
                "text": f"This network was trained{span} on {config.synthetic.train_images:,} computer-made images"
                + (" seen from easy, narrow views" if config.synthetic.views == "narrow" else "")
                + ". The run shows that every stage of the pipeline works and what its results look like; its numbers "
                "say nothing about InterHand2.6M, and its network will not work on photographs.",
            }
        )
    elif main.settings.preset != "paper":
        found.append(
            {
                "title": "Not the network of the paper.",
                "text": f"Experiment {main.name} uses preset {main.settings.preset}, a small network for trying out.",
            }
        )
    return found


def alarms(trained: Trained) -> list[dict[str, str]]:
    """What makes the numbers of one experiment other than they should be."""
    origin = str(trained.provenance.get("backbone_weights", ""))
    warning = backbone_warning(trained.settings, origin)
    return [{"title": f"Experiment {trained.name}:", "text": warning}] if warning else []


def tiles(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The headline numbers."""
    result = []
    names = {
        "mpjpe_all": "MPJPE, all",
        "pa_mpjpe_all": "PA-MPJPE, all",
        "mrrpe": "MRRPE",
        "handedness_accuracy": "Handedness accuracy",
        "part_iou": "Part IoU",
        "pck_auc": "PCK AUC, 0 to 50 mm",
    }
    for name, title in names.items():
        text = scalar(document, name)
        baseline = f"mean pose {text['baseline']}" if text["baseline"] != NONE else ""
        unit = "mm" if metrics.UNITS[name] == "mm" else ""
        notes = [line for line in (text["interval"], baseline) if line]
        result.append({"name": title, "value": text["value"], "unit": unit, "notes": notes})
    return result


def data_facts(config: Config, warnings: Sequence[str]) -> Facts:
    """Where the data come from."""
    data = config.data
    if data.source == "synthetic":
        made = config.synthetic
        source = f"synthetic, seed {config.run.seed}, {made.views} views, {made.cameras} cameras per frame"
    else:
        source = f"InterHand2.6M under {data.root}"
    hands = "the embedded open hand" if data.hand_model == "open" else "MANO"
    limit = "all accepted" if data.max_fit_error_mm is None else f"accepted up to {data.max_fit_error_mm:g} mm"
    return [
        ("Source", source),
        ("Hand model", hands),
        ("Part masks", f"drawn with {config.parts.backend}; fits {limit}"),
        ("Audit", f"passed with {len(warnings)} warnings" if warnings else "passed without warnings"),
    ]


def training_facts(trained: Trained) -> Facts:
    """How the first experiment was trained."""
    settings, provenance = trained.settings, trained.provenance
    model, training, hardware = settings.model, settings.training, provenance.get("hardware", {})
    machine = ", ".join(
        text
        for text in (
            hardware.get("gpu") or "no GPU",
            f"{hardware['cores']} cores" if hardware.get("cores") else "",
            str(hardware.get("cpu") or ""),
            f"{hardware['memory_gb']:.0f} GB memory" if hardware.get("memory_gb") else "",
        )
        if text
    )
    parameters = provenance.get("parameters")
    facts = [
        ("Network", f"preset {settings.preset}: {network_name(settings)}, {model.input_size} px crops, "
         f"{model.heatmap_size} cells a side, depth box {model.depth_box_mm:g} mm"),
        ("Parameters", f"{parameters / 1e6:.2f} million" if parameters else NONE),
    ]  # fmt: skip
    if weights := provenance.get("weights"):
        return [*facts, ("Weights", f"not trained here: {weights['file']}, SHA-256 {weights['sha256']}")]
    facts += [
        ("Backbone weights", _backbone_weights(trained)),
        ("Optimiser", f"{training.optimizer}, learning rate {training.lr:g}, batches of {training.batch_size}, "
         f"{training.precision} bit" if training.precision != "bf16" else f"{training.optimizer}, bf16"),
        ("Epochs", f"{len(trained.history.get('epoch', []))} of {training.max_epoch}, "
         f"{provenance.get('samples_seen', 0):,} samples seen"),
        ("Time", duration(provenance["seconds"]) if provenance.get("seconds") else NONE),
        ("Machine", machine),
        ("Seed", str(provenance.get("seed", NONE))),
    ]  # fmt: skip
    return facts


def network_name(settings: Experiment) -> str:
    """Architecture and backbone."""
    model = settings.model
    return f"InterNet with {model.resnet}" if model.architecture == "internet" else model.backbone


def given_facts(trained: Sequence[Trained]) -> Facts:
    """Experiments whose weights were given instead of trained, and what they are."""
    weights = {item.name: item.provenance.get("weights") for item in trained}
    return [(name, f"{given['file']}, SHA-256 {given['sha256']}") for name, given in weights.items() if given]


def _backbone_weights(trained: Trained) -> str:
    origin = str(trained.provenance.get("backbone_weights", NONE))
    by_design = origin == "random" and not alarms(trained)
    return f"random, as intended by preset {trained.settings.preset}" if by_design else origin


def provenance_facts(trained: Trained) -> Facts:
    """Commit, versions and keys."""
    provenance = trained.provenance
    commit = str(provenance.get("git_commit") or "unknown")
    versions = ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    return [
        ("Experiment", trained.name),
        ("Experiment key", str(provenance.get("experiment_key", NONE))),
        ("Git commit", commit + (" with uncommitted changes" if provenance.get("git_dirty") else "")),
        ("Started", str(provenance.get("started", NONE))),
        ("Versions", versions or NONE),
    ]


def protocol_facts(document: dict[str, Any]) -> Facts:
    """The protocol card of metrics.json."""
    facts = []
    for name, value in document["protocol"].items():
        if isinstance(value, dict):
            value = ", ".join(f"{key.replace('_', ' ')} {count:,}" for key, count in value.items()) or "none"
        facts.append((name.replace("_", " ").capitalize(), NONE if value is None else str(value)))
    return facts


def metric_rows(document: dict[str, Any]) -> list[dict[str, str]]:
    """The table of all scalar metrics beside the mean pose."""
    rows = []
    for name, title in TITLES.items():
        text = scalar(document, name)
        value = document["metrics"][name]
        baseline = (document["baseline_mean_pose"] or {"metrics": {}})["metrics"].get(name)
        ratio = f"{value / baseline:.2f}" if value is not None and baseline else NONE
        rows.append({"name": title, "unit": metrics.UNITS[name], "ratio": ratio, **text})
    return rows


def protocol_rows(trained: Sequence[Trained]) -> list[dict[str, list[str]]]:
    """One row per experiment and protocol, the mean pose once per protocol."""
    shown = (*JOINT_SETS[42], *JOINT_SETS[40], "pa_mpjpe_all", "mrrpe", "handedness_accuracy", "part_iou")
    rows, splits = [], {}
    for item in trained:
        for evaluation in item.evaluations:
            document = evaluation.document
            samples = f"{document['protocol']['samples']['all']:,}"
            numbers = [number(document["metrics"][name], name) for name in shown]
            rows.append({"text": [item.name, evaluation.name], "numbers": [samples, *numbers]})
            if document["baseline_mean_pose"]:
                constant = document["baseline_mean_pose"]["metrics"]
                splits[evaluation.split] = [samples, *(number(constant[name], name) for name in shown)]
    rows += [
        {"text": ["mean pose", f"{split}, needs no root"], "numbers": numbers} for split, numbers in splits.items()
    ]
    return rows


def published_rows(config: Config, main: Trained) -> list[dict[str, Any]]:
    """The first experiment's rows, with 42 and 40 joints, above those of the literature."""
    others = ("mrrpe", "handedness_accuracy")
    data = "synthetic" if config.data.source == "synthetic" else "InterHand2.6M"
    rows: list[dict[str, Any]] = [
        {
            "ours": True,
            "text": [f"this run, {main.name}", data, evaluation.split, ROOT_NAMES[evaluation.root_depth], str(joints)],
            "numbers": [number(evaluation.document["metrics"][name], name) for name in (*JOINT_SETS[joints], *others)],
        }
        for evaluation in main.evaluations
        for joints in JOINT_SETS
    ]
    for paper in PUBLISHED:
        numbers = [
            NONE if value is None else f"{value:.4g}" if name == "handedness_accuracy" else f"{value:.2f}"
            for name, value in ((name, getattr(paper, name)) for name in (*JOINT_SETS[42], *others))
        ]
        text = [paper.method, "InterHand2.6M", paper.split, paper.root_depth, str(paper.joints)]
        rows.append({"ours": False, "text": text, "numbers": numbers})
    return rows


def part_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Colour, mask value and IoU of every part of both hands, finger by finger."""
    colors = label_colors()
    order = sorted(PART_NAMES, key=lambda name: (name != "palm", _finger_place(name)))
    rows = []
    for part in order:
        cells = []
        for hand in range(2):
            label = 1 + hand * PARTS_PER_HAND + PART_NAMES.index(part)
            iou = document["part_iou"][LABEL_NAMES[label]]
            cells.append(
                {
                    "label": label,
                    "color": css_color(colors[label]),
                    "iou": number(iou, "part_iou"),
                    "percent": round(100 * (iou or 0), 1),
                }
            )
        rows.append({"name": part, "cells": cells})
    return rows


def _finger_place(part: str) -> tuple[int, str]:
    fingers = ("palm", "thumb", "index", "middle", "ring", "pinky")
    return fingers.index(part.rstrip("123")), part
