"""Predictive values at a prevalence, by Bayes's rule, with the intervals carried along."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

PREVALENCES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share between 0 and 1 and its 95% interval.

    Raises
    ------
    ValueError
        Unless 0 <= `low` <= `value` <= `high` <= 1.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high <= 1:
            raise ValueError(f"{self.low}, {self.value}, {self.high} is no share with its interval")


def positive_predictive_value(sensitivity: Rate, specificity: Rate, prevalence: float) -> Rate:
    """Return the share of pneumonia among flagged radiographs where `prevalence` have it.

    The interval is that of the likelihood ratio (see `likelihood_ratio`), carried through Bayes's
    rule, in which the prevalence is taken as known.

    Raises
    ------
    ValueError
        Unless `prevalence` lies between 0 and 1, and something is flagged at all.
    """
    ratio = likelihood_ratio(sensitivity, _rest(specificity))
    return Rate(*(_bayes(one, prevalence) for one in ratio))


def negative_predictive_value(sensitivity: Rate, specificity: Rate, prevalence: float) -> Rate:
    """Return the share of normal among radiographs that are not flagged.

    Raises
    ------
    ValueError
        Unless `prevalence` lies between 0 and 1, and not everything is flagged.
    """
    ratio = likelihood_ratio(specificity, _rest(sensitivity))
    return Rate(*(_bayes(one, 1 - prevalence) for one in ratio))


def likelihood_ratio(above: Rate, below: Rate) -> tuple[float, float, float]:
    """Return value, low and high of the ratio of two independent rates.

    The interval's ends are recovered from those of the two rates (MOVER-R). They may be uneven
    about the value, as Wilson's are, and the ratio may be infinite.

    Raises
    ------
    ValueError
        If both rates are 0.

    References
    ----------
    A. Donner and G. Y. Zou, 'Closed-form confidence intervals for functions of the normal mean
    and standard deviation', Stat. Methods Med. Res. 21, 2012. R. G. Newcombe, 'Confidence
    intervals for proportions and related measures of effect size', 2012, chapter 13.
    """
    if above.value == below.value == 0:
        raise ValueError("a ratio of 0 to 0 is not defined")
    value = above.value / below.value if below.value else inf
    inverse = _lower_end(below, above)
    high = 1 / inverse if inverse else inf
    return value, min(_lower_end(above, below), value), max(high, value)


def _lower_end(above: Rate, below: Rate) -> float:
    """Return the lower end of `above` / `below`; the upper one is 1 / that of the inverse.

    This is the usual closed form with its root moved to the denominator, where nothing cancels.
    """
    product = above.value * below.value
    reach = above.low * (2 * above.value - above.low)
    if reach == 0:
        return 0.0
    spread = below.high * (2 * below.value - below.high)
    below_it = product + sqrt(max(product**2 - reach * spread, 0.0))
    return reach / below_it if below_it else inf


def _rest(rate: Rate) -> Rate:
    return Rate(1 - rate.value, 1 - rate.high, 1 - rate.low)


def _bayes(ratio: float, prevalence: float) -> float:
    """Return the probability after a result with this likelihood ratio."""
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence of {prevalence} does not lie between 0 and 1")
    return prevalence / (prevalence + (1 - prevalence) / ratio) if ratio else 0.0
