"""Amplitude spectra: what a picture looks like without what it shows, which is in the phases."""

import numpy as np
from scipy import fft

SMALLEST = 1e-3
"""Amplitudes below this have no phase worth keeping."""


def mix_amplitudes(picture: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Give a picture some of another one's amplitude spectrum and leave its phases: edges stay where they are.

    Args:
        picture: (H, W, 3) uint8.
        other: (H, W, 3) uint8.
        share: 0 leaves the picture as it is, 1 takes all amplitudes from the other.

    Returns:
        (H, W, 3) uint8.
    """
    waves, foreign = (fft.rfft2(pixels.astype(np.float32), axes=(0, 1)) for pixels in (picture, other))
    amplitude = np.abs(waves)
    wanted = amplitude + np.float32(share) * (np.abs(foreign) - amplitude)
    mixed = fft.irfft2(waves * (wanted / np.maximum(amplitude, SMALLEST)), s=picture.shape[:2], axes=(0, 1))
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
