"""Finding hands in any picture on a CPU, for pictures that come without boxes.

Two networks of MediaPipe, run by OpenCV: one finds palms in the whole picture, the other looks at each turned region
and says whether a hand is there and where its 21 joints are. Boxes are made of these joints as annotated boxes are.

- :mod:`networks`: their files, taken from an installed package and checked, and how OpenCV runs them
- :mod:`palms`: the first network's anchors, decoded and suppressed to one palm per hand
- :mod:`regions`: the turned squares that the second network sees, and its joints back in the picture
- :mod:`boxes`: boxes around joints, and the one or two hands that make a crop
- :mod:`detector`: pictures in, crops out
- :mod:`tracking`: the next picture of a video without detecting again
"""

from digit.detector.detector import Found, HandDetector

__all__ = ["Found", "HandDetector"]
