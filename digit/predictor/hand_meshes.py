"""The hand model fitted to the hands of results, and its files: meshes, and shaded hands over the picture."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from digit.hand.mano import Hands, hand_digest
from digit.mesh.export import is_own_mesh, write_meshes
from digit.mesh.fit import Fitter, View
from digit.mesh.overlay import MeshPainter
from digit.pages.views import fitting
from digit.predictor.engine import Result
from digit.predictor.pose import overlay_scale
from digit.predictor.results import MESH_SUFFIX, is_own_overlay, write_overlay
from digit.skeleton import HANDS, JOINTS_PER_HAND

MOST_PX = 2048
"""Longer side of shaded pictures; larger ones take seconds, and GB of memory, and show no more of the hands."""


class HandMeshes:
    """Fits the hand model to results, and writes it.

    Args:
        hands: :func:`digit.load_hands`.
        suffix: of the meshes' files, ``.glb`` or ``.obj``.
    """

    def __init__(self, hands: Hands, suffix: str = ".glb") -> None:
        self.hands, self.suffix = hands, suffix
        self._fitter, self._painter = Fitter(hands), MeshPainter(hands)
        self.kinds = {suffix: is_own_mesh, MESH_SUFFIX: is_own_overlay}
        """What tells own files, by suffix."""

    @property
    def settings(self) -> dict[str, Any]:
        """What fits and files depend on besides the results, as JSON has it."""
        return {"hand_model": hand_digest(self.hands), "format": self.suffix}

    def fit(self, results: Sequence[Result]) -> list[Result]:
        """Results with the model fitted to all their hands at once; absent hands are not fitted."""
        pairs = [(result, crop) for result in results for crop in result.crops]
        hands = (len(pairs) * len(HANDS), JOINTS_PER_HAND)
        joints_cam_mm = np.reshape([crop.space.joints_cam_mm for _, crop in pairs], (*hands, 3))
        joints_px = np.reshape([crop.pose.joints_px for _, crop in pairs], (*hands, 2))
        known = [np.ones(42) if crop.pose.confidence is None else crop.pose.confidence for _, crop in pairs]
        present = np.reshape([crop.pose.present(result.hand_threshold) for result, crop in pairs], (-1, 1))
        focal_px, princpt_px = (
            np.repeat(np.reshape([getattr(result.picture.camera, name) for result, _ in pairs], (-1, 2)), 2, axis=0)
            for name in ("focal_px", "princpt_px")
        )
        confidence = np.clip(np.reshape(known, hands) * present, 0, 1)
        fits = self._fitter(joints_cam_mm, HANDS * len(pairs), confidence, View(joints_px, focal_px, princpt_px))
        ends = np.cumsum([len(HANDS) * len(result.crops) for result in results])
        return [
            replace(result, fits=fits.take(slice(end - len(HANDS) * len(result.crops), end)))
            for result, end in zip(results, ends, strict=True)
        ]

    def write(self, base: Path, result: Result) -> None:
        """Write ``<base>.glb`` or ``<base>.obj``, and ``<base>.mesh.png``, of a result of :meth:`fit`.

        Raises:
            UserError: when the system refuses a file.
        """
        assert result.fits is not None
        write_meshes(base.with_name(base.name + self.suffix), self.hands, result.fits)
        picture, camera = result.picture.pixels, result.picture.camera
        pixels = fitting(picture, MOST_PX)
        factor = np.divide(pixels.shape[1::-1], picture.shape[1::-1])
        focal_px, princpt_px = camera.focal_px * factor, (camera.princpt_px + 0.5) * factor - 0.5
        image = self._painter(pixels, result.fits, focal_px, princpt_px, overlay_scale(pixels))
        write_overlay(base.with_name(base.name + MESH_SUFFIX), image)
