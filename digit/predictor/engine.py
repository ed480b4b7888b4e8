"""From pictures to results: boxes found where none are given, several crops of a picture, one result for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np

from digit.mesh.fit import Fits
from digit.predictor.boxes import crop_box
from digit.predictor.camera import Intrinsics
from digit.predictor.camera_space import CameraSpace, lift_poses
from digit.predictor.pose import Pose, draw_poses
from digit.predictor.predictor import Box, Predictor
from digit.predictor.record import record_of
from digit.run.errors import UserError

GIVEN, DETECTED, TRACKED, WHOLE = "given", "detected", "tracked", "whole image"
"""Where a box comes from."""
UNSEEN_ODDS = 1 / 9
"""What the odds of a second hand are worth where the detector looked and saw one hand at most.

Of 2,000 synthetic test images the network gives both hands at least 0.5 in 27 that show one hand, always below 0.8; of
973 that show two, 7 % are below 0.9, which this takes to 0.5. On photographs it invents second hands more often.
"""


@dataclass(frozen=True)
class Picture:
    """A picture to predict on, and what is known about it."""

    pixels: np.ndarray
    """(H, W, 3) uint8 RGB, upright."""
    name: str = ""
    boxes_px: Sequence[Box] | None = None
    """x, y, width, height around both hands of one crop, for each crop; None has them found."""
    intrinsics: Intrinsics | None = None
    """None assumes a field of view."""
    frame: int | None = None
    """Number within its video, from 0."""
    time_s: float | None = None
    """Since the beginning of its video."""

    @property
    def camera(self) -> Intrinsics:
        """The camera, assumed where it is not known."""
        height, width = self.pixels.shape[:2]
        return self.intrinsics or Intrinsics.of(width, height)


@dataclass(frozen=True)
class Crop:
    """Two hands at most, and the square of the picture in which the network saw them."""

    pose: Pose
    square_px: np.ndarray
    """(4,) x, y, width, height."""
    origin: str
    """``given``, ``detected``, ``tracked`` or ``whole image``."""
    space: CameraSpace
    """The hands before the camera."""
    score: float | None = None
    """Of the detector."""
    tracks: tuple[int | None, int | None] = (None, None)
    """Numbers that the right and the left hand keep through a video."""


@dataclass(frozen=True)
class Result:
    """What is known of the hands of one picture."""

    picture: Picture
    crops: list[Crop] = field(default_factory=list)
    hand_threshold: float = 0.5
    """Hands below this probability count as absent."""
    checkpoint: str = ""
    fits: Fits | None = None
    """The hand model fitted to the right and the left hand of each crop; None where it was not asked for."""

    def record(self) -> dict[str, Any]:
        """The result as JSON has it (docs/predict.md)."""
        return record_of(self)

    def draw(self) -> np.ndarray:
        """Parts and skeletons of the hands that are present over the picture, which is enlarged if it is small.

        Returns:
            (H', W', 3) uint8 RGB.
        """
        return draw_poses(self.picture.pixels, [crop.pose for crop in self.crops], self.hand_threshold)


class Found(Protocol):
    """What a detector says of one crop."""

    @property
    def box_px(self) -> np.ndarray:
        """(4,) x, y, width, height around the hands."""
        ...

    @property
    def score(self) -> float:
        """Of the crop."""
        ...

    @property
    def hands(self) -> int:
        """How many hands were seen in the crop."""
        ...


@dataclass(frozen=True)
class Place:
    """Where to look for the hands of one crop."""

    box_px: Box
    """x, y, width, height around the hands; None is the whole picture."""
    origin: str
    """Where the box comes from."""
    score: float | None = None
    """Of the detector."""
    hands: int | None = None
    """How many were seen there; None where nobody has looked."""


Detector = Callable[[list[np.ndarray], bool], Sequence[Sequence[Found]]]
"""Finds the hands of pictures, and if told so looks a second time, for small ones, where there are none."""


class Engine:
    """Predicts pictures, whatever is known about their boxes.

    Args:
        predictor: the network.
        detector: finds boxes in pictures (H, W, 3) uint8 RGB that come without any; None takes whole pictures.
        hand_threshold: hands below this probability count as absent.
        checkpoint: name of the network's weights, for the results.
    """

    def __init__(
        self, predictor: Predictor, detector: Detector | None = None, hand_threshold: float = 0.5, checkpoint: str = ""
    ) -> None:
        require_probability(hand_threshold)
        self.predictor, self.detector = predictor, detector
        self.hand_threshold, self.checkpoint = hand_threshold, checkpoint

    def __call__(self, pictures: Sequence[Picture]) -> list[Result]:
        """Predict pictures, all their crops in common batches.

        Raises:
            UserError: for what is no picture or box, or a box beside its picture; the network's own errors.
        """
        return self.predict(pictures, self.locate(pictures))

    def locate(self, pictures: Sequence[Picture], second_look: bool = True) -> list[list[Place]]:
        """Where to look for hands: boxes that are given, those that the detector finds, or the whole picture.

        Args:
            pictures: to look at.
            second_look: whether the detector also looks for small hands where it sees none, which takes five times
                as long.
        """
        places = [[Place(box, GIVEN) for box in picture.boxes_px or ()] for picture in pictures]
        open_ones = [k for k, picture in enumerate(pictures) if picture.boxes_px is None]
        if self.detector is not None and open_ones:
            for k, found in zip(
                open_ones, self.detector([pictures[k].pixels for k in open_ones], second_look), strict=True
            ):
                places[k] = [Place(one.box_px, DETECTED, one.score, one.hands) for one in found]
        seen = None if self.detector is None else 0
        for k in open_ones:
            places[k] = places[k] or [Place(None, WHOLE, hands=seen)]
        return places

    def predict(self, pictures: Sequence[Picture], places: Sequence[Sequence[Place]]) -> list[Result]:
        """Predict the hands of pictures (n) at their places (n).

        Raises:
            UserError: as calling the engine.
        """
        pairs = [(picture, place) for picture, own in zip(pictures, places, strict=True) for place in own]
        squares = [square_of(picture, place.box_px) for picture, place in pairs]
        poses = self.predictor([picture.pixels for picture, _ in pairs], [place.box_px for _, place in pairs])
        spaces = lift_poses(poses, [picture.camera for picture, _ in pairs])
        crops = (
            Crop(doubted(pose, place.hands), square, place.origin, space, place.score)
            for (_, place), pose, square, space in zip(pairs, poses, squares, spaces, strict=True)
        )
        return [
            Result(picture, list(islice(crops, len(own))), self.hand_threshold, self.checkpoint)
            for picture, own in zip(pictures, places, strict=True)
        ]


def doubted(pose: Pose, seen: int | None) -> Pose:
    """A pose whose less probable hand has lower odds (``UNSEEN_ODDS``) where one hand at most was seen."""
    if seen is None or seen > 1:
        return pose
    probability = pose.hand_probability.copy()
    second = probability.argmin()
    odds = UNSEEN_ODDS * probability[second]
    probability[second] = odds / (odds + 1 - probability[second])
    return replace(pose, hand_probability=probability)


def require_probability(hand_threshold: float) -> None:
    """Refuse a threshold that is none.

    Raises:
        UserError: when it does not lie between 0 and 1.
    """
    if not 0 <= hand_threshold <= 1:
        raise UserError(f"hand threshold {hand_threshold}: give a probability from 0 to 1")


def square_of(picture: Picture, box: Box) -> np.ndarray:
    """The square to crop.

    Raises:
        UserError: naming the picture.
    """
    height, width = picture.pixels.shape[:2]
    try:
        return crop_box(width, height, box)
    except UserError as error:
        raise UserError(f"{picture.name}: {error}") from error
