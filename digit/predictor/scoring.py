"""Poses measured against a data set, as the protocol defines it (docs/protocol.md)."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import cv2
import numpy as np
import torch

from digit import geometry, metrics, scoring
from digit.model.inference import Outputs, count_parts
from digit.predictor.pose import Pose
from digit.run.errors import UserError
from digit.samples.plain import Samples
from digit.skeleton import LABEL_COUNT, PARTS_PER_HAND

BLOCK = 64
"""Poses looked at together."""


def evaluate(predictions: Iterable[Pose], dataset: Samples, bootstrap: int = 1000, seed: int = 1) -> dict[str, Any]:
    """Measure poses, of this network or of any other method.

    Args:
        predictions: a pose for each sample, in the order of the data set, in px of the original images. They are taken
            one after the other, so a generator need not hold them all.
        dataset: of :func:`digit.open_dataset`; its ``root_depth`` says where absolute depths come from.
        bootstrap: resamples of the 95 % intervals; 0 leaves them out.
        seed: of the resamples.

    Returns:
        ``samples``, ``metrics``, ``interval_95``, ``per_joint``, ``pck``, ``part_iou``, ``skipped_joints`` and
        ``notes`` as in ``metrics.json``.

    Raises:
        UserError: when there is not one pose for each sample.

    Examples:
        >>> dataset = digit.open_dataset("config.yaml", "test")
        >>> predictor = digit.load_model("best.ckpt")
        >>> scores = digit.evaluate(predictor.samples(DataLoader(dataset, batch_size=16)), dataset)
        >>> scores["metrics"]["mpjpe_all"]
    """
    space, rest, blocks = metrics.Space.of(dataset.settings), iter(predictions), []
    for start in range(0, len(dataset), BLOCK):
        poses = list(islice(rest, min(BLOCK, len(dataset) - start)))
        if len(poses) < min(BLOCK, len(dataset) - start):
            raise UserError(f"predictions: {start + len(poses)} poses for {len(dataset)} samples; give one for each")
        blocks.append(_outputs(poses, start, dataset, space))
    if next(rest, None) is not None:
        raise UserError(f"predictions: more than the {len(dataset)} samples of the data set; give one for each")
    outputs = Outputs.concatenate(blocks)
    scores = scoring.score(outputs, dataset.index, dataset.root_depth, space, None, bootstrap, seed)
    del scores["baseline_mean_pose"]
    scores["notes"] = [note for note in scores["notes"] if not note.startswith("baseline_mean_pose")]
    return scores


def _outputs(poses: list[Pose], start: int, dataset: Samples, space: metrics.Space) -> Outputs:
    """Poses of consecutive samples in the units of saved predictions, with the image itself as the crop."""
    joints_px, depth_mm = (np.stack([getattr(pose, key) for pose in poses]) for key in ("joints_px", "depth_mm"))
    depth_cells = geometry.depth_to_cells(depth_mm, space.depth_box_mm, space.cells)
    rel_root_mm = np.array([[pose.rel_root_mm] for pose in poses])
    rows = dataset.rows[start : start + len(poses)]
    return Outputs(
        rows,
        np.concatenate([joints_px * (space.cells / space.input_size), depth_cells[..., None]], axis=-1),
        geometry.depth_to_cells(rel_root_mm, space.root_box_mm, space.root_bins),
        np.stack([pose.hand_probability for pose in poses]),
        np.broadcast_to(np.eye(2, 3), (len(poses), 2, 3)),
        *_count_parts(poses, start, dataset),
    )


def _count_parts(poses: list[Pose], start: int, dataset: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What part overlap needs of consecutive samples, counted in their crops."""
    drawn = np.array([pose.parts is not None for pose in poses])
    if not drawn.any():
        nothing = np.zeros((len(poses), 2 * PARTS_PER_HAND), np.int64)
        return np.zeros((LABEL_COUNT, LABEL_COUNT), np.int64), nothing, nothing
    batch = dataset.batch(range(start, start + len(poses)))
    size, half = dataset.settings.mask_size, dataset.settings.input_size / dataset.settings.mask_size
    crop_to_image = batch["inv_trans"].double().numpy() * [[[half, half, 1.0]]]
    labels = np.zeros((len(poses), size, size), np.uint8)
    for k, pose in enumerate(poses):
        if pose.parts is not None:
            to_parts = _then(crop_to_image[k], geometry.invert_map(pose.parts_to_image))
            flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            cv2.warpAffine(pose.parts, to_parts, (size, size), dst=labels[k], flags=flags)
    counted = (batch["segm_valid"] > 0) & torch.from_numpy(drawn)
    counts = count_parts(batch["segm"].long(), torch.from_numpy(labels).long(), counted)
    return tuple(count.numpy() for count in counts)  # type: ignore[return-value]


def _then(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One affine map (2, 3) after another."""
    linear = second[:, :2] @ first[:, :2]
    return np.concatenate([linear, second[:, :2] @ first[:, 2:] + second[:, 2:]], axis=1)
