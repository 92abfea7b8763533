"""The metrics of a yes-or-no test, for any number of weightings of the same images at once.

A bootstrap asks for the same metrics thousands of times, each time with other weights on the
images. So every metric here takes a matrix of weights, one row a weighting, and returns one value
a row. Weights of 1 give the metric itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

METRICS = (
    "accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "negative_predictive_value",
    "f1",
    "class_weighted_recall",
    "balanced_accuracy",
    "auroc",
    "auprc",
    "brier",
    "prevalence",
)
CELLS = ("true_positive", "false_negative", "false_positive", "true_negative")

_NEEDS = {
    "sensitivity": ("pneumonia",),
    "specificity": ("normal",),
    "precision": ("flagged",),
    "negative_predictive_value": ("unflagged",),
    "f1": ("pneumonia",),
    "balanced_accuracy": ("pneumonia", "normal"),
    "auroc": ("pneumonia", "normal"),
    "auprc": ("pneumonia", "normal"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Judged images beside their reference standard.

    Attributes
    ----------
    positive : NDArray[np.bool_]
        Shape (n,). Whether the reference standard says pneumonia.
    probability : NDArray[np.float64]
        Shape (n,). The index test's probability of pneumonia, 0 to 1.
    flagged : NDArray[np.bool_]
        Shape (n,). Whether the index test flags the image.
    patient : NDArray[np.intp]
        Shape (n,). The patient of each image, as any integers.
    """

    positive: NDArray[np.bool_]
    probability: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    patient: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.positive)


class Proportion(NamedTuple):
    """A metric that counts images: `counted` of those `among`, both of shape (n,)."""

    counted: NDArray[np.bool_]
    among: NDArray[np.bool_]


def proportions(cases: Cases) -> Mapping[str, Proportion]:
    """Return the metrics, and the confusion matrix's cells, that are plain proportions.

    Class-weighted recall is the mean of the two classes' recalls, each weighted by its number of
    images (``average="weighted"`` of scikit-learn); the weights cancel the recalls' denominators,
    which leaves accuracy.
    """
    positive, flagged = cases.positive, cases.flagged
    everyone = np.ones_like(positive)
    correct = positive == flagged
    return {
        "accuracy": Proportion(correct, everyone),
        "sensitivity": Proportion(positive & flagged, positive),
        "specificity": Proportion(~positive & ~flagged, ~positive),
        "precision": Proportion(positive & flagged, flagged),
        "negative_predictive_value": Proportion(~positive & ~flagged, ~flagged),
        "class_weighted_recall": Proportion(correct, everyone),
        "prevalence": Proportion(positive, everyone),
        "true_positive": Proportion(positive & flagged, everyone),
        "false_negative": Proportion(positive & ~flagged, everyone),
        "false_positive": Proportion(~positive & flagged, everyone),
        "true_negative": Proportion(~positive & ~flagged, everyone),
    }


def measure(cases: Cases, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return every metric of `METRICS`, and every cell of `CELLS` as a share of the images.

    Parameters
    ----------
    cases : Cases
        At least one image.
    weights : NDArray[np.float64]
        Shape (b, n): how often each image counts, in each of b weightings.

    Returns
    -------
    dict[str, NDArray[np.float64]]
        Name to values of shape (b,), NaN where the metric is not defined.
    """
    shares = proportions(cases)
    counted = weights @ np.stack([share.counted for share in shares.values()], 1).astype(float)
    among = weights @ np.stack([share.among for share in shares.values()], 1).astype(float)
    found = dict(zip(shares, _divide(counted, among).T, strict=True))

    hit, missed, false = (
        found[cell] for cell in ("true_positive", "false_negative", "false_positive")
    )
    found["f1"] = np.where(hit + missed > 0, _divide(2 * hit, 2 * hit + missed + false), np.nan)
    found["balanced_accuracy"] = (found["sensitivity"] + found["specificity"]) / 2
    error = (cases.probability - cases.positive) ** 2
    found["brier"] = _divide(weights @ error, weights.sum(axis=1))
    found["auroc"], found["auprc"] = _areas(cases, weights)
    return found


def why_undefined(name: str, cases: Cases) -> str:
    """Return why a metric has no value on these cases, or an empty string where it has one."""
    if not len(cases):
        return "not defined: no image was judged"
    present = {
        "pneumonia": (cases.positive.any(), "no pneumonia images"),
        "normal": (not cases.positive.all(), "no normal images"),
        "flagged": (cases.flagged.any(), "no image is flagged"),
        "unflagged": (not cases.flagged.all(), "every image is flagged"),
    }
    lacking = [present[need][1] for need in _NEEDS.get(name, ()) if not present[need][0]]
    return f"not defined: {', '.join(lacking)}" if lacking else ""


def _areas(
    cases: Cases, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the areas under the ROC curve (ties count half) and the precision-recall curve.

    The second is average precision: precision at each threshold, weighted by the recall that the
    threshold adds, with no interpolation between thresholds.
    """
    order = np.argsort(-cases.probability, kind="stable")
    ranked, positive = cases.probability[order], cases.positive[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    weights = weights[:, order]
    positives = np.add.reduceat(weights * positive, starts, axis=1)
    negatives = np.add.reduceat(weights * ~positive, starts, axis=1)
    above = np.cumsum(positives, axis=1)
    flagged = above + np.cumsum(negatives, axis=1)

    total, rest = positives.sum(axis=1), negatives.sum(axis=1)
    auroc = _divide((negatives * (above - positives / 2)).sum(axis=1), total * rest)
    # A threshold that flags nothing has no precision, and adds no recall either.
    precision = np.divide(above, flagged, out=np.zeros_like(above), where=flagged > 0)
    auprc = _divide((positives * precision).sum(axis=1), total)
    return auroc, np.where(rest > 0, auprc, np.nan)


def _divide(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
