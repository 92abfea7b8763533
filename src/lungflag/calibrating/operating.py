"""Operating points, set by rule before any test is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_curve

from lungflag.calibration import OperatingPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_OPERATING_POINT = "triage"


def set_operating_points(
    probabilities: NDArray[np.float64], positive: NDArray[np.bool_], *, age_group: str = ""
) -> tuple[OperatingPoint, ...]:
    """Return ``triage``, ``balanced`` and ``rule-in`` for calibrated `probabilities` (n,).

    They are for patients of `age_group`; for everyone where it is empty.
    """
    fall_out, sensitivity, thresholds = roc_curve(positive, probabilities, drop_intermediate=False)
    specificity = 1 - fall_out
    choices = {
        "triage": (
            "highest threshold with sensitivity at least 0.98",
            int(np.argmax(sensitivity >= 0.98)),
        ),
        "balanced": (
            "largest sensitivity + specificity - 1 (Youden)",
            int(np.argmax(sensitivity + specificity)),
        ),
        "rule-in": (
            "lowest threshold with specificity at least 0.98",
            int(np.flatnonzero(specificity >= 0.98)[-1]),
        ),
    }
    return tuple(
        OperatingPoint(
            name=name,
            threshold=_between(thresholds, index),
            rule=rule,
            sensitivity=float(sensitivity[index]),
            specificity=float(specificity[index]),
            n=len(positive),
            age_group=age_group,
        )
        for name, (rule, index) in choices.items()
    )


def _between(thresholds: NDArray[np.float64], index: int) -> float:
    """Return a threshold midway to the next lower score: no image sits on the edge."""
    upper = min(float(thresholds[index]), 1.0)
    lower = float(thresholds[index + 1]) if index + 1 < len(thresholds) else 0.0
    return (upper + lower) / 2
