"""What annotators would have written about a frame: noisy joints, gaps, boxes, and RootNet's guesses."""

from dataclasses import dataclass

import numpy as np

from digit.geometry import project, square_box, world_to_camera
from digit.hand.mano import Hands
from digit.skeleton import HANDS, JOINT_COUNT, JOINTS_PER_HAND, ROOT_JOINTS
from digit.synthetic.cameras import Camera
from digit.synthetic.poses import PosedHand

BOX_MARGIN = 1.2
"""The release's boxes are those of the joints, enlarged by this."""

ABSENT_JOINT_MM = 1.0
"""The release writes this for each coordinate of a hand that is not there."""

JOINT_NOISE_MM = (0.8, 2.0)
"""Range of the standard deviation per axis of a frame's joint annotations."""

INVALID_JOINT_SHARE, INVALID_ROOT_SHARE = 0.012, 0.002
MISSING_FRAME_SHARE, MISSING_FIT_SHARE, INVALID_TYPE_SHARE = 0.015, 0.025, 0.01
ROOTNET_COMMON_MM, ROOTNET_OWN_MM = 32.0, 12.0
"""Standard deviations of RootNet's error: shared by the hands of an image, and of each hand."""


@dataclass(frozen=True)
class FrameTruth:
    """Annotations of one frame: joints (42, 3) world mm and their validity, and the MANO fits by side.

    ``fits`` is None where the frame is missing from the MANO file; a fit is None where there is none.
    """

    joints_world_mm: np.ndarray
    joint_valid: np.ndarray
    hand_type_valid: bool
    fits: dict[str, PosedHand | None] | None


@dataclass(frozen=True)
class Sample:
    """Annotations of one image: box x, y, w, h; RootNet's box and absolute depths [right, left] in mm."""

    box_px: np.ndarray
    rootnet_box_px: np.ndarray
    rootnet_depth_mm: np.ndarray


def annotate_frame(rng: np.random.Generator, hands: Hands, posed: dict[str, PosedHand]) -> FrameTruth:
    """Annotate the hands of a frame as the release would, with its noise and its gaps."""
    joints_mm = np.full((JOINT_COUNT, 3), ABSENT_JOINT_MM)
    valid = np.zeros(JOINT_COUNT, dtype=bool)
    noise_mm = rng.normal(0, rng.uniform(*JOINT_NOISE_MM), (JOINT_COUNT, 3))
    lost = rng.random(JOINT_COUNT) < INVALID_JOINT_SHARE
    lost[list(ROOT_JOINTS)] = rng.random(2) < INVALID_ROOT_SHARE
    frame_missing, fit_missing = rng.random() < MISSING_FRAME_SHARE, rng.random(2) < MISSING_FIT_SHARE
    fits: dict[str, PosedHand | None] = dict.fromkeys(HANDS)
    for k, side in enumerate(HANDS):
        if side in posed:
            rows = slice(k * JOINTS_PER_HAND, (k + 1) * JOINTS_PER_HAND)
            joints_mm[rows] = hands[side].joints_world_mm(posed[side].vertices_mm) + noise_mm[rows]
            valid[rows] = ~lost[rows]
            fits[side] = None if fit_missing[k] else posed[side]
    return FrameTruth(joints_mm, valid, bool(rng.random() >= INVALID_TYPE_SHARE), None if frame_missing else fits)


def annotate_sample(rng: np.random.Generator, truth: FrameTruth, camera: Camera) -> Sample:
    """Box the visible joints in one image, and guess depths as RootNet does."""
    joints_cam_mm = world_to_camera(truth.joints_world_mm, camera.rotation, camera.position_mm)
    box_px = joint_box(project(joints_cam_mm, camera.focal_px, camera.princpt_px)[truth.joint_valid], camera)
    depth_mm = joints_cam_mm[list(ROOT_JOINTS), 2]
    present = np.array([truth.joint_valid[:JOINTS_PER_HAND].any(), truth.joint_valid[JOINTS_PER_HAND:].any()])
    depth_mm = np.where(present, depth_mm, depth_mm[np.argmax(present)])
    guess_mm = depth_mm + rng.normal(0, ROOTNET_COMMON_MM) + rng.normal(0, ROOTNET_OWN_MM, 2)
    return Sample(box_px, square_box(box_px), guess_mm)


def joint_box(joints_px: np.ndarray, camera: Camera) -> np.ndarray:
    """Box (x, y, w, h) around joints (N, 2), enlarged about its centre and clipped to the image."""
    low, high = joints_px.min(axis=0), joints_px.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * BOX_MARGIN
    limit = np.array([camera.width - 1, camera.height - 1])
    low, high = np.clip(centre - half, 0, limit), np.clip(centre + half, 0, limit)
    return np.concatenate([low, high - low])
