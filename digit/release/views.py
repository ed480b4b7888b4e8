"""What the cameras of a split see of its joints, compared with the annotated boxes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from digit import geometry
from digit.release.interhand import Columns
from digit.release.problems import Problems
from digit.release.words import CAMERA_RULE, UNITS, name_boxes, name_cameras

DISTANCES_MM = (50.0, 20_000.0)
"""Where the median distance of joints from the cameras of a capture must lie; in the release it is a metre."""
MAJORITY, NEARLY_ALL = 0.5, 0.9
CLEARLY = 0.1
"""By how much another reading of the boxes must fit better."""
SAMPLES_AT_ONCE, SAMPLES_TRIED = 1 << 14, 2000
OTHER_SIZES = (2, 4, 8, 0.5, 0.25, 0.125)


@dataclass(frozen=True)
class Seen:
    """Where n samples' joints are for their cameras."""

    valid: np.ndarray
    """(n,) number of joints annotated as valid."""
    behind: np.ndarray
    """(n,) how many of them are not in front of the camera."""
    box_px: np.ndarray
    """(n, 4) x, y, width, height around the others, NaN without any."""
    depth_mm: np.ndarray
    """(n,) their mean depth, NaN without any."""


def look(columns: Columns, rows: np.ndarray) -> Seen:
    """See the joints of samples (n,) through their cameras, some thousands at a time."""
    parts = [_look_at(columns, rows[k : k + SAMPLES_AT_ONCE]) for k in range(0, max(len(rows), 1), SAMPLES_AT_ONCE)]
    return Seen(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _look_at(columns: Columns, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    camera, annotated = columns["camera_row"][rows], columns["joint_valid"][rows]
    joints_mm = columns["joints_world_mm"][columns["frame_row"][rows]]
    joints_mm = geometry.world_to_camera(joints_mm, columns["rotation"][camera], columns["position_mm"][camera])
    joints_px = geometry.project(joints_mm, columns["focal_px"][camera], columns["princpt_px"][camera])
    seen = annotated & geometry.in_front(joints_mm)
    valid, counts = annotated.sum(axis=1), seen.sum(axis=1)
    some = counts > 0
    low_px = np.where(seen[..., None], joints_px, np.inf).min(axis=1)
    high_px = np.where(seen[..., None], joints_px, -np.inf).max(axis=1)
    box_px, depth_mm = np.full((len(rows), 4), np.nan), np.full(len(rows), np.nan)
    box_px[some] = np.concatenate([low_px, high_px - low_px], axis=1)[some]
    depth_mm[some] = np.where(seen, joints_mm[..., 2], 0).sum(axis=1)[some] / counts[some]
    return valid, valid - counts, box_px, depth_mm


def judge_views(columns: Columns, seen: Seen, boxes: Any, cameras: Any, remedy: str, problems: Problems) -> None:
    """Do the boxes hold the joints as the cameras see them, and from a distance at which a hand can be seen?

    Args:
        columns: of a split.
        seen: its joints.
        boxes: the file of the boxes.
        cameras: the file of the cameras.
        remedy: what to do about another file.
        problems: receives captures most of whose boxes do not, as errors, and single cameras and samples as warnings.
    """
    rows = np.flatnonzero(np.isfinite(seen.depth_mm))
    if not len(rows) or _are_corners(columns, seen, rows, boxes, remedy, problems):
        return
    held, camera_row = holds(columns["box_px"][rows], seen.box_px[rows]), columns["camera_row"][rows]
    captures, capture_of = np.unique(columns["capture"][rows], return_inverse=True)
    for place, capture in enumerate(captures.tolist()):
        mine = capture_of == place
        share, distance_mm = held[mine].mean(), np.median(seen.depth_mm[rows[mine]])
        tried = rows[mine][:: max(mine.sum() // SAMPLES_TRIED, 1)]
        if share < MAJORITY:
            what = f"capture {capture}: as the cameras see the joints, {share:.0%} of the boxes hold their middle"
            problems.error(cameras, what, _mending(columns, tried) + remedy, name_boxes(columns, tried))
        elif not DISTANCES_MM[0] <= distance_mm <= DISTANCES_MM[1]:
            what = f"capture {capture}: joints are {distance_mm:.3g} mm from the cameras, where hands are about 1000 mm"
            problems.error(cameras, what, f"is it {CAMERA_RULE}, in mm? If not, {remedy}", name_boxes(columns, tried))
        if share < MAJORITY:
            held[mine] = True
    counts, hits = (np.bincount(r, minlength=len(columns["rotation"])) for r in (camera_row, camera_row[held]))
    poor = np.flatnonzero(hits < MAJORITY * counts)
    if len(poor):
        names = zip(name_cameras(columns, poor), hits[poor], counts[poor], strict=True)
        what = "cameras few of whose boxes hold the middle of their joints"
        problems.warn(cameras, what, remedy, [f"{name}: {hit} of {count}" for name, hit, count in names])
    beside = rows[~held & ~np.isin(camera_row, poor)]
    if len(beside):
        what = f"bbox: of {len(rows)} boxes some do not hold the middle of their joints"
        problems.warn(boxes, what, f"see what these pictures show; or {remedy}", name_boxes(columns, beside))


def _are_corners(columns: Columns, seen: Seen, rows: np.ndarray, path: Any, remedy: str, problems: Problems) -> bool:
    """Are boxes given as left, top, right, bottom?"""
    boxes_px, joints_px = columns["box_px"][rows], seen.box_px[rows]
    corners_px = np.concatenate([boxes_px[:, :2], boxes_px[:, 2:] - boxes_px[:, :2]], axis=1)
    as_sizes, as_corners = (float(np.median(overlap(joints_px, given))) for given in (boxes_px, corners_px))
    if as_corners <= as_sizes + CLEARLY:
        return False
    what = (
        f"bbox: as x, y, width, height the boxes overlap with their joints by {as_sizes:.0%} in the median, "
        f"as left, top, right, bottom by {as_corners:.0%}"
    )
    problems.error(path, what, f"write x, y, width, height; or {remedy}", name_boxes(columns, rows))
    return True


def _mending(columns: Columns, rows: np.ndarray) -> str:
    """Name the change of cameras, boxes or a unit after which most boxes of ``rows`` hold their joints."""
    best, share = "", NEARLY_ALL
    for words, change in _changes(columns).items():
        changed = columns | change
        held = float(holds(changed["box_px"][rows], look(changed, rows).box_px).mean())
        if held > share:
            best, share = f"{words}, then {held:.0%} do; or ", held
    return best or f"is it {CAMERA_RULE}, in mm, and are boxes x, y, width, height in px? If not, "


def _changes(columns: Columns) -> dict[str, Columns]:
    """Usual mistakes in cameras and boxes, and the columns without them."""
    rotation, position_mm, box_px = columns["rotation"], columns["position_mm"], columns["box_px"]
    turned = rotation.swapaxes(1, 2)
    moved, turned_and_moved = (-np.einsum(rule, rotation, position_mm) for rule in ("cji,cj->ci", "cij,cj->ci"))
    changes: dict[str, Columns] = {
        "camrot is transposed (camera to world): transpose it": {"rotation": turned},
        "campos is the t of X_cam = R X + t: write -R^T t": {"position_mm": moved},
        "camrot is transposed and campos is a translation": {"rotation": turned, "position_mm": turned_and_moved},
    }
    for factor, unit in UNITS.items():
        changes[f"campos is in {unit}: multiply it by {factor:g}"] = {"position_mm": position_mm * factor}
    for factor in OTHER_SIZES:
        scaled = {name: columns[name] * factor for name in ("focal_px", "princpt_px")}
        changes[f"focal and princpt are of pictures of another size: multiply them by {factor:g}"] = scaled
        changes[f"bbox is of pictures of another size: multiply it by {factor:g}"] = {"box_px": box_px * factor}
    changes["princpt is y, x: swap it"] = {"princpt_px": columns["princpt_px"][:, ::-1]}
    sides_px = np.stack([columns["width"], columns["height"]] * 2, axis=1)
    changes["bbox is a share of the picture: multiply it by width and height"] = {"box_px": box_px * sides_px}
    middle = box_px - np.concatenate([box_px[:, 2:] / 2, np.zeros((len(box_px), 2))], axis=1)
    changes["bbox begins with its middle: subtract half its size"] = {"box_px": middle}
    return changes


def holds(boxes_px: np.ndarray, inner_px: np.ndarray) -> np.ndarray:
    """(n,) whether a box (n, 4) holds the middle of another (n, 4); not if that is NaN."""
    middle = inner_px[:, :2] + inner_px[:, 2:] / 2
    return ((middle >= boxes_px[:, :2]) & (middle <= boxes_px[:, :2] + boxes_px[:, 2:])).all(axis=1)


def overlap(one_px: np.ndarray, other_px: np.ndarray) -> np.ndarray:
    """(n,) intersection over union of boxes (n, 4); a side below 0 is 0."""
    ends = np.minimum(one_px[:, :2] + one_px[:, 2:], other_px[:, :2] + other_px[:, 2:])
    common = (ends - np.maximum(one_px[:, :2], other_px[:, :2])).clip(0).prod(axis=1)
    union = one_px[:, 2:].clip(0).prod(axis=1) + other_px[:, 2:].clip(0).prod(axis=1) - common
    return common / np.maximum(union, 1e-9)
