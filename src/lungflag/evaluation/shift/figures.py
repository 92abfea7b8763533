"""From the judged copies to the rows of the shift bench."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from lungflag.evaluation.intervals import Estimate, estimate, resampled, resamples_of, smaller_class
from lungflag.evaluation.metrics import Cases, measure
from lungflag.evaluation.reliability import calibration_error
from lungflag.evaluation.shift.corruptions import CORRUPTIONS
from lungflag.evaluation.shift.judge import CLEAN
from lungflag.evaluation.shift.result import ShiftRow, ShiftSummary, SubtypeRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lungflag.evaluation.shift.judge import Condition, Judged

SENSITIVITY = 0.98
SUMMED_UP = 3


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How often to draw the patients anew, and from which seed."""

    resamples: int
    seed: int


def shift_row(
    judged: Sequence[Judged], index: int, condition: Condition, source: str, by: Bootstrap
) -> ShiftRow:
    """Return the figures of `judged` under the condition at `index`."""
    cases = cases_of(judged, index)
    found = estimate(cases, resamples=by.resamples, seed=by.seed)
    ones = np.ones((1, len(cases)))
    return ShiftRow(
        corruption=condition.corruption,
        severity=condition.severity,
        source=source,
        images=len(judged),
        rejected=dict(sorted(Counter(filter(None, (one.codes[index] for one in judged))).items())),
        auroc=found["auroc"],
        drop=_drop(judged, index, by),
        sensitivity=found["sensitivity"],
        specificity=found["specificity"],
        specificity_at_sensitivity=specificity_at(cases, SENSITIVITY),
        calibration_error=float(calibration_error(cases, ones)[0]) if len(cases) else None,
        brier=found["brier"].value,
    )


def cases_of(judged: Sequence[Judged], index: int, among: int | None = None) -> Cases:
    """Return the images that were judged under `index`, and under `among` too where given."""
    also = index if among is None else among
    kept = [one for one in judged if not one.codes[index] and not one.codes[also]]
    probability = np.array([one.probability[index] for one in kept], dtype=np.float64)
    return Cases(
        positive=np.array([one.row.positive for one in kept], dtype=bool),
        probability=probability,
        flagged=probability >= np.array([one.threshold for one in kept], dtype=np.float64),
        patient=patients_of(kept),
    )


def patients_of(judged: Sequence[Judged]) -> NDArray[np.intp]:
    """Return the number of each image's patient, from 0."""
    number: dict[tuple[str, str], int] = {}
    return np.array(
        [number.setdefault(one.row.patient_key, len(number)) for one in judged], dtype=np.intp
    )


def specificity_at(cases: Cases, sensitivity: float) -> float | None:
    """Return the specificity of the highest threshold that finds a share of the positives.

    None where a class is missing.
    """
    positives = np.sort(cases.probability[cases.positive])
    normals = cases.probability[~cases.positive]
    if not (len(positives) and len(normals)):
        return None
    # 0.98 * 50 is 49 and a rounding error: that must not ask for the fiftieth.
    needed = ceil(sensitivity * len(positives) - 1e-9)
    return float((normals < positives[-needed]).mean())


def _drop(judged: Sequence[Judged], index: int, by: Bootstrap) -> Estimate:
    clean, spoilt = cases_of(judged, 0, among=index), cases_of(judged, index, among=0)
    if spoilt.positive.all() or not spoilt.positive.any():
        n = len(spoilt)
        patients = len(np.unique(spoilt.patient))
        return Estimate(None, None, None, n, patients, "none", "not defined: a class is missing")

    def drops(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return measure(clean, weights)["auroc"] - measure(spoilt, weights)["auroc"]

    value = float(drops(np.ones((1, len(clean))))[0])
    drawn = [drops(weights) for weights in resamples_of(clean.patient, by.resamples, by.seed)]
    return resampled(value, np.concatenate(drawn), clean.patient, units=smaller_class(clean))


def summarise(rows: Sequence[ShiftRow], source: str) -> ShiftSummary:
    """Sum up the rows of one source."""
    ours = [row for row in rows if row.source == source]
    asked = {row.severity for row in ours if row.severity is not None}
    severity = SUMMED_UP if SUMMED_UP in asked else max(asked, default=None)
    drops = {
        row.corruption: row.drop.value
        for row in ours
        if row.severity is not None and row.severity == severity and row.drop.value is not None
    }
    worst = max(drops, key=lambda name: drops[name], default="")
    return ShiftSummary(
        source=source,
        severity=severity,
        mean_drop=float(np.mean(list(drops.values()))) if drops else None,
        worst=worst,
        worst_drop=drops.get(worst),
        histogram_drops={
            row.corruption: row.drop.value
            for row in ours
            if row.corruption != CLEAN.corruption and not CORRUPTIONS[row.corruption].graded
        },
    )


def subtype_rows(
    judged: Sequence[Judged], column: str, source: str, by: Bootstrap
) -> tuple[SubtypeRow, ...]:
    """Set the images of each subtype of pneumonia against all normal images."""
    normals = [one for one in judged if not one.row.positive]
    values = {one.row.extra.get(column, "") for one in judged if one.row.positive} - {""}
    rows = []
    for value in sorted(values):
        positives = [
            one for one in judged if one.row.positive and one.row.extra.get(column, "") == value
        ]
        cases = cases_of([*normals, *positives], 0)
        found = estimate(cases, resamples=by.resamples, seed=by.seed)
        count = int(cases.positive.sum())
        rows.append(
            SubtypeRow(
                *(column, value, source, count, len(cases) - count),
                auroc=found["auroc"],
                sensitivity=found["sensitivity"],
            )
        )
    return tuple(rows)
