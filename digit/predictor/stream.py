"""Pictures as they come, from a camera or a browser: followed, numbered and smoothed at once."""

from digit.predictor.engine import Engine, Picture, Result
from digit.predictor.following import Follower
from digit.predictor.hand_tracks import HandTracks


class Stream:
    """One sequence of pictures; each viewer or camera needs its own, all may share an engine.

    Args:
        engine: predicts.
        smooth: whether joints go through the One-Euro filter.

    Example:
        >>> stream = Stream(engine)
        >>> result = stream(Picture(pixels, time_s=0.04))
    """

    def __init__(self, engine: Engine, smooth: bool = True) -> None:
        self.follower, self.tracks = Follower(engine), HandTracks(smooth)

    def __call__(self, picture: Picture) -> Result:
        """The result of the next picture, which says ``time_s``.

        Raises:
            UserError: as calling the engine.
        """
        return self.tracks(self.follower(picture))
