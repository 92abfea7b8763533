"""Shortcut probes: how well a property that is no finding predicts the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.data.audit.measure import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lungflag.data.audit.measure import Measurement

COMBINED = "combined"
FOLDS = 5
_Z = 1.959963984540054  # standard normal quantile of 0.975


@dataclass(frozen=True, slots=True)
class Probe:
    """How well one property predicts the label.

    Attributes
    ----------
    feature : str
        A name of `FEATURES`, or ``combined``.
    auc : float
        Area under the ROC curve. For a single feature it is taken in the direction in which it
        is at least 0.5.
    interval : tuple[float, float] | None
        Its 95% interval; None where it cannot be estimated (a class with one patient, or a
        property that parts or ties the classes completely).
    higher_in : str
        The label with the larger values; empty for the combined probe and for an AUC of 0.5.
    """

    feature: str
    auc: float
    interval: tuple[float, float] | None
    higher_in: str


def single_probes(measured: Sequence[Measurement]) -> tuple[Probe, ...]:
    """Probe every feature of `FEATURES` alone. Empty if only one label is there."""
    positive, clusters = _labels(measured)
    if not _both(positive):
        return ()
    values = np.stack([one.features for one in measured])
    return tuple(
        _directed(feature.name, *clustered_auc(values[:, column], positive, clusters))
        for column, feature in enumerate(FEATURES)
    )


def combined_probe(measured: Sequence[Measurement]) -> Probe | None:
    """Probe all features together: logistic regression, cross-validated by patient.

    Features are standardised within each training part; the out-of-fold scores of up to five
    stratified folds are pooled. None if a class has fewer than two patients.

    Raises
    ------
    MissingExtraError
        Without scikit-learn (extra ``evidence``).
    """
    positive, clusters = _labels(measured)
    values = np.array([one.features for one in measured])
    scores = probe_scores(values, positive, clusters)
    if scores is None:
        return None
    return Probe(COMBINED, *clustered_auc(scores, positive, clusters), higher_in="")


def probe_scores(
    values: NDArray[np.floating], positive: NDArray[np.bool_], clusters: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    """Return out-of-fold scores of a logistic regression, or None where it cannot be fitted.

    Parameters
    ----------
    values : NDArray[np.floating]
        Shape (n, d); standardised within each training part.
    positive : NDArray[np.bool_]
        Shape (n,): what to predict.
    clusters : NDArray[np.intp]
        Shape (n,): the patient's number. No patient is on both sides of a fold.

    Returns
    -------
    NDArray[np.float64] or None
        Shape (n,); None if a class has fewer than two patients.

    Raises
    ------
    MissingExtraError
        Without scikit-learn (extra ``evidence``).
    """
    feature, extra = "a shortcut probe", "evidence"
    linear = require("sklearn.linear_model", feature=feature, extra=extra)
    selection = require("sklearn.model_selection", feature=feature, extra=extra)
    pipeline = require("sklearn.pipeline", feature=feature, extra=extra)
    preprocessing = require("sklearn.preprocessing", feature=feature, extra=extra)

    folds = min(FOLDS, len(np.unique(clusters[positive])), len(np.unique(clusters[~positive])))
    if folds < 2:
        return None
    scores = np.zeros(len(values))
    splitter = selection.StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for fitted, held in splitter.split(values, positive, clusters):
        if not _both(positive[fitted]):
            return None  # the patients of a class all fell into one fold
        model = pipeline.make_pipeline(
            preprocessing.StandardScaler(), linear.LogisticRegression(max_iter=1000)
        )
        scores[held] = model.fit(values[fitted], positive[fitted]).decision_function(values[held])
    return scores


def clustered_auc(
    values: NDArray[np.float64], positive: NDArray[np.bool_], clusters: NDArray[np.intp]
) -> tuple[float, tuple[float, float] | None]:
    """Return the AUC of `values` and its 95% interval, with images clustered in patients.

    Obuchowski's nonparametric variance for clustered ROC data (Biometrics 1997; 53: 567-578),
    which is DeLong's (Biometrics 1988; 44: 837-845) where every patient has one image; the
    interval is symmetric on the logit scale, so that it stays within 0 to 1.

    Parameters
    ----------
    values : NDArray[np.float64]
        Shape (n,).
    positive : NDArray[np.bool_]
        Shape (n,); both values must occur.
    clusters : NDArray[np.intp]
        Shape (n,): the patient's number, from 0.
    """
    cases, controls = np.sort(values[positive]), np.sort(values[~positive])
    above = _placed(values[positive], controls)  # of each case: fraction of controls below it
    below = 1 - _placed(values[~positive], cases)
    auc = float(above.mean())

    size = int(clusters.max()) + 1
    case_of, control_of = clusters[positive], clusters[~positive]
    case_sum = np.bincount(case_of, above - auc, size)
    control_sum = np.bincount(control_of, below - auc, size)
    with_case, with_control, patients = (
        len(np.unique(which)) for which in (case_of, control_of, clusters)
    )
    if min(with_case, with_control) < 2:
        return auc, None
    m, n = len(cases), len(controls)
    variance = (
        with_case / (with_case - 1) * np.square(case_sum).sum() / m**2
        + with_control / (with_control - 1) * np.square(control_sum).sum() / n**2
        + 2 * patients / (patients - 1) * (case_sum * control_sum).sum() / (m * n)
    )
    if not (0 < auc < 1 and variance > 1e-15):
        return auc, None
    logit, half = np.log(auc / (1 - auc)), _Z * np.sqrt(variance) / (auc * (1 - auc))
    low, high = 1 / (1 + np.exp(-(logit + np.array([-half, half]))))
    return auc, (float(low), float(high))


def _placed(values: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, of each value, the fraction of sorted `among` below it, ties counted half."""
    rank = np.searchsorted(among, values, "left") + np.searchsorted(among, values, "right")
    return np.asarray(rank / (2 * len(among)), dtype=np.float64)


def _directed(feature: str, auc: float, interval: tuple[float, float] | None) -> Probe:
    if auc < 0.5:
        flipped = None if interval is None else (1 - interval[1], 1 - interval[0])
        return Probe(feature, 1 - auc, flipped, "normal")
    return Probe(feature, auc, interval, "pneumonia" if auc > 0.5 else "")


def _labels(
    measured: Sequence[Measurement],
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return whether each image is positive, and its patient's number."""
    number: dict[tuple[str, str], int] = {}
    positive = np.array([one.row.positive for one in measured], dtype=np.bool_)
    clusters = np.array(
        [number.setdefault(one.row.patient_key, len(number)) for one in measured], dtype=np.intp
    )
    return positive, clusters


def _both(positive: NDArray[np.bool_]) -> bool:
    return bool(positive.any() and not positive.all())
