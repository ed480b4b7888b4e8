"""Measure a trained network on a split: predictions, and every metric with the protocol it belongs to."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from digit import __version__, metrics, scoring
from digit.config import Config, RootDepth
from digit.model import inference
from digit.model.weights import load_network
from digit.run import provenance
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.files import read_json, replacing, write_json
from digit.run.layout import Layout
from digit.samples.dataset import whole_batch
from digit.samples.index import open_index
from digit.samples.opening import open_dataset

BOX_SOURCES = {
    "rootnet": "RootNet file, as it is (computed from annotated boxes)",
    "gt": "annotation, made square, enlarged x1.25",
}
ROOT_SOURCES = {"rootnet": "RootNet file", "gt": "annotation"}
JOINT_SETS = "mpjpe_*: 42 joints, wrists (0 by definition) included; *_no_wrist and PCK: 40 joints without wrists"
ALIGNMENT = "each hand's root moved to the origin; no alignment of scale or rotation"
NAME_LENGTH = 8
"""Hex digits of the SHA-256 of other weights that name the folder of what they give."""
INTERVAL = "percentile bootstrap over frames (all cameras of a frame together), {} resamples"


def evaluate(
    config: Config, experiment: str, split: str, root_depth: RootDepth, checkpoint: Path | None = None
) -> None:
    """Run an experiment's best checkpoint over a split; write predictions.npz, per_joint.csv and metrics.json.

    Args:
        config: Of the run.
        experiment: Name under ``experiments``.
        split: train, val or test.
        root_depth: Where boxes and absolute root depths come from.
        checkpoint: Other weights than the experiment's own ``best.ckpt``; of the experiment's network where the
            file does not say. What they give goes to a folder of its own, named by the first digits of their SHA-256.

    Raises:
        UserError: when an earlier stage's files are missing or damaged, or the network's answers are not finite.
    """
    layout, settings = Layout.of(config), config.experiments[experiment]
    own = checkpoint is None
    checkpoint = checkpoint or layout.train(experiment) / "best.ckpt"
    model = load_network(checkpoint, settings.model)
    digest = provenance.sha256(checkpoint)
    dataset, excluded = open_dataset(config, split, model.settings, root_depth)
    loader = DataLoader(
        dataset,
        batch_size=config.evaluate.batch_size,
        num_workers=config.evaluate.num_workers,
        collate_fn=whole_batch,
    )
    device = inference.best_device()
    batches = track(loader, f"evaluate {experiment} on {split}, root depth {root_depth}", len(loader))
    outputs = inference.run(model.to(device), batches, device)
    _require_finite(outputs, checkpoint)
    space = metrics.Space.of(model.settings)
    constant = _constant(layout)
    scores = scoring.score(
        outputs, dataset.index, root_depth, space, constant, config.evaluate.bootstrap, config.run.seed
    )
    trained = _provenance(checkpoint.parent)
    protocol = {
        "split": split,
        "samples": scores.pop("samples"),
        "excluded_samples": excluded,
        "root_depth": ROOT_SOURCES[root_depth],
        "box": BOX_SOURCES[root_depth],
        "joint_sets": JOINT_SETS,
        "alignment": ALIGNMENT,
        "interval": INTERVAL.format(config.evaluate.bootstrap),
        "depth_box_mm": space.depth_box_mm,
        "root_box_mm": space.root_box_mm,
        "crop_size_px": space.input_size,
        "data_source": config.data.source,
        "experiment": experiment,
        "experiment_key": trained.get("experiment_key"),
        "checkpoint": trained.get("weights", {}).get("file", checkpoint.name),
        "checkpoint_sha256": digest,
        "seed": trained.get("seed"),
        "software": f"digit {__version__}",
    }
    folder = layout.evaluation(experiment, split, root_depth, None if own else digest[:NAME_LENGTH])
    scoring.save_outputs(folder / "predictions.npz", outputs, dataset.index)
    _write_per_joint(folder / "per_joint.csv", scores["per_joint"])
    write_json(folder / "metrics.json", {"protocol": protocol, **scores})
    known = {name: value for name, value in scores["metrics"].items() if value is not None}
    log.info("%s %s-%s: %s", experiment, split, root_depth, ", ".join(f"{k} {v:.4g}" for k, v in known.items()))
    if not own:
        log.info("%s: these are numbers of %s, apart from the experiment's own: %s", experiment, checkpoint, folder)


def _require_finite(outputs: inference.Outputs, checkpoint: Path) -> None:
    answers = (outputs.joint_coord, outputs.rel_root_depth, outputs.hand_type)
    finite = np.logical_and.reduce([np.isfinite(a).reshape(len(a), -1).all(axis=1) for a in answers])
    if not finite.all():
        raise UserError(
            f"{checkpoint}: the network's answers are not finite for {(~finite).sum()} of {len(finite)} samples, so "
            "training has diverged; lower training.lr or set training.clip_norm, then train again"
        )


def _constant(layout: Layout) -> metrics.ConstantPose | None:
    """Average the training split, if its index is there."""
    if not layout.index("train").is_dir():
        log.warning("%s is missing: no mean-pose baseline", layout.index("train"))
        return None
    return scoring.constant_of(open_index(layout.index("train")))


def _write_per_joint(path: Path, per_joint: dict[str, dict[str, float | None]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["joint", "sh_mm", "ih_mm", "all_mm"])
        for joint, row in per_joint.items():
            writer.writerow([joint, *("" if row[k] is None else f"{row[k]:.4f}" for k in ("sh", "ih", "all"))])


def _provenance(folder: Path) -> dict[str, Any]:
    """What training left beside its checkpoints; empty for a file from elsewhere."""
    path = folder / "provenance.json"
    return read_json(path, "train the experiment again") if path.is_file() else {}
