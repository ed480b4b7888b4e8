"""Augmentation of training crops, drawn per sample and epoch so that no process order can change it."""

from dataclasses import dataclass

import numpy as np

from digit.config import AugmentSettings

MOST_MIXED = 0.6
"""Largest share of another picture's amplitude spectrum; beyond it little is left to see."""


@dataclass(frozen=True)
class Augmentation:
    """One draw for each of n samples."""

    shift: np.ndarray
    """(n, 2) shift of the box as a share of its width and height."""
    scale: np.ndarray
    """(n,) factor of the box size."""
    rotation_rad: np.ndarray
    """(n,) rotation of the box."""
    flip: np.ndarray
    """(n,) bool, mirror the image."""
    color: np.ndarray
    """(n, 3) factors of red, green and blue."""
    spectrum_share: np.ndarray
    """(n,) how much of another picture's amplitude spectrum is mixed in, 0 for none."""
    spectrum_source: np.ndarray
    """(n,) in 0..1, which other picture."""


def no_augmentation(count: int) -> Augmentation:
    """Return the draw that leaves samples as they are."""
    return Augmentation(
        shift=np.zeros((count, 2)),
        scale=np.ones(count),
        rotation_rad=np.zeros(count),
        flip=np.zeros(count, dtype=bool),
        color=np.ones((count, 3), dtype=np.float32),
        spectrum_share=np.zeros(count),
        spectrum_source=np.zeros(count),
    )


def draw_augmentation(settings: AugmentSettings, seed: int, epochs: np.ndarray, rows: np.ndarray) -> Augmentation:
    """Draw for samples ``rows`` (n,) in ``epochs`` (n,), each from its own generator.

    The distributions are those of section 3 of the DIGIT protocol: uniform shift, clipped normal scale and
    rotation, fair flip, uniform colour factors. Mixed spectra, which the protocol does not have, are drawn last, so
    that they change no other draw.
    """
    draws = [np.random.default_rng((seed, int(epoch), int(row))) for epoch, row in zip(epochs, rows, strict=True)]
    uniform = np.stack([generator.random(7) for generator in draws])
    normal = np.stack([generator.standard_normal(2) for generator in draws])
    spectrum = np.stack([generator.random(3) for generator in draws])
    rotated = uniform[:, 2] < settings.rotation_probability
    rotation_deg = np.where(rotated, settings.rotation_deg * np.clip(normal[:, 1], -2, 2), 0.0)
    return Augmentation(
        shift=settings.translation * (2 * uniform[:, :2] - 1),
        scale=1 + settings.scale * np.clip(normal[:, 0], -1, 1),
        rotation_rad=np.radians(rotation_deg),
        flip=uniform[:, 3] < settings.flip_probability,
        color=(1 + settings.color * (2 * uniform[:, 4:7] - 1)).astype(np.float32),
        spectrum_share=np.where(spectrum[:, 0] < settings.spectrum_mix, MOST_MIXED * spectrum[:, 1], 0.0),
        spectrum_source=spectrum[:, 2],
    )
