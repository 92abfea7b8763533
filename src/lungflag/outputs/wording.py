"""The sentences of a result, the same in every format."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from lungflag.outcome import CODES, Finding

if TYPE_CHECKING:
    from lungflag.calibration import OperatingPoint
    from lungflag.outcome import Outcome, Rejection

NOT_FOR_DIAGNOSIS = "Not for diagnosis: AI result"
DISCLAIMER = f"{NOT_FOR_DIAGNOSIS}. A physician reads the image."

REGION = "The region is where the model's heatmap is strongest. It is no outline of disease."

_LONGEST_MEANING = 64  # characters of a Code Meaning


def remarks(outcome: Outcome, point: OperatingPoint | None = None) -> list[str]:
    """Return everything that a reader must be told, the verdict first.

    Parameters
    ----------
    outcome : Outcome
        A Finding or a Rejection.
    point : OperatingPoint, optional
        Of a Finding.
    """
    marks = outcome.marks if isinstance(outcome, Finding) else ()
    figures = () if point is None else (measured(point),)
    return [verdict(outcome), *map(plain, marks), *figures, DISCLAIMER]


def verdict(outcome: Outcome) -> str:
    """Return what the detector says, in words that cannot be read as a clearance."""
    if not isinstance(outcome, Finding):
        reason = plain(outcome.reason)
        return f"Not judged: {reason}. This is neither a positive nor a negative result."
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
    """Return what a rejection's code stands for, in at most 64 characters."""
    text = CODES.get(rejection.code, rejection.code)
    return text if len(text) <= _LONGEST_MEANING else f"{text[: _LONGEST_MEANING - 3]}..."


def plain(text: str) -> str:
    """Return `text` in one line, without what neither DICOM nor JSON can hold."""
    line = " ".join(text.split())
    return "".join(
        letter if unicodedata.category(letter) not in {"Cc", "Cs"} else "?" for letter in line
    )
