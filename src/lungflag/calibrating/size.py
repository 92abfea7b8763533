"""How many patients it takes to say something: minimum sample sizes for precision."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import TYPE_CHECKING

from lungflag.calibrating.fit import sigmoid

if TYPE_CHECKING:
    from lungflag.calibrating.fit import Floats

_Z = 1.959964  # the normal distribution's 97.5th percentile
_MOST = 1_000_000  # nobody has more; logits without spread would ask for infinitely many


@dataclass(frozen=True, slots=True)
class Need:
    """What a statement asks for, and what there is.

    Attributes
    ----------
    purpose : str
        What the patients are needed for, in words.
    unit : str
        ``patients with pneumonia``, ``patients without`` or ``patients``.
    have, needed : int
        Patients, one image each. Several images of a patient count as one, which is on the safe
        side: they say less than as many patients would.
    """

    purpose: str
    unit: str
    have: int
    needed: int

    @property
    def met(self) -> bool:
        """Whether there are enough."""
        return self.have >= self.needed

    @property
    def wanted(self) -> str:
        """What is needed, in words."""
        more = " or more" if self.needed == _MOST else ""
        return f"{self.needed:,}{more} {self.unit}"


def images_for_rate(rate: float = 0.98, margin: float = 0.03) -> int:
    """Return how many independent images put Wilson's lower 95% end within `margin` of `rate`.

    Raises
    ------
    ValueError
        Unless 0 < `margin` < `rate` <= 1.

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22, 1927; N. A. Obuchowski, 'Sample size calculations in
    studies of test accuracy', Stat. Methods Med. Res. 7, 1998, for the aim.
    """
    if not 0 < margin < rate <= 1:
        raise ValueError(f"a margin of {margin} does not fit a rate of {rate}")
    few, enough = 1, 2
    while _wilson_low(rate, enough) < rate - margin:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (
            (middle, enough) if _wilson_low(rate, middle) < rate - margin else (few, middle)
        )
    return enough


def images_for_calibration(logits: Floats, half_width: float = 0.2) -> tuple[int, int]:
    """Return how many images bring calibration slope and intercept to within ± `half_width`.

    That is the half of their 95% intervals, for a well calibrated detector whose calibrated
    logits are distributed like `logits` (n,). Both follow from Fisher's information of logistic
    regression. The intercept is calibration in the large: its slope is held at 1. Never more than
    a million.

    References
    ----------
    R. D. Riley et al., 'Minimum sample size for external validation of a clinical prediction
    model with a binary outcome', Stat. Med. 40, 2021, section 3.2 (slope; they ask for 0.1).
    M. Pavlou et al., 'Estimation of required sample size for external validation of risk models
    for binary outcomes', Stat. Methods Med. Res. 30, 2021 (calibration in the large).
    """
    spread = sigmoid(logits) * sigmoid(-logits)
    i00, i01, i11 = (float((spread * logits**k).mean()) for k in range(3))
    error = half_width / _Z
    determinant = i00 * i11 - i01**2
    slope = i00 / (error**2 * determinant) if determinant > 0 else inf
    intercept = 1 / (error**2 * i00) if i00 > 0 else inf
    return ceil(min(slope, _MOST)), ceil(min(intercept, _MOST))


def _wilson_low(rate: float, n: int) -> float:
    centre = rate + _Z**2 / (2 * n)
    reach = _Z * sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return (centre - reach) / (1 + _Z**2 / n)
