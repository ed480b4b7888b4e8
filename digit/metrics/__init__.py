"""The metrics of the paper and their uncertainty: pure, vectorised functions over arrays.

Predictions and annotations become :class:`Errors` per sample (:func:`measure`, or :func:`measure_constant`
for the mean-pose yardstick); :func:`tally` adds them up per frame; :func:`scalars`, :func:`intervals`,
:func:`per_joint` and :func:`pck` read the sums, :func:`differences` those of two predictors. The definitions are in
docs/protocol.md.
"""

from digit.metrics.constant import ConstantPose, fit_constant, measure_constant
from digit.metrics.measure import Errors, Predictions, Space, Truth, measure, predicted_joints
from digit.metrics.paired import LOWER_IS_BETTER, Difference, differences
from digit.metrics.summary import (
    PCK_THRESHOLDS_MM,
    SCALARS,
    Tally,
    intervals,
    part_iou,
    pck,
    per_joint,
    scalars,
    skipped_joints,
    tally,
)

__all__ = [
    "LOWER_IS_BETTER", "PCK_THRESHOLDS_MM", "SCALARS", "ConstantPose", "Difference", "Errors", "Predictions", "Space",
    "Tally", "Truth", "differences", "fit_constant", "intervals", "measure", "measure_constant", "part_iou", "pck",
    "per_joint", "predicted_joints", "scalars", "skipped_joints", "tally",
]  # fmt: skip
