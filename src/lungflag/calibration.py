"""From the network's logit to a calibrated probability and a decision."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

AGE_GROUPS = ("child", "adult")
"""Under 18 years, and from 18 years on."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: probability = sigmoid(slope * logit + intercept).

    Fitted on predictions for patients that the network was not trained on.

    References
    ----------
    J. Platt, 'Probabilistic outputs for support vector machines', 1999.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, logit: float) -> float:
        """Return the probability of pneumonia for a `logit`."""
        value = self.slope * logit + self.intercept
        if value >= 0:
            return 1.0 / (1.0 + exp(-value))
        return exp(value) / (1.0 + exp(value))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A named threshold on the calibrated probability and how it was chosen.

    Attributes
    ----------
    name : str
        For example ``triage`` or ``balanced``.
    threshold : float
        A radiograph is flagged where its probability is at least this.
    rule : str
        The rule that set the threshold, in words.
    sensitivity, specificity : float
        As measured where the threshold was set, on patients outside the training set.
    n : int
        The number of images that they were measured on.
    age_group : str
        Whom the threshold is for: ``child`` (under 18 years), ``adult``, or empty for anyone.
    """

    name: str
    threshold: float
    rule: str
    sensitivity: float
    specificity: float
    n: int
    age_group: str = ""
