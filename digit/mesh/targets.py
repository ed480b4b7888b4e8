"""What hands are fitted to, how far off they are, and how much each joint is to be believed."""

from dataclasses import dataclass

import numpy as np

from digit.mesh.chain import DTYPE, PARAMETERS

LEAST_NOISE_MM, MOST_NOISE_MM = 0.5, 15.0
MEDIAN_DISTANCE = {2: 1.18, 3: 1.54}
"""Median distance of points from their mean, by the number of axes along which noise has a standard deviation of 1."""
FREEDOM = 1.4
"""How much larger noise is than what a fit leaves of it, which follows some of the noise."""
OUTLIER = 3.0
"""Multiple of the noise, along each axis, at which a joint has half its weight."""

JOINT_ROWS = 63
"""Residuals of a hand's joints; those of its rays come after them."""


@dataclass(frozen=True)
class Rays:
    """Where the joints of n hands are seen.

    ``slopes`` (n, 21, 2) px from the principal point over the focal length, ``weight`` (n, 21), 0 for those not known,
    and ``origin`` (n, 3) of the joints' frame in the camera's, mm.
    """

    slopes: np.ndarray
    weight: np.ndarray
    origin: np.ndarray


@dataclass(frozen=True)
class Targets:
    """Where the joints of n hands are: ``joints`` (n, 21, 3) mm, ``weight`` (n, 21), 0 for those not known."""

    joints: np.ndarray
    weight: np.ndarray
    rays: Rays | None = None

    def rows(self, rows: np.ndarray) -> "Targets":
        """Those of some of the hands."""
        rays = self.rays and Rays(self.rays.slopes[rows], self.rays.weight[rows], self.rays.origin[rows])
        return Targets(self.joints[rows], self.weight[rows], rays)

    def residuals(self, joints: np.ndarray) -> np.ndarray:
        """How far joints (n, 21, 3) are off, mm: (n, 63), and (n, 42) more with rays, at the depth of the hand."""
        apart = (joints - self.joints).reshape(len(joints), -1)
        if self.rays is None:
            return apart
        seen = joints + self.rays.origin[:, None]
        off = (seen[..., :2] / seen[..., 2:] - self.rays.slopes) * self.rays.origin[:, None, 2:]
        return np.concatenate([apart, off.reshape(len(joints), -1)], axis=1)

    def derivatives(self, joints: np.ndarray, by_parameters: np.ndarray) -> np.ndarray:
        """Derivatives (n, 63 or 105, 41) of the residuals from those of the joints, (n, 21, 3, 41)."""
        apart = by_parameters.reshape(len(joints), -1, PARAMETERS)
        if self.rays is None:
            return apart
        seen = joints + self.rays.origin[:, None]
        slopes, scale = seen[..., :2, None] / seen[..., 2:, None], self.rays.origin[:, 2:] / seen[..., 2]
        off = scale[..., None, None] * (by_parameters[..., :2, :] - slopes * by_parameters[..., 2:, :])
        return np.concatenate([apart, off.reshape(len(joints), -1, PARAMETERS)], axis=1)

    def weights(self, residuals: np.ndarray) -> np.ndarray:
        """Weights of the residuals: over the variance of the noise, and less for joints far outside it.

        Joints and rays have each their own noise: where a joint is seen is often better known than how far away.
        """
        kinds = [(residuals[:, :JOINT_ROWS], self.weight)]
        kinds += [] if self.rays is None else [(residuals[:, JOINT_ROWS:], self.rays.weight)]
        weights = []
        for off, weight in kinds:
            axes = off.shape[1] // weight.shape[1]
            distances = np.linalg.norm(off.reshape(*weight.shape, axes), axis=2)
            median = known_median(distances, weight > 0) / MEDIAN_DISTANCE[axes]
            noise = np.clip(median * FREEDOM, LEAST_NOISE_MM, MOST_NOISE_MM)
            outlying = OUTLIER * MEDIAN_DISTANCE[axes] * noise
            trust = 1 / noise**2 / (1 + (distances / outlying) ** 2)
            weights.append(np.repeat(weight * trust, axes, axis=1))
        return np.concatenate(weights, axis=1).astype(DTYPE)


def known_median(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Lower median (n, 1) of those values (n, K) of a row that are known; infinite without any."""
    ranked = np.sort(np.where(known, values, np.inf), axis=1)
    return np.take_along_axis(ranked, np.maximum(known.sum(axis=1, keepdims=True) - 1, 0) // 2, axis=1)
