"""What the cameras of a split see of its joints, compared with the annotated boxes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digit import geometry
from digit.release.interhand import Columns
from digit.release.problems import Problems
from digit.release.words import CAMERA_RULE, UNITS, name_boxes, name_cameras
from digit.run.compiled import compiled

DISTANCES_MM = (50.0, 20_000.0)
"""Where the median distance of joints from the cameras of a capture must lie; in the release it is a metre."""
MAJORITY = 0.5
FITTING, CLEARLY = 0.3, 0.15
"""Overlap of a box with its joints (0.69 in the release), and by how much another reading must be better."""
SAMPLES_TRIED = 2000
LOOKED_AT = (
    *("frame_row", "camera_row", "joint_valid", "joints_world_mm"),
    *("rotation", "position_mm", "focal_px", "princpt_px"),
)
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


def look(columns: Columns) -> Seen:
    """See the joints of every sample through its camera."""
    count = len(columns["camera_row"])
    behind, box_px, depth_mm = np.zeros(count, np.int64), np.full((count, 4), np.nan), np.full(count, np.nan)
    plain = {name: np.ascontiguousarray(columns[name]) for name in LOOKED_AT}
    cameras = (plain["rotation"], plain["position_mm"], plain["focal_px"], plain["princpt_px"])
    samples = plain["frame_row"], plain["camera_row"], plain["joint_valid"]
    _look(samples, plain["joints_world_mm"], cameras, behind, box_px, depth_mm)
    return Seen(columns["joint_valid"].sum(axis=1), behind, box_px, depth_mm)


@compiled
def _look(
    samples: tuple[np.ndarray, np.ndarray, np.ndarray],
    joints_world_mm: np.ndarray,
    cameras: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    behind: np.ndarray,
    box_px: np.ndarray,
    depth_mm: np.ndarray,
) -> None:
    """Fill in the last three, as :class:`Seen` has them; the formulas of :mod:`digit.geometry`, sample by sample."""
    frame_row, camera_row, joint_valid = samples
    rotation, position_mm, focal_px, princpt_px = cameras
    for k in range(len(camera_row)):
        camera, frame, seen, depth_sum = camera_row[k], frame_row[k], 0, 0.0
        low, high = np.full(2, np.inf), np.full(2, -np.inf)
        for joint in range(joint_valid.shape[1]):
            if not joint_valid[k, joint]:
                continue
            x, y, z = 0.0, 0.0, 0.0
            for axis in range(3):
                moved = joints_world_mm[frame, joint, axis] - position_mm[camera, axis]
                x += rotation[camera, 0, axis] * moved
                y += rotation[camera, 1, axis] * moved
                z += rotation[camera, 2, axis] * moved
            if z < geometry.NEAREST_MM:
                behind[k] += 1
                continue
            seen, depth_sum = seen + 1, depth_sum + z
            for axis, slope in enumerate((x / z, y / z)):
                pixel = slope * focal_px[camera, axis] + princpt_px[camera, axis]
                low[axis], high[axis] = min(low[axis], pixel), max(high[axis], pixel)
        if seen:
            depth_mm[k] = depth_sum / seen
            box_px[k, :2], box_px[k, 2:] = low, high - low


def judge_views(columns: Columns, seen: Seen, boxes: Path, cameras: Path, remedy: str, problems: Problems) -> None:
    """Are the boxes those of the joints as the cameras see them, from a distance at which a hand can be seen?

    Args:
        columns: of a split.
        seen: its joints.
        boxes: the file of the boxes.
        cameras: the file of the cameras.
        remedy: what to do about another file.
        problems: receives captures most of whose boxes are not, as errors, and single cameras and samples as warnings.
    """
    rows = np.flatnonzero(np.isfinite(seen.depth_mm))
    if not len(rows):
        return
    fit, camera_row = overlap(columns["box_px"][rows], seen.box_px[rows]), columns["camera_row"][rows]
    captures, capture_of = np.unique(columns["capture"][rows], return_inverse=True)
    both = f"bbox of {boxes.name} and joints as the cameras see them"
    errors, fits = len(problems.errors), fit >= FITTING
    for place, capture in enumerate(captures.tolist()):
        mine = capture_of == place
        middle, distance_mm = np.median(fit[mine]), np.median(seen.depth_mm[rows[mine]])
        if fits[mine].mean() < MAJORITY:
            what = f"capture {capture}: {both} overlap by {middle:.0%} in the median"
            problems.error(cameras, what, mending(columns, rows[mine]) + remedy, name_boxes(columns, rows[mine]))
            fits[mine] = True
        elif not DISTANCES_MM[0] <= distance_mm <= DISTANCES_MM[1]:
            what = f"capture {capture}: joints are {distance_mm:.3g} mm from the cameras, where hands are about 1000 mm"
            problems.error(
                cameras, what, f"is it {CAMERA_RULE}, in mm? If not, {remedy}", name_boxes(columns, rows[mine])
            )
    better, best = _best_change(columns, rows)
    if len(problems.errors) == errors and best > np.median(fit) + CLEARLY:
        what = f"{both} overlap by {np.median(fit):.0%} in the median"
        problems.error(cameras, what, f"{better}, then by {best:.0%}; or {remedy}", name_boxes(columns, rows))
        return
    counts, hits = (np.bincount(r, minlength=len(columns["rotation"])) for r in (camera_row, camera_row[fits]))
    poor = np.flatnonzero(hits < MAJORITY * counts)
    if len(poor):
        names = zip(name_cameras(columns, poor), hits[poor], counts[poor], strict=True)
        what = "cameras few of whose boxes are around their joints"
        problems.warn(cameras, what, remedy, [f"{name}: {hit} of {count}" for name, hit, count in names])
    beside = rows[~fits & ~np.isin(camera_row, poor)]
    if len(beside):
        what = f"bbox: of {len(rows)} boxes some are not around their joints"
        problems.warn(boxes, what, f"see what these pictures show; or {remedy}", name_boxes(columns, beside))


def mending(columns: Columns, rows: np.ndarray) -> str:
    """Name the change of cameras, boxes or a unit after which boxes and joints of ``rows`` overlap, if there is one."""
    words, share = _best_change(columns, rows)
    if share >= FITTING:
        return f"{words}, then by {share:.0%}; or "
    return f"is it {CAMERA_RULE}, in mm, and are boxes x, y, width, height in px? If not, "


def _best_change(columns: Columns, rows: np.ndarray) -> tuple[str, float]:
    """The change after which boxes and joints overlap best, and by how much in the median; tries some of ``rows``."""
    rows = rows[:: max(len(rows) // SAMPLES_TRIED, 1)]
    of_samples = ("frame_row", "camera_row", "joint_valid", "box_px", "width", "height")
    tried = columns | {name: columns[name][rows] for name in of_samples}
    sides_px = np.stack([tried["width"], tried["height"]], axis=1)
    best = ("", 0.0)
    for words, change in _changes(tried).items():
        changed = tried | change
        boxes_px, joints_px = changed["box_px"], np.nan_to_num(look(changed).box_px)
        middle_px = boxes_px[:, :2] + boxes_px[:, 2:] / 2
        inside = ((middle_px >= 0) & (middle_px <= sides_px)).all(axis=1)
        best = max(best, (words, float(np.median(overlap(boxes_px, joints_px) * inside))), key=lambda found: found[1])
    return best


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
        focal_px = {"focal_px": columns["focal_px"] * factor}
        changes[f"focal is of pictures of another size, and princpt is not: multiply it by {factor:g}"] = focal_px
        changes[f"bbox is of pictures of another size: multiply it by {factor:g}"] = {"box_px": box_px * factor}
    changes["princpt is y, x: swap it"] = {"princpt_px": columns["princpt_px"][:, ::-1]}
    sides_px = np.stack([columns["width"], columns["height"]] * 2, axis=1)
    changes["bbox is a share of the picture: multiply it by width and height"] = {"box_px": box_px * sides_px}
    middle = box_px - np.concatenate([box_px[:, 2:] / 2, np.zeros((len(box_px), 2))], axis=1)
    corners = box_px - np.concatenate([np.zeros((len(box_px), 2)), box_px[:, :2]], axis=1)
    changes["bbox is left, top, right, bottom: write x, y, width, height"] = {"box_px": corners}
    changes["bbox begins with its middle: subtract half its size"] = {"box_px": middle}
    return changes


def overlap(one_px: np.ndarray, other_px: np.ndarray) -> np.ndarray:
    """(n,) intersection over union of boxes (n, 4); a side below 0 is 0."""
    ends = np.minimum(one_px[:, :2] + one_px[:, 2:], other_px[:, :2] + other_px[:, 2:])
    common = (ends - np.maximum(one_px[:, :2], other_px[:, :2])).clip(0).prod(axis=1)
    union = one_px[:, 2:].clip(0).prod(axis=1) + other_px[:, 2:].clip(0).prod(axis=1) - common
    return common / np.maximum(union, 1e-9)
