"""The metrics of the paper and their uncertainty: pure, vectorised functions over arrays.

- :mod:`measure`: predictions and annotations become :class:`Errors` per sample; a new metric's error begins here
- :mod:`kernel`: the compiled inner loops of :mod:`measure` and :mod:`summary`
- :mod:`summary`: errors added up per frame (:func:`tally`), and the metrics read from the sums (:func:`scalars`,
  :func:`intervals`, :func:`per_joint`, :func:`pck`); a new scalar gets its name and unit in ``UNITS``
- :mod:`paired`: :func:`differences` of two predictors; ``LOWER_IS_BETTER`` says which way a metric improves
- :mod:`constant`: the baseline, a predictor that always answers with the mean pose

The definitions are in docs/protocol.md. :mod:`digit.scoring` applies them to a split, :mod:`digit.report` shows them.
"""

from digit.metrics.constant import ConstantPose, fit_constant, measure_constant
from digit.metrics.measure import Errors, Predictions, Space, Truth, measure, predicted_joints
from digit.metrics.paired import LEAST_UNITS, LOWER_IS_BETTER, Difference, differences
from digit.metrics.summary import (
    PCK_THRESHOLDS_MM,
    SCALARS,
    UNITS,
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
    "LEAST_UNITS", "LOWER_IS_BETTER", "PCK_THRESHOLDS_MM", "SCALARS", "UNITS", "ConstantPose", "Difference", "Errors",
    "Predictions", "Space", "Tally", "Truth", "differences", "fit_constant", "intervals", "measure",
    "measure_constant", "part_iou", "pck", "per_joint", "predicted_joints", "scalars", "skipped_joints", "tally",
]  # fmt: skip
