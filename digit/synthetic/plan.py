"""What is recorded: which frames of which capture show which hands to which cameras."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from digit.config import SPLITS, SyntheticSettings
from digit.synthetic.backdrop import Backdrop, make_backdrop
from digit.synthetic.cameras import Camera, make_cameras
from digit.synthetic.lighting import Studio, make_studio
from digit.synthetic.subjects import Subject, make_subject

SEQUENCES = {"right": "0010_rh_rangeofmotion", "left": "0020_lh_rangeofmotion", "interacting": "0110_dh_touch"}
TYPE_CYCLE = ("right", "left", "interacting", "interacting")
FIRST_FRAME, FRAME_STEP, SEQUENCE_GAP = 2000, 3, 60
RIG_FACTOR = 3
"""A capture's rig has this many times the cameras that see one frame; each frame draws its own from it."""

CAPTURE_STREAM, FRAME_STREAM, SPLIT_STREAM, PERSON_STREAM = 0, 1, 2, 3


@dataclass(frozen=True)
class Frame:
    """One moment: its running ``number`` in the split, its place in the release, and the cameras that see it."""

    split: str
    number: int
    capture: int
    sequence: str
    frame_idx: int
    hand_type: str
    cameras: tuple[int, ...]


@dataclass(frozen=True)
class Capture:
    """A recording session: one subject in one studio before a rig of cameras."""

    subject: Subject
    rig: tuple[Camera, ...]
    studio: Studio
    backdrop: Backdrop
    darkness: float


def generator(seed: int, split: str, stream: int, number: int) -> np.random.Generator:
    """The source of randomness of one capture or frame, the same whoever computes it."""
    return np.random.default_rng(np.random.SeedSequence([seed, SPLITS.index(split), stream, number]))


@cache
def make_capture(seed: int, split: str, capture: int, settings: SyntheticSettings) -> Capture:
    """Draw the subject, rig and surroundings of a capture; no two captures of any split share them.

    The subjects of a split differ in size and tone as evenly as their number allows.
    """
    rng, split_rng = generator(seed, split, CAPTURE_STREAM, capture), generator(seed, split, SPLIT_STREAM, 0)
    ranks = [(split_rng.permutation(settings.captures)[capture] + rng.random()) / settings.captures for _ in range(2)]
    return Capture(
        subject=make_subject(rng, SPLITS.index(split) * settings.captures + capture, *ranks),
        rig=tuple(make_cameras(rng, RIG_FACTOR * settings.cameras, settings.views, settings.variety == "rich")),
        studio=make_studio(rng),
        backdrop=make_backdrop(rng),
        darkness=float(rng.uniform(0, 0.7)),
    )


def plan_split(seed: int, split: str, settings: SyntheticSettings) -> list[Frame]:
    """The frames of a split, in the order capture, sequence, frame: one right, one left, two interacting in four."""
    images = {"train": settings.train_images, "val": settings.val_images, "test": settings.test_images}[split]
    count = -(-images // settings.cameras)
    captures = min(settings.captures, count)
    drawn = []
    for number in range(count):
        rng = generator(seed, split, FRAME_STREAM, number)
        seen_by = min(settings.cameras, images - number * settings.cameras)
        cameras = rng.choice(RIG_FACTOR * settings.cameras, seen_by, replace=False)
        hand_type = TYPE_CYCLE[number % len(TYPE_CYCLE)]
        drawn.append((number * captures // count, SEQUENCES[hand_type], number, hand_type, np.sort(cameras)))
    frames: list[Frame] = []
    for capture, sequence, number, hand_type, cameras in sorted(drawn, key=lambda item: item[:3]):
        last = frames[-1] if frames and frames[-1].capture == capture else None
        frame_idx = FIRST_FRAME if last is None else last.frame_idx + FRAME_STEP
        if last is not None and last.sequence != sequence:
            frame_idx += SEQUENCE_GAP
        rows = tuple(int(camera) for camera in cameras)
        frames.append(Frame(split, number, capture, sequence, frame_idx, hand_type, rows))
    return frames
