"""A dozen samples for the eye: crops, masks, skeletons and 3D poses, picked from best to worst."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from digit import geometry, metrics, scoring
from digit.model.inference import Outputs, to_inputs
from digit.model.network import Network
from digit.pages.inline import bone_colors, data_uri, encode, label_png
from digit.predictor.readout import read_out
from digit.samples.dataset import Batch, HandDataset
from digit.skeleton import BONES, HAND_TYPES, JOINT_HAND, JOINT_NAMES, ROOT_JOINTS

DISPLAY_PX = 320
PICKS = {"right": 3, "left": 3, "interacting": 6}


@dataclass(frozen=True)
class Sample:
    """One row of the gallery."""

    name: str
    hand_type: str
    mean_mm: float
    """Mean root-relative error over the sample's annotated joints, wrists left out."""
    hands: str
    """Predicted probabilities of both hands."""
    image: str
    """Data URI of the crop."""
    true_mask: str | None
    """Data URI, transparent background."""
    predicted_mask: str | None
    """Data URI, transparent background; None from a network that draws no parts."""
    true_bones: list[tuple[float, float, float, float, str]]
    """x, y, x, y in display px and colour."""
    predicted_bones: list[tuple[float, float, float, float, str]]
    view: dict[str, Any]
    """Points (42 x 3 mm, None where unknown) of truth and prediction for the 3D viewer."""


def pick(mean_mm: np.ndarray, hand_type: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Positions of the samples to show: of each hand type, spread evenly from the smallest to the largest error.

    Args:
        mean_mm: (n,) error of each sample, NaN where it has no annotated joint.
        hand_type: (n, 2) bool.
        units: (n,) frame of each sample; one frame is shown once while there are others.
    """
    codes = hand_type @ np.array([1, 2])
    chosen: list[int] = []
    for code, kind in enumerate(HAND_TYPES, start=1):
        members = np.flatnonzero((codes == code) & np.isfinite(mean_mm))
        ranked = members[np.argsort(mean_mm[members], kind="stable")]
        left = np.ones(len(ranked), dtype=bool)
        seen: set[int] = set()
        for target in np.linspace(0, len(ranked) - 1, min(PICKS[kind], len(ranked))).round():
            fresh = left & ~np.isin(units[ranked], list(seen))
            candidates = np.flatnonzero(fresh if fresh.any() else left)
            place = candidates[np.abs(candidates - target).argmin()]
            left[place] = False
            seen.add(int(units[ranked[place]]))
            chosen.append(int(ranked[place]))
    return np.array(chosen, dtype=np.int64)


def sample_means(errors: metrics.Errors) -> np.ndarray:
    """(n,) mean error in mm over each sample's annotated joints without wrists, NaN without any."""
    fingers = np.setdiff1d(np.arange(len(JOINT_NAMES)), ROOT_JOINTS)
    valid = errors.joint_valid[:, fingers]
    total = np.where(valid, errors.joint_mm[:, fingers], 0).sum(axis=1)
    return np.divide(total, valid.sum(axis=1), out=np.full(len(total), np.nan), where=valid.any(axis=1))


def gallery(model: Network, outputs: Outputs, dataset: HandDataset) -> list[Sample]:
    """Pick samples of an evaluated split and draw them; the network runs again for their masks only.

    Args:
        model: In evaluation mode, on the CPU.
        outputs: Its predictions.
        dataset: The evaluated samples, without augmentation.
    """
    space, index = metrics.Space.of(model.settings), dataset.index
    truth, predictions = scoring.truth_of(index, outputs.row, dataset.root_depth), scoring.predictions_of(outputs)
    errors = metrics.measure(predictions, truth, space)
    mean_mm = sample_means(errors)
    places = pick(mean_mm, index.hand_type[outputs.row], index.frame_row[outputs.row])
    rows = outputs.row[places]
    truth = metrics.Truth(**{name: value[places] for name, value in vars(truth).items()})
    predictions = metrics.Predictions(**{name: value[places] for name, value in vars(predictions).items()})
    predicted_labels = _predict_labels(model, _crops(dataset, rows, model.settings.input_size))
    shown = _crops(dataset, rows, DISPLAY_PX)
    annotated_px = geometry.cells_to_px(shown["joint_coord"][..., :2].numpy(), DISPLAY_PX // 4, DISPLAY_PX)
    predicted_px = geometry.cells_to_px(predictions.joint_cells[..., :2], space.cells, DISPLAY_PX)
    depths_mm = _root_depths_mm(truth, predictions, space)
    predicted_mm = metrics.predicted_joints(predictions, dataclasses.replace(truth, abs_depth_mm=depths_mm), space)
    annotated = errors.joint_valid[places]
    drawn = (predictions.hand_probability > 0.5)[:, JOINT_HAND]
    return [
        Sample(
            name=name,
            hand_type=HAND_TYPES[int(truth.hand_type[k] @ np.array([1, 2])) - 1],
            mean_mm=float(mean_mm[places[k]]),
            hands="right {:.2f}, left {:.2f}".format(*predictions.hand_probability[k]),
            image=data_uri(encode(shown["image"][k].numpy(), "jpeg", 88), "jpeg"),
            true_mask=data_uri(label_png(shown["segm"][k].numpy()), "png") if shown["segm_valid"][k] else None,
            predicted_mask=data_uri(label_png(predicted_labels[k]), "png") if predicted_labels is not None else None,
            true_bones=_bones(annotated_px[k], annotated[k]),
            predicted_bones=_bones(predicted_px[k], drawn[k]),
            view={
                "truth": _points(truth.joints_cam_mm[k], annotated[k]),
                "prediction": _points(predicted_mm[k], drawn[k]),
            },
        )
        for k, name in enumerate(index.keys(rows))
    ]


def _crops(dataset: HandDataset, rows: np.ndarray, size: int) -> Batch:
    """The crops of index rows with another side than the data set's."""
    settings = dataclasses.replace(dataset.settings, input_size=size)
    crops = HandDataset(dataset.index, dataset.images, settings, rows, dataset.masks, dataset.root_depth)
    return crops.__getitems__(range(len(rows)))


def _predict_labels(model: Network, batch: Batch) -> np.ndarray | None:
    """(n, S/2, S/2) uint8 most probable labels; None from a network that draws no parts."""
    with torch.inference_mode():
        return read_out(model(*to_inputs(batch, model.settings)), model.settings).parts


def _root_depths_mm(truth: metrics.Truth, predictions: metrics.Predictions, space: metrics.Space) -> np.ndarray:
    """(n, 2) depth of an annotated root, and the other root at the predicted distance from it."""
    annotated = truth.joints_cam_mm[:, list(ROOT_JOINTS), 2]
    offset_mm = geometry.cells_to_depth(predictions.rel_root_bins, space.root_box_mm, space.root_bins)
    has_right = truth.hand_type[:, 0]
    right_mm = np.where(has_right, annotated[:, 0], annotated[:, 1] - offset_mm)
    left_mm = np.where(has_right, annotated[:, 0] + offset_mm, annotated[:, 1])
    return np.stack([right_mm, left_mm], axis=1)


def _points(joints_mm: np.ndarray, known: np.ndarray) -> list[list[int] | None]:
    return [np.round(point).astype(int).tolist() if ok else None for point, ok in zip(joints_mm, known, strict=True)]


def _bones(joints_px: np.ndarray, known: np.ndarray) -> list[tuple[float, float, float, float, str]]:
    return [
        (*np.round(joints_px[parent], 1).tolist(), *np.round(joints_px[child], 1).tolist(), color)
        for (child, parent), color in zip(BONES, bone_colors(), strict=True)
        if known[child] and known[parent]
    ]
