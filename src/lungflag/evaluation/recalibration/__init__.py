"""A site's own calibration and thresholds, measured before and after; methods compared."""

from __future__ import annotations

from lungflag.evaluation.recalibration.compare import Compared, compare_methods
from lungflag.evaluation.recalibration.derive import derive
from lungflag.evaluation.recalibration.scores import Scores, read_scores, scores_of
from lungflag.evaluation.recalibration.site import (
    PointFigures,
    Recalibration,
    State,
    recalibrate,
)

__all__ = [
    "Compared",
    "PointFigures",
    "Recalibration",
    "Scores",
    "State",
    "compare_methods",
    "derive",
    "read_scores",
    "recalibrate",
    "scores_of",
]
