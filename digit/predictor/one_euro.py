"""The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): smooth while a signal rests, quick while it moves.

A first-order low-pass filter whose cut-off frequency grows with the speed of the signal.
"""

import math

import numpy as np

MIN_CUTOFF_HZ = 1.0
"""Cut-off frequency at rest: the lower, the less jitter."""
BETA = 10.0
"""Cut-off gained per unit per second: the higher, the less lag (docs/predict.md, measured)."""
SPEED_CUTOFF_HZ = 1.0
"""Cut-off frequency of the speed itself."""


class OneEuro:
    """Filters points that belong together, each with the cut-off that its own speed asks for.

    Args:
        min_cutoff_hz: cut-off frequency at rest.
        beta: cut-off in Hz gained at a speed of one unit per second.
        speed_cutoff_hz: cut-off frequency of the speed.
    """

    def __init__(
        self, min_cutoff_hz: float = MIN_CUTOFF_HZ, beta: float = BETA, speed_cutoff_hz: float = SPEED_CUTOFF_HZ
    ) -> None:
        self.min_cutoff_hz, self.beta, self.speed_cutoff_hz = min_cutoff_hz, beta, speed_cutoff_hz
        self.points: np.ndarray | None = None
        """(n, d) as filtered last; None before the first."""
        self._measured = self._velocity = self._progress = np.zeros(())
        self._time_s = -math.inf

    def __call__(self, points: np.ndarray, time_s: float, unit: float = 1.0) -> np.ndarray:
        """The next filtered points.

        Args:
            points: (n, d), as measured.
            time_s: when; points of the same or an earlier time than the last ones change nothing.
            unit: length in which the speed counts, such as the size of a hand, so that hands far away are smoothed as
                those nearby.

        Returns:
            (n, d) float64.
        """
        points = np.asarray(points, np.float64)
        if self.points is None:
            self.points = self._measured = points
            self._time_s = time_s
            self._velocity = self._progress = np.zeros_like(points)
            return points
        step_s = time_s - self._time_s
        if step_s <= 0:
            return self.points
        velocity = (points - self.points) / step_s
        self._velocity = self._velocity + _weight(self.speed_cutoff_hz, step_s) * (velocity - self._velocity)
        speed = np.linalg.norm(self._velocity, axis=-1, keepdims=True) / unit
        step = _weight(self.min_cutoff_hz + self.beta * speed, step_s) * (points - self.points)
        self.points, self._progress, self._time_s = self.points + step, step / step_s, time_s
        self._measured = points
        return self.points

    def expected(self, time_s: float) -> np.ndarray:
        """Points (n, d) at a time if they go on from where they were measured last as the filtered ones did."""
        return self._measured + self._progress * (time_s - self._time_s)


def _weight(cutoff_hz: float | np.ndarray, step_s: float) -> np.ndarray:
    """Weight of a new value in a low-pass filter of this cut-off, or of each of several."""
    turns = 2 * math.pi * np.asarray(cutoff_hz) * step_s
    return turns / (turns + 1)
