"""parts: which part of which hand every pixel shows, drawn from the hand fits, and how well the fits fit.

The masks go to ``parts/<split>/<shard>.lmdb``, the fit errors to ``parts/<split>/<shard>.fit.parquet``. Hands are
posed once a frame, in batches, and serve all cameras that see the frame.
"""

import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from digit import geometry
from digit.config import Config
from digit.hand.mano import Hands, load_hands
from digit.hand.mesh import VERTEX_COUNT, seal
from digit.original import reading as original
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.files import replacing
from digit.run.layout import Layout
from digit.samples.fits import (
    PAIR,
    FitTable,
    digest_rows,
    digests,
    mean_over_valid,
    pair_digest,
    recall_fits,
    summary,
    write_fits,
)
from digit.samples.index import SplitIndex, open_index
from digit.skeleton import FIRST_LABEL, HANDS, JOINTS_PER_HAND, LABEL_NAMES, PARTS_PER_HAND
from digit.store.earlier import Earlier, forget_surplus, keep, kept_path
from digit.store.masks import encode_mask, pixels_per_hand
from digit.store.shards import write_shard

LABELS_VERSION = 1
"""Version of the table that gives mask values their meaning: ``digit.skeleton.LABEL_NAMES``."""

FRAMES_PER_GROUP = 256
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
    rows = index.shard_rows(config.data.shards, shard)
    path, table = layout.parts(split, shard), FitTable.empty(len(rows))
    header = {
        "stage": "parts",
        "split": split,
        "shard": shard,
        "shards": config.data.shards,
        "key": f"path of the image below images/{split}/",
        "value": "PNG, one channel of uint8 labels, width and height of the image; none where no hand has a fit",
        "labels": list(LABEL_NAMES),
        "labels_version": LABELS_VERSION,
    }
    kept = 0
    if config.data.mask_lmdb is None:
        hands = load_hands(config.data.hand_model, config.data.sealed_faces, config.data.joint_regressor)
        name = "open" if config.data.hand_model == "open" else "MANO"
        header |= {"backend": config.parts.backend, "hand_model": {"name": name, "sha256": hand_digest(hands)}}
        earlier = recall_masks(path, layout.fit(split, shard), header, index, rows, table)
        kept = len(earlier)
        masks = draw_masks(index, rows, hands, _backend(config), table, earlier)
    else:
        header |= {"backend": "the original's store", "hand_model": {"name": "MANO"}}
        masks = take_masks(config, index, rows, table)
    limit = config.data.max_fit_error_mm
    note = f"fits of split {split}, shard {shard}: {json.dumps(header['hand_model'])}, accepted up to {limit} mm"
    digest = blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
    with replacing(layout.fit(split, shard)) as temporary:

        def finish() -> dict[str, Any]:
            """Header of the store; the table is written before either file is put in place."""
            pair = pair_digest(digest, rows, table)
            write_fits(temporary, index, rows, table, limit, note, pair)
            return header | {PAIR: pair}

        count = write_shard(path, _digesting(masks, digest), finish)
    keep(path)
    keep(layout.fit(split, shard))
    forget_surplus(path.parent, config.data.shards)
    words = f"{count} masks of {len(rows)} samples, {kept} kept from before, {summary(table)}"
    log.info("parts %s shard %d: %s", split, shard, words)


def _digesting(masks: Iterable[tuple[str, bytes]], digest: blake2b) -> Iterator[tuple[str, bytes]]:
    """Pass masks on and add them to a digest."""
    for name, png in masks:
        digest.update(name.encode() + b"\0" + png)
        yield name, png


def recall_masks(
    store: Path, fits: Path, header: dict[str, Any], index: SplitIndex, rows: np.ndarray, table: FitTable
) -> dict[int, bytes | None]:
    """Masks of an earlier run of this job whose inputs are the same, by place in ``rows``; fills in ``table`` for them.

    None stands for a sample that has no mask because no hand has a fit.
    """
    table.drawn_from[:] = digests(index, rows)
    earlier = Earlier(store)
    if any(earlier.header.get(key) != header[key] for key in ("backend", "hand_model", "labels_version")):
        return {}
    known = np.flatnonzero(recall_fits(kept_path(fits), index, rows, table, earlier.header.get(PAIR)))
    names = index.keys(rows[known])
    masks = {place: earlier.find(name) for place, name in zip(known.tolist(), names, strict=True)}
    return {place: mask for place, mask in masks.items() if mask is not None or not table.fitted[place].any()}


def draw_masks(
    index: SplitIndex,
    rows: np.ndarray,
    hands: Hands,
    label_mask: LabelMask,
    table: FitTable,
    earlier: dict[int, bytes | None],
) -> Iterator[tuple[str, bytes]]:
    """Yield file name and PNG of the masks of ``rows``, in order, and fill in ``table`` on the way.

    ``earlier`` has those that need not be drawn, by place in ``rows``.
    """
    places = np.array([place for place in range(len(rows)) if place not in earlier], dtype=np.int64)
    samples = _posed_samples(index, rows, places, hands, table)
    drawn = _drawn(index, rows, track(samples, f"parts {index.split}", len(places)), hands, label_mask, table)
    recalled = ((place, mask) for place, mask in sorted(earlier.items()) if mask is not None)
    for place, mask in heapq.merge(drawn, recalled, key=lambda item: item[0]):
        yield index.file_name[rows[place]].decode(), mask


def _drawn(
    index: SplitIndex,
    rows: np.ndarray,
    samples: Iterable[tuple[int, np.ndarray]],
    hands: Hands,
    label_mask: LabelMask,
    table: FitTable,
) -> Iterator[tuple[int, bytes]]:
    """Draw posed samples: place in ``rows`` and PNG of each that has a fit."""
    faces, labels = joined_faces(hands)
    for place, meshes_world_mm in samples:
        row, shown = rows[place], table.fitted[place]
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
        pixels = pixels_per_hand(mask, FIRST_LABEL[1])
        assert mask.max() < len(LABEL_NAMES) and not pixels[~shown].any(), "a label without a hand"
        table.pixels[place] = pixels
        yield place, encode_mask(mask)


def take_masks(config: Config, index: SplitIndex, rows: np.ndarray, table: FitTable) -> Iterator[tuple[str, bytes]]:
    """Yield file name and PNG of the original's masks of ``rows``, and fill in ``table``.

    Raises:
        UserError: when a hand has a fit but its sample no mask, a mask is damaged, or all masks are empty.
    """
    split, names = index.split, index.keys(rows)
    store = original.OriginalStore(Path(str(config.data.mask_lmdb)), split, "masks")
    cache = original.read_fit_cache(Path(str(config.data.fit_cache)), split, names)
    table.fitted[:], table.error_mm[:] = cache.fitted, cache.error_mm
    table.drawn_from[:] = digest_rows(cache.fitted, cache.error_mm)
    strange = np.zeros(len(names), np.int64)
    masked = np.flatnonzero(cache.fitted.any(axis=1)).tolist()
    for place in track(masked, f"parts {split}", len(masked)):
        name, width, height = names[place], int(index.width[rows[place]]), int(index.height[rows[place]])
        content = store.find(name)
        if content is None:
            raise UserError(f"{store.path}: has no mask of {split}/{name}; {original.MASKS_REMEDY}")
        found = original.read_labels(content, width, height)
        if isinstance(found, str):
            raise UserError(f"{store.path}: the mask of {split}/{name} {found}; {original.MASKS_REMEDY}")
        mask, strange[place] = found
        table.pixels[place] = pixels_per_hand(mask, FIRST_LABEL[1])
        yield name, encode_mask(mask)
    if masked and not table.pixels.any():
        raise UserError(
            f"{store.path}: all {len(masked)} masks of split {split} that were read show no hand, though "
            f"data.fit_cache has fits of them; {original.MASKS_REMEDY}"
        )
    _warn_of_masks(split, names, cache, table.pixels, strange)


def _warn_of_masks(
    split: str, names: list[str], cache: original.FitCache, pixels: np.ndarray, strange: np.ndarray
) -> None:
    """Say in the log what the original's masks and fit errors disagree on, with counts and the first samples."""

    def warn(samples: np.ndarray, text: str) -> None:
        if samples.any():
            first = ", ".join(names[place] for place in np.flatnonzero(samples)[:3])
            log.warning("parts %s: %s (%s%s)", split, text, first, ", ..." if samples.sum() > 3 else "")

    masked: np.ndarray = np.any(cache.fitted, axis=1)
    stray, absent = np.where(cache.fitted | ~masked[:, None], 0, pixels), cache.fitted & ~pixels.astype(bool)
    unlisted = ~cache.listed
    warn(unlisted, f"{unlisted.sum()} samples are not in data.fit_cache: no masks")
    text = f"{stray.sum():,} pixels in {(stray > 0).any(axis=1).sum()} masks show a hand without a fit"
    warn(np.any(stray, axis=1), f"{text}; are right and left swapped in data.fit_cache or data.mask_lmdb?")
    warn(
        np.any(absent, axis=1),
        f"{absent.any(axis=1).sum()} of {masked.sum()} masks show no pixel of a hand that has a fit",
    )
    share = strange.sum() / max(strange.sum() + pixels.sum(), 1)
    text = f"{strange.sum():,} pixels ({share:.1%} of those that are not background) had labels above 32"
    warn(strange > 0, f"{text} and became background")


def _posed_samples(
    index: SplitIndex, rows: np.ndarray, places: np.ndarray, hands: Hands, table: FitTable
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``places`` in ``rows`` with the sealed meshes (2, 779, 3) of their frames; note fits and errors."""
    frames = index.frame_row[rows[places]]
    every_frame = np.unique(frames)
    for start in range(0, len(every_frame), FRAMES_PER_GROUP):
        group = every_frame[start : start + FRAMES_PER_GROUP]
        meshes, fitted, distances_mm = pose_frames(index, group, hands)
        low, high = np.searchsorted(frames, [group[0], group[-1] + 1])
        mine, members = places[low:high], np.searchsorted(group, frames[low:high])
        valid = index.joint_valid[rows[mine]] & index.joints_world_valid[group[members]]
        table.fitted[mine] = fitted[members]
        table.error_mm[mine] = mean_over_valid(
            distances_mm[members], valid & np.repeat(fitted[members], JOINTS_PER_HAND, 1)
        )
        for place, member in zip(mine.tolist(), members, strict=True):
            yield place, meshes[member]


def pose_frames(
    index: SplitIndex, frames: np.ndarray | slice, hands: Hands
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose both hands in some frames.

    Returns:
        (g, 2, 779, 3) sealed meshes in the world, mm; (g, 2) bool, the hand has a fit and it is finite; (g, 42)
        distance of regressed and annotated joints, mm. What has no fit is NaN.
    """
    fitted = np.array(index.mano_valid[frames])
    meshes = np.full((*fitted.shape, VERTEX_COUNT + 1, 3), np.nan)
    distances_mm = np.full((len(fitted), 2, JOINTS_PER_HAND), np.nan)
    annotated = index.joints_world_mm[frames].reshape(-1, 2, JOINTS_PER_HAND, 3)
    for side, name in enumerate(HANDS):
        members = np.flatnonzero(fitted[:, side])
        parameters = (index.mano_pose, index.mano_shape, index.mano_trans_m)
        vertices = hands[name].vertices_world_mm(*(values[frames][members, side] for values in parameters))
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
