"""Shares with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with Wilson's 95% score interval.

    Attributes
    ----------
    value, low, high : float or None
        None where there is nothing to count.
    n : int
        Out of how many.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


def share(successes: int, n: int) -> Share:
    """Return `successes` out of `n` independent trials as a share.

    Raises
    ------
    ValueError
        Unless ``0 <= successes <= n``.

    References
    ----------
    E. B. Wilson, 'Probable inference, the law of succession, and statistical inference',
    J. Am. Stat. Assoc. 22, 1927.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no share")
    if n == 0:
        return Share(None, None, None, 0)
    value, square = successes / n, _Z**2
    centre = (value + square / (2 * n)) / (1 + square / n)
    reach = _Z * sqrt(value * (1 - value) / n + square / (4 * n**2)) / (1 + square / n)
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if successes == 0 else max(centre - reach, 0.0)
    high = 1.0 if successes == n else min(centre + reach, 1.0)
    return Share(value, low, high, n)
