"""What the heatmaps of a data set show together, each figure with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.evaluation.heatmaps.places import TOLERANCE
from lungflag.evaluation.intervals import (
    RESAMPLES,
    Estimate,
    proportion,
    resampled,
    resamples_of,
)
from lungflag.evaluation.metrics import Proportion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.data.manifest import Row
    from lungflag.evaluation.heatmaps.randomisation import Randomisation
    from lungflag.evaluation.heatmaps.readings import Reading
    from lungflag.outcome import Rejection

    Estimates = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class HeatmapStudy:
    """A package's heatmaps on a data set.

    Attributes
    ----------
    readings : tuple[Reading, ...]
        The judged films.
    rejected : tuple[Rejection, ...]
        The others.
    tolerance : float
        Of the pointing game.
    pointing : Mapping[str, Estimates]
        `flagged positives` and `all positives`: `hit` and `near`.
    lungs : Mapping[str, Estimates]
        `flagged` and `all judged`: `inside`, `area`, `excess` (their mean difference) and `peak`.
    flip : Mapping[str, Estimates]
        `flagged` and `all judged`: `correlation`, `distance`, and `still` (share of films whose
        peak moves by no more than `tolerance`).
    randomisation : Randomisation or None
        None where it was not asked for.
    """

    readings: tuple[Reading, ...]
    rejected: tuple[Rejection, ...]
    tolerance: float
    pointing: Mapping[str, Estimates]
    lungs: Mapping[str, Estimates]
    flip: Mapping[str, Estimates]
    randomisation: Randomisation | None


def study(
    readings: Sequence[Reading],
    rejected: Sequence[Rejection] = (),
    *,
    randomisation: Randomisation | None = None,
    tolerance: float = TOLERANCE,
) -> HeatmapStudy:
    """Return what `readings`, taken with `tolerance`, show together.

    Raises
    ------
    MissingExtraError
        If SciPy is not installed.
    """
    flagged = [one for one in readings if one.flagged]
    groups = {"flagged": flagged, "all judged": list(readings)}
    return HeatmapStudy(
        readings=tuple(readings),
        rejected=tuple(rejected),
        tolerance=tolerance,
        pointing={
            "flagged positives": _pointing(flagged),
            "all positives": _pointing(readings),
        },
        lungs={name: _lungs(group) for name, group in groups.items()},
        flip={name: _flip(group, tolerance) for name, group in groups.items()},
        randomisation=randomisation,
    )


def _pointing(readings: Sequence[Reading]) -> Estimates:
    known = [one for one in readings if one.hit is not None]
    rows, note = [one.row for one in known], "no positive film with a lesion drawn"
    return {
        "hit": mean_estimate(rows, [bool(one.hit) for one in known], note=note),
        "near": mean_estimate(rows, [bool(one.near) for one in known], note=note),
    }


def _lungs(readings: Sequence[Reading]) -> Estimates:
    known = [(one.row, one.lungs) for one in readings if one.lungs is not None]
    rows, shares = [row for row, _ in known], [share for _, share in known]
    figures: dict[str, list[float]] = {
        "inside": [share.inside for share in shares],
        "area": [share.area for share in shares],
        "excess": [share.inside - share.area for share in shares],
        "peak": [share.peak for share in shares],
    }
    note = "no film with known lung fields and positive activation"
    return {name: mean_estimate(rows, values, note=note) for name, values in figures.items()}


def _flip(readings: Sequence[Reading], tolerance: float) -> Estimates:
    known = [(one.row, one.flip) for one in readings if one.flip is not None]
    varied = [(row, flip.correlation) for row, flip in known if flip.correlation is not None]
    rows, distances = [row for row, _ in known], [flip.distance for _, flip in known]
    still = [distance <= tolerance for distance in distances]
    return {
        "correlation": mean_estimate(
            [row for row, _ in varied], [value for _, value in varied], note="no map that varies"
        ),
        "distance": mean_estimate(rows, distances, note="no film"),
        "still": mean_estimate(rows, still, note="no film"),
    }


def mean_estimate(
    rows: Sequence[Row], values: Sequence[float], *, note: str, seed: int = 0
) -> Estimate:
    """Return the mean of one value a film; true and false make it a proportion.

    Intervals follow the rules of `lungflag.evaluation.estimate`: Wilson's for a proportion of
    films of different patients, otherwise a bootstrap that draws patients.

    Parameters
    ----------
    rows : sequence of Row
        The films.
    values : sequence of float
        One for each.
    note : str
        Why there is no value, where there is none.
    seed : int
        Seeds the resampling.
    """
    if not rows:
        return Estimate(None, None, None, 0, 0, "none", note)
    number: dict[tuple[str, str], int] = {}
    patient = np.array([number.setdefault(row.patient_key, len(number)) for row in rows])
    numbers = np.array(values, dtype=np.float64)
    if all(isinstance(value, bool) for value in values):
        counted = numbers > 0
        return proportion(Proportion(counted, np.ones_like(counted)), patient)
    drawn = np.concatenate(
        [
            (weights @ numbers) / weights.sum(axis=1)
            for weights in resamples_of(patient, RESAMPLES, seed)
        ]
    )
    return resampled(float(numbers.mean()), drawn, patient, units=len(number))
