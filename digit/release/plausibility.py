"""Can these be hands that these cameras saw? Units, frames and orders of annotations that agree in form only.

Each question compares numbers that two files, or two keys, give for the same thing. Limits are wide, and captures are
judged by medians and shares: the release has outliers of its own, and those are named but no reason to stop.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from digit import geometry
from digit.release.interhand import Columns, Release
from digit.release.problems import Problems
from digit.release.views import MAJORITY, judge_views, look, mending, overlap
from digit.release.words import factor_words, name_cameras, name_frames
from digit.skeleton import BONES, HANDS, JOINT_NAMES, ROOT_JOINTS

BONE_MM, BONE_LIMITS_MM, LONGEST_BONE_MM = 32.0, (8.0, 150.0), 300.0
"""Median bone of a hand, where the median of a capture must lie, and what no bone of a hand reaches."""
FARTHEST_WRIST_MM = 400.0
"""From the translation of a fit to the annotated wrist; MANO's own wrist is 95 mm away from it."""
LARGEST_POSE, LARGEST_SHAPE = 12.0, 30.0
"""Radians, two turns; and standard deviations of MANO's shapes."""
FARTHEST_DEPTH_MM = 300.0
"""From RootNet's depth of a root to the annotated one; its usual errors are a tenth of that."""
MOST_SKEW = 0.02
"""Largest entry of R R^T - 1 of a rotation R; 6e-8 in the release."""
SAME_BOX = 0.7
"""Intersection over union from which on RootNet's box is the annotated one; it was made from that."""
NEARLY_ALL = 0.98


def judge_annotations(columns: Columns, release: Release, split: str, problems: Problems) -> dict[str, int]:
    """Compare joints, cameras, boxes, hand types and fits of a split with one another.

    Args:
        columns: of :func:`digit.release.tables.build_tables`, samples, frames, fits and cameras linked.
        release: the data folder.
        split: its part.
        problems: receives what cannot be, with the key, the value and what would mend it.

    Returns:
        ``valid``, how many joints of samples are annotated so, and ``behind_camera``, how many of these cannot be.
    """
    remedy = release.remedy("annotations")
    data, camera, joint_3d, fits = (
        release.annotation(split, kind) for kind in ("data", "camera", "joint_3d", "MANO_NeuralAnnot")
    )
    if not len(columns["annot_id"]):
        return {"valid": 0, "behind_camera": 0}
    seen = look(columns)
    valid, behind = int(seen.valid.sum()), int(seen.behind.sum())
    if not valid:
        problems.error(data, "joint_valid: no joint of any sample is valid", f"write 1 for each that is; or {remedy}")
    _judge_hands(columns, data, remedy, problems)
    rotations = _judge_rotations(columns, camera, remedy, problems)
    bones = _judge_bones(columns, joint_3d, remedy, problems)
    if behind and bones:
        cameras = np.unique(columns["camera_row"][seen.behind > 0])
        what = f"{behind:,} of {valid:,} joints annotated as valid lie behind their camera and count as not valid"
        many = rotations and behind > MAJORITY * valid
        unless = mending(columns, np.flatnonzero(seen.behind)) if many else ""
        problems.warn(camera, what, unless + remedy, name_cameras(columns, cameras))
    if rotations and bones:
        judge_views(columns, seen, data, camera, remedy, problems)
    _judge_fit_values(columns, fits, remedy, problems)
    if bones:
        _judge_fits(columns, fits, remedy, problems)
    return {"valid": valid, "behind_camera": behind}


def _judge_rotations(columns: Columns, path: Any, remedy: str, problems: Problems) -> bool:
    """Is every ``camrot`` a rotation?"""
    rotation = columns["rotation"]
    skewed = (np.abs(rotation @ rotation.swapaxes(1, 2) - np.eye(3)) > MOST_SKEW).any(axis=(1, 2))
    mirrors = ~skewed & (np.linalg.det(rotation) < 0)
    if skewed.any():
        what, mending = "camrot is no rotation: R R^T is not 1", "write the 3x3 rotation from world to camera; or "
        problems.error(path, what, mending + remedy, name_cameras(columns, np.flatnonzero(skewed)))
    if mirrors.any():
        what, mending = (
            "camrot mirrors: its determinant is -1",
            "change the sign of the axis that points the wrong way; or ",
        )
        problems.error(path, what, mending + remedy, name_cameras(columns, np.flatnonzero(mirrors)))
    return not (skewed | mirrors).any()


def _judge_bones(columns: Columns, path: Any, remedy: str, problems: Problems) -> bool:
    """Are the bones of every capture as long as a hand's?"""
    joints_mm, valid = columns["joints_world_mm"], columns["joints_world_valid"]
    child, parent = BONES.T
    known = valid[:, child] & valid[:, parent]
    bones_mm = np.where(known, np.linalg.norm(joints_mm[:, child] - joints_mm[:, parent], axis=-1), np.nan)
    captures, capture_of = np.unique(columns["frame_capture"], return_inverse=True)
    middle_mm = _medians(bones_mm)
    of_captures_mm = np.array([_median(middle_mm[capture_of == place]) for place in range(len(captures))])
    low, high = BONE_LIMITS_MM
    wrong = (of_captures_mm < low) | (of_captures_mm > high)
    for capture, median_mm in zip(captures[wrong].tolist(), of_captures_mm[wrong].tolist(), strict=True):
        what = f"world_coord: the median bone of a capture is not that of hands, about {BONE_MM:g} mm"
        mending = factor_words(BONE_MM / median_mm if median_mm else 0, "world_coord (and campos, if it is alike)")
        problems.error(path, what, mending + remedy, [f"capture {capture}: {median_mm:.3g} mm"])
    odd = ((middle_mm < low) | (middle_mm > high)) & ~wrong[capture_of]
    if odd.any():
        names = [f"{name}: {mm:.3g} mm" for name, mm in zip(name_frames(columns, odd), middle_mm[odd], strict=True)]
        what = f"world_coord: frames whose median bone is not that of hands, about {BONE_MM:g} mm"
        problems.warn(path, what, remedy, names)
    rows, bones = np.nonzero((bones_mm > LONGEST_BONE_MM) & ~(odd | wrong[capture_of])[:, None])
    if len(rows):
        ends = [f"{JOINT_NAMES[child[bone]]} to {JOINT_NAMES[parent[bone]]}" for bone in bones.tolist()]
        found = zip(name_frames(columns, rows), ends, bones_mm[rows, bones].tolist(), strict=True)
        what = f"world_coord: bones longer than {LONGEST_BONE_MM:g} mm"
        mending = f"mark the joint that is wrong as not valid (joint_valid); or {remedy}"
        problems.warn(path, what, mending, [f"{name} {end}: {mm:.4g} mm" for name, end, mm in found])
    return not wrong.any()


def _judge_hands(columns: Columns, path: Any, remedy: str, problems: Problems) -> None:
    """Do single hands have valid joints of that hand, and not of the other only?"""
    hands = columns["hand_type"]
    valid = np.any(columns["joint_valid"].reshape(len(hands), 2, -1), axis=2)
    single = (hands.sum(axis=1) == 1) & valid.any(axis=1) & columns["hand_type_valid"]
    other = single & ~(valid & hands).any(axis=1)
    if other.any():
        share = other.sum() / single.sum()
        note = problems.error if share > MAJORITY else problems.warn
        what = f"hand_type: {share:.0%} of the single hands have valid joints of the other hand only (joint_valid)"
        swapped = f"are right (joints 0 to 20) and left (21 to 41) swapped in one of the two? If not, {remedy}"
        note(path, what, swapped, [f"id {number}" for number in columns["annot_id"][other].tolist()])


def _judge_fits(columns: Columns, path: Any, remedy: str, problems: Problems) -> None:
    """Are the fits of every capture where the annotated wrists are?"""
    wrists_mm, trans_mm = columns["joints_world_mm"][:, list(ROOT_JOINTS)], columns["mano_trans_m"] * np.float64(1000)
    known = columns["mano_valid"] & columns["joints_world_valid"][:, list(ROOT_JOINTS)]
    far_mm = np.where(known, np.linalg.norm(trans_mm - wrists_mm, axis=-1), np.nan)
    for capture in np.unique(columns["frame_capture"]).tolist():
        mine = columns["frame_capture"] == capture
        median_mm = _median(far_mm[mine])
        if median_mm > FARTHEST_WRIST_MM:
            mending = "are trans and world_coord in one world, in m and in mm? If not, "
            for factor, unit in ((0.001, "mm"), (0.01, "cm"), (0.1, "dm")):
                tried_mm = np.linalg.norm(trans_mm[mine] * factor - wrists_mm[mine], axis=-1)
                if np.median(tried_mm[known[mine]]) <= FARTHEST_WRIST_MM:
                    mending = f"multiply trans by {factor:g} ({unit} to m); or "
                    break
            what = "trans: the hand fits of a capture are not at the annotated wrists, but far from them in the median"
            problems.error(path, what, mending + remedy, [f"capture {capture}: {median_mm:.4g} mm"])
            far_mm[mine] = np.nan
    rows, sides = np.nonzero(far_mm > FARTHEST_WRIST_MM)
    if len(rows):
        names = _name_hands(columns, rows, sides, far_mm[rows, sides])
        what = f"trans: hand fits farther than {FARTHEST_WRIST_MM:g} mm from the annotated wrist"
        problems.warn(path, what, remedy, names)


def _judge_fit_values(columns: Columns, path: Any, remedy: str, problems: Problems) -> None:
    """Are poses and shapes of the fits those of hands?"""
    for key, limit in (("pose", LARGEST_POSE), ("shape", LARGEST_SHAPE)):
        largest = np.abs(columns[f"mano_{key}"]).max(axis=2)
        rows, sides = np.nonzero(largest > limit)
        if len(rows):
            names = _name_hands(columns, rows, sides, largest[rows, sides])
            problems.warn(path, f"{key}: numbers beyond {limit:g}, which no hand has", remedy, names)


def _name_hands(columns: Columns, rows: np.ndarray, sides: np.ndarray, values: np.ndarray) -> list[str]:
    named = zip(name_frames(columns, rows), sides.tolist(), values.tolist(), strict=True)
    return [f"{name} {HANDS[side]}: {value:.4g}" for name, side, value in named]


def judge_rootnet(
    columns: Columns, path: Any, remedy: str, note: Callable[..., None], problems: Problems
) -> dict[str, float]:
    """Are RootNet's boxes and depths those of these samples?

    Args:
        columns: of a split, RootNet's results beside the samples.
        path: RootNet's file.
        remedy: what to do about another one.
        note: of ``problems``: ``error``, or ``warn`` where nothing needs RootNet.
        problems: receives what does not agree, with shares.

    Returns:
        ``same_box`` and ``near_depth``: shares of the results that agree with the annotations.
    """

    def compare(agree: np.ndarray, of: np.ndarray, what: str, mending: str) -> float:
        share = float(agree[of].mean())
        if share < NEARLY_ALL:
            names = [f"annot_id {number}" for number in columns["annot_id"][rows[(of & ~agree).any(axis=1)]].tolist()]
            (note if share < MAJORITY else problems.warn)(path, what.format(f"{share:.0%}"), mending + remedy, names)
        return share

    rows = np.flatnonzero(columns["rootnet_valid"])
    if not len(rows):
        return {}
    same = same_boxes(columns["rootnet_box_px"][rows], columns["box_px"][rows])[:, None]
    other_images = "its annot_id are those of other images (30 fps, another release or order): "
    what = "bbox: {} of RootNet's boxes are the annotated ones of their annot_id"
    shares = {"same_box": compare(same, np.ones_like(same), what, other_images)}
    depths_mm, known = _root_depths_mm(columns, rows)
    if known.any():
        found_mm = columns["rootnet_depth_mm"][rows]
        ratio = np.median(depths_mm[known]) / np.median(found_mm[known]) if np.median(found_mm[known]) else 0
        near = np.abs(found_mm - depths_mm) <= FARTHEST_DEPTH_MM
        what = f"abs_depth: {{}} of RootNet's depths are within {FARTHEST_DEPTH_MM:g} mm of the annotated roots"
        shares["near_depth"] = compare(near, known, what, factor_words(ratio, "abs_depth") or other_images)
    return shares


def same_boxes(given_px: np.ndarray, own_px: np.ndarray) -> np.ndarray:
    """Which boxes (n, 4) of RootNet's are the annotated ones, made square and enlarged by the same factor for all."""
    given_px, own_px = geometry.square_box(given_px, 1.0), geometry.square_box(own_px, 1.0)
    larger = float(np.median(given_px[:, 2] / own_px[:, 2]))
    return overlap(given_px, geometry.square_box(own_px, larger)) >= SAME_BOX


def _root_depths_mm(columns: Columns, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depths (n, 2) of the annotated roots, and which of them are known, of samples (n,)."""
    camera, roots = columns["camera_row"][rows], list(ROOT_JOINTS)
    roots_mm = columns["joints_world_mm"][columns["frame_row"][rows]][:, roots]
    roots_mm = geometry.world_to_camera(roots_mm, columns["rotation"][camera], columns["position_mm"][camera])
    valid = columns["joint_valid"][rows][:, roots] & columns["hand_type"][rows]
    return roots_mm[..., 2], valid & geometry.in_front(roots_mm)


def _medians(values: np.ndarray) -> np.ndarray:
    """Median of the numbers in each row (n, m), NaN for a row without any."""
    some = np.isfinite(values).any(axis=1)
    medians = np.full(len(values), np.nan)
    medians[some] = np.nanmedian(values[some], axis=1)
    return medians


def _median(values: np.ndarray) -> float:
    """Median of the numbers among values of any shape, NaN without any."""
    return float(_medians(values.reshape(1, -1))[0]) if values.size else np.nan
