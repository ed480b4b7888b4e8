"""From pictures to results: boxes found where none are given, several crops of a picture, one result for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import numpy as np

from digit.predictor.boxes import crop_box
from digit.predictor.camera import Intrinsics
from digit.predictor.camera_space import CameraSpace, lift_poses
from digit.predictor.pose import Pose, draw_poses
from digit.predictor.predictor import Box, Predictor
from digit.predictor.record import record_of
from digit.run.errors import UserError

GIVEN, DETECTED, WHOLE = "given", "detected", "whole image"
"""Where a box comes from."""


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
    track: int | None = None
    """Number that a crop keeps through a video."""


@dataclass(frozen=True)
class Result:
    """What is known of the hands of one picture."""

    picture: Picture
    crops: list[Crop] = field(default_factory=list)
    hand_threshold: float = 0.5
    """Hands below this probability count as absent."""
    checkpoint: str = ""

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

    box_px: np.ndarray
    """(4,) x, y, width, height around the hands."""
    score: float


Detector = Callable[[list[np.ndarray]], Sequence[Sequence[Found]]]


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
        crops = self._boxes(pictures)
        squares = [_square(picture, box) for picture, found in zip(pictures, crops, strict=True) for box, _, _ in found]
        images = [picture.pixels for picture, found in zip(pictures, crops, strict=True) for _ in found]
        poses = self.predictor(images, [box for found in crops for box, _, _ in found])
        cameras = [picture.camera for picture, found in zip(pictures, crops, strict=True) for _ in found]
        answers = zip(poses, squares, lift_poses(poses, cameras), strict=True)
        results = []
        for picture, found in zip(pictures, crops, strict=True):
            own = []
            for (_, origin, score), (pose, square, space) in zip(found, islice(answers, len(found)), strict=True):
                own.append(Crop(pose, square, origin, space, score))
            results.append(Result(picture, own, self.hand_threshold, self.checkpoint))
        return results

    def _boxes(self, pictures: Sequence[Picture]) -> list[list[tuple[Box, str, float | None]]]:
        """Box, where it comes from, and score of each crop of each picture."""
        boxes: list[list[tuple[Box, str, float | None]]] = [
            [(box, GIVEN, None) for box in picture.boxes_px or ()] for picture in pictures
        ]
        open_ones = [k for k, picture in enumerate(pictures) if picture.boxes_px is None]
        if self.detector is not None and open_ones:
            for k, found in zip(open_ones, self.detector([pictures[k].pixels for k in open_ones]), strict=True):
                boxes[k] = [(one.box_px, DETECTED, one.score) for one in found]
        for k in open_ones:
            boxes[k] = boxes[k] or [(None, WHOLE, None)]
        return boxes


def require_probability(hand_threshold: float) -> None:
    """Refuse a threshold that is none.

    Raises:
        UserError: when it does not lie between 0 and 1.
    """
    if not 0 <= hand_threshold <= 1:
        raise UserError(f"hand threshold {hand_threshold}: give a probability from 0 to 1")


def _square(picture: Picture, box: Box) -> np.ndarray:
    """The square to crop.

    Raises:
        UserError: naming the picture.
    """
    height, width = picture.pixels.shape[:2]
    try:
        return crop_box(width, height, box)
    except UserError as error:
        raise UserError(f"{picture.name}: {error}") from error
