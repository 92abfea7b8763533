"""How well a detector agrees with the reference standard, and how sure that is."""

from __future__ import annotations

from lungflag.evaluation.document import document
from lungflag.evaluation.evaluate import (
    Count,
    Evaluation,
    Subgroup,
    assess,
    check_columns,
    choose_split,
)
from lungflag.evaluation.intervals import Estimate, estimate, wilson
from lungflag.evaluation.metrics import CELLS, METRICS, Cases, measure
from lungflag.evaluation.predictions import Prediction, predict, write_predictions

__all__ = [
    "CELLS",
    "METRICS",
    "Cases",
    "Count",
    "Estimate",
    "Evaluation",
    "Prediction",
    "Subgroup",
    "assess",
    "check_columns",
    "choose_split",
    "document",
    "estimate",
    "measure",
    "predict",
    "wilson",
    "write_predictions",
]
