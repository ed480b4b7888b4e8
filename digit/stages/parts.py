"""parts: which part of which hand every pixel shows, drawn from the hand fits, and how well the fits fit.

The masks go to ``parts/<split>/<shard>.lmdb``, the fit errors to ``parts/<split>/<shard>.fit.parquet``. Hands are
posed once a frame, in batches, and serve all cameras that see the frame.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from digit import figures, geometry
from digit.config import Config
from digit.console import log, track
from digit.data import original
from digit.data.fits import FitTable, describe_fits, mean_over_valid, read_fits, summary, write_fits
from digit.data.index import SplitIndex, open_index
from digit.data.masks import encode_mask, pixels_per_hand
from digit.data.store import Store, write_shard
from digit.errors import UserError
from digit.files import replacing
from digit.hand.mano import Hands, load_hands
from digit.hand.mesh import VERTEX_COUNT, seal
from digit.layout import Layout
from digit.skeleton import FIRST_LABEL, HANDS, JOINTS_PER_HAND, LABEL_NAMES, PARTS_PER_HAND

LABELS_VERSION = 1
"""Version of the table that gives mask values their meaning: ``digit.skeleton.LABEL_NAMES``."""

FRAMES_PER_GROUP = 256
SHEET_TILES, SHEET_COLUMNS = 24, 6
SHEET_TILE_PX = (256, 224, 192, 160)
SHEET_BYTES = 2_500_000
"""The contact sheet has the largest tiles with which its file is no larger than this."""

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
    table = FitTable.empty(past - first)
    source: dict[str, Any]
    if config.data.mask_lmdb is None:
        hands = load_hands(config.data.hand_model, config.data.sealed_faces, config.data.joint_regressor)
        masks = draw_masks(index, first, past, hands, _backend(config), table)
        name = "open" if config.data.hand_model == "open" else "MANO"
        source = {"backend": config.parts.backend, "hand_model": {"name": name, "sha256": hand_digest(hands)}}
    else:
        masks = take_masks(config, index, first, past, table)
        source = {"backend": "the original's store", "hand_model": {"name": "MANO"}}
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
        **source,
    }
    with replacing(layout.fit(split, shard)) as temporary:
        count = write_shard(layout.parts(split, shard), masks, header)
        note = f"fits of split {split}, shard {shard}: {json.dumps(source)}, accepted up to "
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
        pixels = pixels_per_hand(mask, FIRST_LABEL[1])
        assert mask.max() < len(LABEL_NAMES) and not pixels[~shown].any(), "a label without a hand"
        table.pixels[row - first] = pixels
        yield index.file_name[row].decode(), encode_mask(mask)


def take_masks(
    config: Config, index: SplitIndex, first: int, past: int, table: FitTable
) -> Iterator[tuple[str, bytes]]:
    """Yield file name and PNG of the original's masks of rows ``first`` to ``past``, and fill in ``table``.

    Raises:
        UserError: when a hand has a fit but its sample no mask, or a mask is damaged.
    """
    split, names = index.split, index.keys(slice(first, past))
    store = original.OriginalStore(Path(str(config.data.mask_lmdb)), split, original.MASKS_REMEDY)
    cache = original.read_fit_cache(Path(str(config.data.fit_cache)), split, names)
    table.fitted[:], table.error_mm[:] = cache.fitted, cache.error_mm
    strange = 0
    for row in track(
        np.flatnonzero(cache.fitted.any(axis=1)).tolist(), f"parts {split}", int(cache.fitted.any(1).sum())
    ):
        content = store.find(names[row])
        if content is None:
            raise UserError(f"{store.path}: has no mask of {split}/{names[row]}; {original.MASKS_REMEDY}")
        width, height = int(index.width[first + row]), int(index.height[first + row])
        mask, wrong = original.read_labels(content, f"{split}/{names[row]}", width, height)
        table.pixels[row] = pixels_per_hand(mask, FIRST_LABEL[1])
        strange += wrong
        yield names[row], encode_mask(mask)
    if not cache.listed.all():
        log.warning("parts %s: %d samples are not in data.fit_cache: no masks", split, (~cache.listed).sum())
    if strange:
        log.warning("parts %s: %d pixels had labels above 32 and became background", split, strange)


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


def contact_sheet(config: Config, split: str) -> None:
    """Write ``parts/<split>.png``: masks over images of evenly chosen samples, for a person to check.

    Raises:
        UserError: an image, a mask or a table that should be there is missing or damaged.
    """
    layout, index = Layout.of(config), open_index(Layout.of(config).index(split))
    shards = range(config.data.shards)
    images = Store([layout.images(split, shard) for shard in shards])
    masks = Store([layout.parts(split, shard) for shard in shards])
    fits = read_fits([layout.fit(split, shard) for shard in shards], len(index))
    rows = np.unique(np.linspace(0, len(index) - 1, min(SHEET_TILES, len(index))).round().astype(int))
    samples = [_sheet_sample(index, row, images, masks, fits) for row in rows.tolist()]
    missing = len(index) - len(masks)
    head = [
        f"{len(index):,} samples, {len(masks):,} masks" + (f", {missing:,} without any hand fit" if missing else ""),
        *describe_fits(fits),
    ]
    for size in SHEET_TILE_PX:
        tiles = [_sheet_tile(*sample, size) for sample in samples]
        sheet = figures.sheet(f"Part masks of the {split} split", head, tiles, SHEET_COLUMNS)
        png = cv2.imencode(".png", sheet[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 9))[1].tobytes()
        if len(png) <= SHEET_BYTES:
            break
    with replacing(layout.contact_sheet(split)) as temporary:
        temporary.write_bytes(png)
    log.info("parts %s: contact sheet of %d samples, %.1f MB", split, len(samples), len(png) / 1e6)


def _sheet_sample(
    index: SplitIndex, row: int, images: Store, masks: Store, fits: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], str]:
    """Image, mask, box around the hands, caption and warning of one sample."""
    name, camera = index.keys(slice(row, row + 1))[0], index.camera_row[row]
    shape = (int(index.height[row]), int(index.width[row]))
    jpeg, png = images.find(name), masks.find(name)
    image = np.full((*shape, 3), 128, np.uint8) if jpeg is None else _decode(jpeg, cv2.IMREAD_COLOR_RGB, name)
    mask = np.zeros(shape, np.uint8) if png is None else _decode(png, cv2.IMREAD_GRAYSCALE, name)
    annotated = index.box_px[row] if index.box_px[row, 2:].min() > 0 else (0, 0, *shape[::-1])
    box = cv2.boundingRect(mask) if mask.any() else annotated
    fit = fits.loc[row]
    errors = [fit[f"fit_{hand}_mm"] for hand in HANDS]
    words = [
        f"{hand[0].upper()} -" if np.isnan(e) else f"{hand[0].upper()} {e:.1f} mm"
        for hand, e in zip(HANDS, errors, strict=True)
    ]
    notes = [f"capture {index.capture[row]}  frame {index.frame[row]}  cam {index.camera_name[camera].decode()}"]
    notes.append(f"{'   '.join(words)}   {np.count_nonzero(mask) / mask.size:.1%} of the image")
    alert = "; ".join(filter(None, ["image left out" if jpeg is None else "", fit["reason"]]))
    return image, mask, geometry.square_box(np.array(box), 1.2), notes, alert


def _sheet_tile(
    image: np.ndarray, mask: np.ndarray, box_px: np.ndarray, notes: list[str], alert: str, size: int
) -> np.ndarray:
    """Draw one captioned tile of the contact sheet."""
    picture, labels = figures.square_crop(image, box_px, size), figures.square_crop(mask, box_px, size)
    return figures.caption(figures.overlay_mask(picture, labels), notes, alert)


def _decode(content: bytes, flags: int, name: str) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if decoded is None:
        raise UserError(f"{name}: cannot be decoded; run `digit check`, then images and parts again")
    return decoded


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
