"""The detector: pictures in, and for each one the crops that hold its hands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digit.detector.boxes import box_around, crops, distinct, union
from digit.detector.networks import JOINTS, PALMS, CpuNetwork, network_path
from digit.detector.palms import decode, letterbox, suppress, to_picture
from digit.detector.regions import cut, joint_regions, joints_in_picture, palm_regions, tiles
from digit.run.errors import UserError

LEAST_PALM = 0.2
"""Score from which on a palm is looked at; low, because the second network sorts out what is none."""
LEAST_HAND = 0.5
"""Probability from which on a region is a hand."""
MOST_PALMS = 12
"""Regions that are looked at in one picture, the most probable ones."""
FOUND_MARGIN = 1.3
"""Enlargement of the box around the joints with which it fits annotated boxes best: the joints lie a little inside."""


@dataclass(frozen=True)
class Found:
    """One crop: a hand, or two that belong together."""

    box_px: np.ndarray
    """(4,) x, y, w, h around the hands of the crop in px of the picture, as annotations of InterHand2.6M have it."""
    score: float
    """The lowest probability among the hands."""
    hands: int
    """How many were seen, 1 or 2; hands that hide one another are often seen as one."""
    joints_px: np.ndarray
    """(hands, 21, 2) rough joints in the order of docs/conventions.md; which hand is the right one is not known."""


class HandDetector:
    """Finds hands in pictures. Threads may share one.

    Args:
        least_palm: score from which on a palm is looked at.
        least_hand: probability from which on what is there is a hand.

    Raises:
        UserError: when the networks' package is missing or damaged.

    Example:
        >>> found = HandDetector()([image])[0]
        >>> boxes = [crop.box_px for crop in found] or [None]
    """

    def __init__(self, least_palm: float = LEAST_PALM, least_hand: float = LEAST_HAND) -> None:
        self.least_palm, self.least_hand = least_palm, least_hand
        self._palms, self._joints = CpuNetwork(PALMS), CpuNetwork(JOINTS)

    @staticmethod
    def available() -> bool:
        """Whether the networks are installed; if not, making a detector says how to get them."""
        try:
            return all(network_path(file).is_file() for file in (PALMS, JOINTS))
        except UserError:
            return False

    def __call__(self, images: Sequence[np.ndarray], second_look: bool = True) -> list[list[Found]]:
        """Find the hands of pictures.

        Args:
            images: (H, W, 3) uint8 RGB, upright.
            second_look: where nothing is found, look into enlarged parts, for hands that are small in the picture.

        Returns:
            Crops of each picture, the most probable one first; none where no hand is found.
        """
        return [self._find(image, second_look) for image in images]

    def confirm(self, image: np.ndarray, joints_px: np.ndarray) -> np.ndarray:
        """Ask whether there are hands where poses are, which is faster than finding them.

        Args:
            image: (H, W, 3) uint8 RGB.
            joints_px: (h, 21, 2) of the hands.

        Returns:
            (h,) probability, from 0 to 1.
        """
        if not len(joints_px):
            return np.zeros(0)
        _, probability = self._joints(cut(image, joint_regions(joints_px, JOINTS.side_px), JOINTS.side_px))
        return probability.ravel().astype(float)

    def _find(self, image: np.ndarray, second_look: bool) -> list[Found]:
        height, width = image.shape[:2]
        joints_px, probability = self._look(image)
        if second_look and not len(probability):
            looks = [
                (left, top, *self._look(image[top:bottom, left:right]))
                for left, top, right, bottom in tiles(width, height)
            ]
            joints_px = np.concatenate([joints + [left, top] for left, top, joints, _ in looks])
            probability = np.concatenate([each for *_, each in looks])
        boxes_px = box_around(joints_px, width, height, FOUND_MARGIN)
        seen = np.flatnonzero(boxes_px[:, 2:].min(axis=1) >= 1)
        seen = seen[distinct(boxes_px[seen], probability[seen])]
        found = [
            Found(union(boxes_px[hands]), float(probability[hands].min()), len(hands), joints_px[hands])
            for hands in (seen[group] for group in crops(boxes_px[seen]))
        ]
        return sorted(found, key=lambda crop: -crop.score)

    def _look(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints (n, 21, 2) px and probability (n,) of what looks like hands; one hand may come twice."""
        square, to_image = letterbox(image, PALMS.side_px)
        guesses, logits = self._palms(square[None])
        palms = suppress(decode(guesses.reshape(-1, 18), logits.ravel(), PALMS.side_px, self.least_palm))
        maps = palm_regions(to_picture(palms, to_image), JOINTS.side_px)[:MOST_PALMS]
        if not len(maps):
            return np.zeros((0, 21, 2)), np.zeros(0)
        joints, probability = self._joints(cut(image, maps, JOINTS.side_px))
        hands = probability.ravel() >= self.least_hand
        return joints_in_picture(joints, maps)[hands], probability.ravel()[hands].astype(float)
