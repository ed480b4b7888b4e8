"""parts: which part of which hand every pixel shows, drawn from the hand fits, and how well the fits fit.

The masks go to ``parts/<split>/<shard>.lmdb``, the fit errors to ``parts/<split>/<shard>.fit.parquet``. Hands are
posed once a frame, in batches, and serve all cameras that see the frame.
"""

import hashlib
import json
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from digit import geometry
from digit.config import Config
from digit.console import log, track
from digit.data.fits import FitTable, mean_over_valid, summary, write_fits
from digit.data.index import SplitIndex, open_index
from digit.data.store import write_shard
from digit.errors import UserError
from digit.files import replacing
from digit.hand.mano import Hands, load_hands
from digit.hand.mesh import VERTEX_COUNT, seal
from digit.layout import Layout
from digit.skeleton import FIRST_LABEL, HANDS, JOINTS_PER_HAND, LABEL_NAMES, PARTS_PER_HAND

LABELS_VERSION = 1
"""Version of the table that gives mask values their meaning: ``digit.skeleton.LABEL_NAMES``."""

FRAMES_PER_GROUP = 256
PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
)
"""Masks are flat areas: run lengths alone give the smallest files, and in the least time."""

LabelMask = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int], np.ndarray]


def parts(config: Config, split: str, shard: int) -> None:
    """Write the masks and the fit errors of one shard of a split.

    A mask is a one-channel PNG of the labels 0..32, as large as its image, under the image's file name; a sample
    has one if at least one of its hands has a fit, annotated as present or not. Fits that are worse than
    ``data.max_fit_error_mm`` are drawn but marked invalid, with the reason, in the table of fit errors.

    Raises:
        UserError: the index, the hand model or the renderer is missing or unusable.
    """
    layout, index = Layout.of(config), open_index(Layout.of(config).index(split))
    if not 0 <= shard < config.data.shards:
        raise UserError(
            f"shard {shard}: data.shards is {config.data.shards}, so shards are 0..{config.data.shards - 1}"
        )
    first, past = (int(bound) for bound in index.shard_bounds(config.data.shards)[shard : shard + 2])
    hands = load_hands(config.data.hand_model, config.data.sealed_faces, config.data.joint_regressor)
    table = FitTable.empty(past - first)
    header = {
        "stage": "parts",
        "split": split,
        "shard": shard,
        "shards": config.data.shards,
        "rows": [first, past],
        "key": f"path of the image below images/{split}/",
        "value": "PNG, one channel of uint8 labels, width and height of the image; none where no hand has a fit",
        "labels": list(LABEL_NAMES),
        "labels_version": LABELS_VERSION,
        "backend": config.parts.backend,
        "hand_model": {
            "name": "open" if config.data.hand_model == "open" else "MANO",
            "sha256": hand_digest(hands),
        },
    }
    with replacing(layout.fit(split, shard)) as temporary:
        masks = draw_masks(index, first, past, hands, _backend(config), table)
        count = write_shard(layout.parts(split, shard), masks, header)
        note = f"fits of split {split}, shard {shard}: {json.dumps(header['hand_model'])}, accepted up to "
        note += f"{config.data.max_fit_error_mm} mm"
        write_fits(temporary, index, first, past, table, config.data.max_fit_error_mm, note)
    log.info("parts %s shard %d: %d masks of %d samples, %s", split, shard, count, past - first, summary(table))


def draw_masks(
    index: SplitIndex, first: int, past: int, hands: Hands, label_mask: LabelMask, table: FitTable
) -> Iterator[tuple[str, bytes]]:
    """Yield file name and PNG of the masks of rows ``first`` to ``past``, and fill in ``table`` on the way.

    The range must begin and end between frames.
    """
    faces, labels = joined_faces(hands)
    for row, meshes_world_mm in track(
        _posed_samples(index, first, past, hands, table), f"parts {index.split}", past - first
    ):
        shown = table.fitted[row - first]
        if not shown.any():
            continue
        camera = index.camera_row[row]
        vertices_cam_mm = geometry.world_to_camera(
            meshes_world_mm[shown].reshape(-1, 3), index.rotation[camera], index.position_mm[camera]
        )
        which = 2 if shown.all() else int(shown[1])
        width, height = int(index.width[row]), int(index.height[row])
        mask = label_mask(
            vertices_cam_mm,
            faces[which],
            labels[which],
            index.focal_px[camera],
            index.princpt_px[camera],
            width,
            height,
        )
        pixels = _pixels_per_hand(mask)
        assert mask.max() < len(LABEL_NAMES) and not pixels[~shown].any(), "a label without a hand"
        table.pixels[row - first] = pixels
        yield index.file_name[row].decode(), encode_mask(mask)


def _posed_samples(
    index: SplitIndex, first: int, past: int, hands: Hands, table: FitTable
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield every row with the sealed meshes (2, 779, 3) of its frame, in the world; note fits and errors."""
    frames = index.frame_row[first:past]
    starts = np.arange(frames[0], frames[-1] + 1, FRAMES_PER_GROUP) if len(frames) else np.empty(0, int)
    for start in starts:
        group = slice(start, min(start + FRAMES_PER_GROUP, frames[-1] + 1))
        meshes, fitted, distances_mm = pose_frames(index, group, hands)
        low, high = np.searchsorted(frames, [group.start, group.stop])
        members = frames[low:high] - group.start
        valid = index.joint_valid[first + low : first + high] & index.joints_world_valid[frames[low:high]]
        table.fitted[low:high] = fitted[members]
        table.error_mm[low:high] = mean_over_valid(
            distances_mm[members], valid & np.repeat(fitted[members], JOINTS_PER_HAND, 1)
        )
        for offset, member in enumerate(members):
            yield first + int(low) + offset, meshes[member]


def pose_frames(index: SplitIndex, group: slice, hands: Hands) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose both hands in a range of frames.

    Returns:
        (g, 2, 779, 3) sealed meshes in the world, mm; (g, 2) bool, the hand has a fit and it is finite; (g, 42)
        distance of regressed and annotated joints, mm. What has no fit is NaN.
    """
    fitted = np.array(index.mano_valid[group])
    meshes = np.full((*fitted.shape, VERTEX_COUNT + 1, 3), np.nan)
    distances_mm = np.full((len(fitted), 2, JOINTS_PER_HAND), np.nan)
    annotated = index.joints_world_mm[group].reshape(-1, 2, JOINTS_PER_HAND, 3)
    for side, name in enumerate(HANDS):
        members = np.flatnonzero(fitted[:, side])
        parameters = (index.mano_pose, index.mano_shape, index.mano_trans_m)
        vertices = hands[name].vertices_world_mm(*(values[group][members, side] for values in parameters))
        finite = np.isfinite(vertices).all(axis=(1, 2))
        fitted[members[~finite], side] = False
        meshes[members, side] = seal(vertices)
        joints = hands[name].joints_world_mm(vertices)
        distances_mm[members, side] = np.linalg.norm(joints - annotated[members, side], axis=-1)
    return meshes, fitted, distances_mm.reshape(-1, 2 * JOINTS_PER_HAND)


def joined_faces(hands: Hands) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Faces and their labels of the right hand alone, the left hand alone, and both one after the other."""
    for hand, low in zip((hands.right, hands.left), FIRST_LABEL, strict=True):
        if hand.face_labels.min() < low or hand.face_labels.max() >= low + PARTS_PER_HAND:
            raise ValueError(f"labels of the {hand.side} hand must be {low}..{low + PARTS_PER_HAND - 1}")
    right, left = hands.right.sealed_faces, hands.left.sealed_faces
    faces = (right, left, np.concatenate([right, left + VERTEX_COUNT + 1]))
    labels = (hands.right.face_labels, hands.left.face_labels)
    return faces, (*labels, np.concatenate(labels))


def encode_mask(mask: np.ndarray) -> bytes:
    """Encode labels (H, W) uint8 as PNG."""
    return cv2.imencode(".png", mask, PNG_OPTIONS)[1].tobytes()


def _pixels_per_hand(mask: np.ndarray) -> np.ndarray:
    left = np.count_nonzero(mask >= FIRST_LABEL[1])
    return np.array([np.count_nonzero(mask) - left, left])


def hand_digest(hands: Hands) -> str:
    """SHA-256 over everything that shapes a mask: both models' arrays, faces, labels and regressors."""
    digest = hashlib.sha256()
    for hand in (hands.right, hands.left):
        buffers = {name: value.numpy() for name, value in hand.model.named_buffers()}
        tables = {"faces": hand.sealed_faces, "labels": hand.face_labels, "regressor": hand.joint_regressor}
        for name, values in sorted((buffers | tables).items()):
            digest.update(f"{hand.side} {name} {values.dtype} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _backend(config: Config) -> LabelMask:
    if config.parts.backend == "pyrender":
        from digit.render.gl import label_mask_gl

        return label_mask_gl
    from digit.render.raster import label_mask

    return label_mask
