"""How well a detector agrees with the reference standard, and how sure that is."""

from __future__ import annotations

from lungflag.evaluation.cohort import Cohort, Count, Kind, age_of, describe
from lungflag.evaluation.curves import Curve, Curves, net_benefit, trace
from lungflag.evaluation.document import document
from lungflag.evaluation.evaluate import (
    Evaluation,
    Subgroup,
    assess,
    check_columns,
    choose_split,
)
from lungflag.evaluation.intervals import Estimate, estimate, wilson
from lungflag.evaluation.metrics import CELLS, METRICS, Cases, measure
from lungflag.evaluation.operating import AtPoint, Predictive, at_operating_points, predictive
from lungflag.evaluation.predictions import (
    Prediction,
    judged_cases,
    predict,
    write_predictions,
)
from lungflag.evaluation.reliability import (
    Bin,
    Reliability,
    calibration_error,
    calibration_intercept,
    calibration_slope,
    reliability,
)

__all__ = [
    "CELLS",
    "METRICS",
    "AtPoint",
    "Bin",
    "Cases",
    "Cohort",
    "Count",
    "Curve",
    "Curves",
    "Estimate",
    "Evaluation",
    "Kind",
    "Prediction",
    "Predictive",
    "Reliability",
    "Subgroup",
    "age_of",
    "assess",
    "at_operating_points",
    "calibration_error",
    "calibration_intercept",
    "calibration_slope",
    "check_columns",
    "choose_split",
    "describe",
    "document",
    "estimate",
    "judged_cases",
    "measure",
    "net_benefit",
    "predict",
    "predictive",
    "reliability",
    "trace",
    "wilson",
    "write_predictions",
]
