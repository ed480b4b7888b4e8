"""Which hand of a picture is which of the picture before, and its joints smoothed along the way."""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from digit.predictor.camera_space import lift_poses
from digit.predictor.engine import Crop, Result
from digit.predictor.one_euro import OneEuro
from digit.predictor.pose import Pose
from digit.skeleton import HANDS, JOINT_HAND

FORGET_S = 0.5
"""A hand that was not seen for so long is another one when it comes back."""
FARTHEST = 1.0
"""Mean distance of joints, in sizes of the hand, up to which a hand is the one that was expected there."""
DEPTH_UNIT_MM = 100.0
"""About the size of a hand in depth, in which the speed of depths counts."""


@dataclass
class _Track:
    """One hand through a video."""

    number: int
    hand: int
    """0 right, 1 left."""
    seen_s: float
    px: OneEuro = field(default_factory=OneEuro)
    depth: OneEuro = field(default_factory=OneEuro)


class HandTracks:
    """Numbers the hands of a video and smooths them, one picture after the other.

    A hand keeps its number by its side and by where it was going, so that hands may cross. Each has a filter of its
    own for ``joints_px`` and ``depth_mm``, which forgets all when the hand was away.

    Args:
        smooth: whether joints are filtered, or only numbered.
    """

    def __init__(self, smooth: bool = True) -> None:
        self.smooth = smooth
        self._tracks: list[_Track] = []
        self._count = 0

    def __call__(self, result: Result) -> Result:
        """The result of the next picture, with ``tracks`` and smoothed joints of the hands that are present.

        Args:
            result: its picture says ``time_s``, which never goes back.
        """
        time_s = result.picture.time_s or 0.0
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= FORGET_S]
        seen = [
            (k, hand)
            for k, crop in enumerate(result.crops)
            for hand in np.flatnonzero(crop.pose.present(result.hand_threshold)).tolist()
        ]
        tracks: dict[tuple[int, int], _Track] = {}
        for hand in range(len(HANDS)):
            own = [(k, side) for k, side in seen if side == hand]
            joints_px = np.array([result.crops[k].pose.joints_px[hand == JOINT_HAND] for k, _ in own])
            tracks |= dict(zip(own, self._assign(hand, joints_px.reshape(-1, 21, 2), time_s), strict=True))
        poses = [self._next(crop.pose, k, tracks, time_s) for k, crop in enumerate(result.crops)]
        spaces = lift_poses(poses, [result.picture.camera] * len(poses))
        crops: list[Crop] = []
        for k, (crop, pose, space) in enumerate(zip(result.crops, poses, spaces, strict=True)):
            right, left = (tracks[k, hand].number if (k, hand) in tracks else None for hand in range(2))
            crops.append(replace(crop, pose=pose, space=space, tracks=(right, left)))
        return replace(result, crops=crops)

    def _assign(self, hand: int, joints_px: np.ndarray, time_s: float) -> list[_Track]:
        """A track for each of the hands (n, 21, 2) of one side, the nearest ones, or new ones."""
        known = [track for track in self._tracks if track.hand == hand]
        chosen: dict[int, _Track] = {}
        if known and len(joints_px):
            expected = np.array([track.px.expected(time_s) for track in known])
            apart = np.linalg.norm(joints_px[:, None] - expected, axis=-1).mean(-1) / hand_sizes(joints_px)[:, None]
            rows, columns = linear_sum_assignment(np.minimum(apart, FARTHEST))
            chosen = {
                int(row): known[column]
                for row, column in zip(rows, columns, strict=True)
                if apart[row, column] < FARTHEST
            }
        for row in range(len(joints_px)):
            if row not in chosen:
                self._count += 1
                chosen[row] = _Track(self._count, hand, time_s)
                self._tracks.append(chosen[row])
        return [chosen[row] for row in range(len(joints_px))]

    def _next(self, pose: Pose, k: int, tracks: dict[tuple[int, int], _Track], time_s: float) -> Pose:
        """The pose of crop ``k`` with its hands filtered, which also tells the tracks where they are."""
        joints_px, depth_mm = pose.joints_px.copy(), pose.depth_mm.copy()
        for hand in range(len(HANDS)):
            track = tracks.get((k, hand))
            if track is not None:
                own = hand == JOINT_HAND
                track.seen_s = time_s
                size_px = float(hand_sizes(pose.joints_px[None, own])[0])
                joints_px[own] = track.px(pose.joints_px[own], time_s, size_px)
                depth_mm[own] = track.depth(pose.depth_mm[own, None], time_s, DEPTH_UNIT_MM)[:, 0]
        return replace(pose, joints_px=joints_px, depth_mm=depth_mm) if self.smooth else pose


def hand_sizes(joints_px: np.ndarray) -> np.ndarray:
    """Longer side (n,) px of the boxes around hands (n, 21, 2), at least one px."""
    return np.maximum(np.ptp(joints_px, axis=1).max(axis=1), 1.0)
