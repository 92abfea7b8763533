"""The sentences of a result, the same in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.outcome import CODES, Finding

if TYPE_CHECKING:
    from lungflag.calibration import OperatingPoint
    from lungflag.outcome import Outcome, Rejection

NOT_FOR_DIAGNOSIS = "Not for diagnosis: AI result"
DISCLAIMER = f"{NOT_FOR_DIAGNOSIS}, to be confirmed by a physician."


def verdict(outcome: Outcome) -> str:
    """Return what the detector says, in one sentence that cannot be read as a clearance."""
    if not isinstance(outcome, Finding):
        return f"Not judged: {outcome.reason}. Neither positive nor negative."
    if outcome.flagged:
        return "Flagged: suspected pneumonia."
    return "Not flagged: no suspicion raised. This does not rule out pneumonia."


def chosen_point(point: OperatingPoint) -> str:
    """Return an operating point's name, and for whom it is."""
    return f"{point.name} ({point.age_group})" if point.age_group else point.name


def measured(point: OperatingPoint) -> str:
    """Return how an operating point was measured."""
    return (
        f"Sensitivity {point.sensitivity:.3f} and specificity {point.specificity:.3f} at the "
        f"threshold {point.threshold:.4f}, measured on {point.n} images where it was set "
        f"({point.rule}). They differ elsewhere."
    )


def meaning(rejection: Rejection) -> str:
    """Return what a rejection's code stands for, at most 64 characters."""
    text = CODES.get(rejection.code, rejection.code)
    return text if len(text) <= 64 else f"{text[:61]}..."
