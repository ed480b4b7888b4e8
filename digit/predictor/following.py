"""Where to look for hands in the next picture of a video: where they were, and now and then wherever there are some."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from digit.detector.tracking import match, next_crops, still_there
from digit.predictor.engine import TRACKED, WHOLE, Crop, Engine, Picture, Place, Result
from digit.skeleton import HANDS, JOINTS_PER_HAND

LOOK_S = 1.0
"""How often the detector looks for new hands while others are followed."""
LEAST_SCORE = 0.1
"""A crop in which the detector has seen no hand for so long that its score fell below is given up."""


class Follower:
    """Predicts the pictures of a video, one after the other, from the poses of the last one.

    Hands are looked for at the beginning, when all are lost, and once a second, small ones at the beginning and once a
    second alone. Where a detector finds none there are none: the next picture may show them. All that it remembers is
    the last result, so that it can go on from one that was saved.

    Args:
        engine: predicts, and finds hands.
        last: of the picture before; None begins a video.
    """

    def __init__(self, engine: Engine, last: Result | None = None) -> None:
        self.engine, self.last = engine, last

    def __call__(self, picture: Picture) -> Result:
        """The result of the next picture; boxes that it brings are taken instead of followed ones.

        Raises:
            UserError: as calling the engine.
        """
        followed = [] if picture.boxes_px is not None or self.last is None else follow(self.last, picture)
        look = self.engine.detector is not None and self._time_to_look(picture)
        places = followed
        if look or not followed:
            located = self.engine.locate([picture], second_look=look)[0]
            places = confirm(followed, located) if followed else located
        if self.engine.detector is not None:
            places = [place for place in places if place.origin != WHOLE]
        self.last = self.engine.predict([picture], [places])[0]
        return self.last

    def _time_to_look(self, picture: Picture) -> bool:
        return self.last is None or (picture.time_s or 0.0) // LOOK_S > (self.last.picture.time_s or 0.0) // LOOK_S


def follow(last: Result, picture: Picture) -> list[Place]:
    """Places of the next picture, around the hands of the last one that are not lost; none if all are."""
    crops = last.crops
    if not crops:
        return []
    height, width = picture.pixels.shape[:2]
    hands = (len(crops) * len(HANDS), JOINTS_PER_HAND)
    joints_px = np.stack([crop.pose.joints_px for crop in crops]).reshape(*hands, 2)
    probability = np.concatenate([crop.pose.hand_probability for crop in crops])
    confidence = np.stack([_confidence(crop) for crop in crops]).reshape(hands)
    kept = np.flatnonzero(still_there(joints_px, probability, confidence, width, height, last.hand_threshold))
    kept = kept[np.argsort(-probability[kept], kind="stable")]
    right = kept % len(HANDS) == 0
    return [
        Place(each.box_px, TRACKED, _score([crops[k // len(HANDS)] for k in kept[each.hands]]), len(each.hands))
        for each in next_crops(joints_px[kept], right, width, height)
    ]


def confirm(followed: Sequence[Place], looked: Sequence[Place]) -> list[Place]:
    """Followed crops with what the detector says of them, and the crops that are new.

    A crop that the detector sees gets its score; of one that it does not see the score is halved, until it is given up.
    """
    found = [place for place in looked if place.box_px is not None]
    boxes = [np.array([place.box_px for place in places]).reshape(-1, 4) for places in (followed, found)]
    seen, new = match(*boxes)
    best = max((place.score or 0.0 for place in found), default=0.0)
    kept = [
        replace(place, score=best if confirmed else (1.0 if place.score is None else place.score) / 2)
        for place, confirmed in zip(followed, seen.tolist(), strict=True)
    ]
    kept = [place for place in kept if place.score is not None and place.score >= LEAST_SCORE]
    return kept + [place for place, is_new in zip(found, new.tolist(), strict=True) if is_new] or list(looked)


def _score(crops: Sequence[Crop]) -> float | None:
    return max((crop.score for crop in crops if crop.score is not None), default=None)


def _confidence(crop: Crop) -> np.ndarray:
    return np.ones(len(HANDS) * JOINTS_PER_HAND) if crop.pose.confidence is None else crop.pose.confidence
