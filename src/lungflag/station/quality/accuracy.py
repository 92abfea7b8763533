"""Sensitivity and specificity by the readers' word, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.station.quality.shares import Share, share

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lungflag.station.quality.rows import Image

    Floats = NDArray[np.float64]

FEWEST = 30
"""Images that a figure must rest on before it raises an alarm."""
FEWEST_EACH = 10
"""Images read of those flagged, and of those not flagged, before figures are corrected."""

_DRAWS = 4000

NOTE = (
    "Readers saw the result before they spoke, so their word is no independent reference standard: "
    "it leans towards agreement, and these figures flatter. Unsure readings are left out."
)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What readers' verdicts say of the outcomes.

    A disagreement turns the outcome over: a flagged image with one counts as falsely flagged.

    Attributes
    ----------
    sensitivity, specificity : Share
        Over the images that were read.
    corrected_sensitivity, corrected_specificity : Share
        As they would be if all had been read alike, where enough were; `Share.n` is that of all
        findings.
    true_positive, false_positive, true_negative, false_negative : int
        Images that were read and not left unsure.
    flagged, flagged_read, not_flagged, not_flagged_read : int
        Findings, and how many of them count.
    """

    sensitivity: Share
    specificity: Share
    corrected_sensitivity: Share
    corrected_specificity: Share
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    flagged: int
    flagged_read: int
    not_flagged: int
    not_flagged_read: int


def accuracy(images: Iterable[Image]) -> Accuracy:
    """Return what the verdicts on `images` say; rejected ones have no part in it."""
    cells = dict.fromkeys(
        ((flagged, said) for flagged in (True, False) for said in ("agree", "disagree", None)), 0
    )
    for image in images:
        if image.flagged is not None:
            sure = image.verdict if image.verdict != "unsure" else None
            cells[bool(image.flagged), sure] += 1
    tp, fp = cells[True, "agree"], cells[True, "disagree"]
    tn, fn = cells[False, "agree"], cells[False, "disagree"]
    flagged, not_flagged = tp + fp + cells[True, None], tn + fn + cells[False, None]
    sensitivity, specificity = _corrected((tp, fp, flagged), (fn, tn, not_flagged))
    return Accuracy(
        sensitivity=share(tp, tp + fn),
        specificity=share(tn, tn + fp),
        corrected_sensitivity=sensitivity,
        corrected_specificity=specificity,
        true_positive=tp,
        false_positive=fp,
        true_negative=tn,
        false_negative=fn,
        flagged=flagged,
        flagged_read=tp + fp,
        not_flagged=not_flagged,
        not_flagged_read=tn + fn,
    )


def _corrected(
    of_flagged: tuple[int, int, int], of_others: tuple[int, int, int]
) -> tuple[Share, Share]:
    """Return sensitivity and specificity corrected for flagged images being read more often.

    Each argument has the diseased, the healthy, and all images. The interval is that of draws from
    Jeffreys' posteriors of the three shares that the correction is made of.

    References
    ----------
    C. B. Begg and R. A. Greenes, 'Assessment of diagnostic tests when disease verification is
    subject to selection bias', Biometrics 39, 1983.
    """
    (ill, well, flagged), (missed, clear, others) = of_flagged, of_others
    n = flagged + others
    if min(ill + well, missed + clear) < FEWEST_EACH:
        return Share(None, None, None, n), Share(None, None, None, n)
    rng = np.random.default_rng(0)
    ill_if_flagged = rng.beta(ill + 0.5, well + 0.5, _DRAWS)
    ill_if_not = rng.beta(missed + 0.5, clear + 0.5, _DRAWS)
    called = rng.beta(flagged + 0.5, others + 0.5, _DRAWS)
    drawn = _rates(ill_if_flagged, ill_if_not, called)
    exact = _rates(
        *(np.array([x]) for x in (ill / (ill + well), missed / (missed + clear), flagged / n))
    )
    sensitivity, specificity = (
        _between(float(value[0]), draws, n) for value, draws in zip(exact, drawn, strict=True)
    )
    return sensitivity, specificity


def _between(value: float, draws: Floats, n: int) -> Share:
    if not np.isfinite(value):
        return Share(None, None, None, n)
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    # At 0 and 1 the posterior's quantiles shut the value itself out.
    return Share(value, min(low, value), max(high, value), n)


def _rates(
    ill_if_flagged: Floats,
    ill_if_not: Floats,
    called: Floats,
) -> tuple[Floats, Floats]:
    hits, misses = ill_if_flagged * called, ill_if_not * (1 - called)
    clear, false = (1 - ill_if_not) * (1 - called), (1 - ill_if_flagged) * called
    with np.errstate(invalid="ignore"):
        return hits / (hits + misses), clear / (clear + false)
