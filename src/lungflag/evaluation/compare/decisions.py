"""Do two index tests decide differently on the same images?  McNemar's question, by patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.evaluation.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Discordance:
    """Images that one test of a pair decides rightly and the other wrongly, by patient.

    Attributes
    ----------
    first_only, second_only : int
        Images that only the first, or only the second test decides rightly.
    lead : NDArray[np.int64]
        Shape (patients,). `second_only` less `first_only`, of each patient.
    images : NDArray[np.int64]
        Shape (patients,). All images of each patient.
    """

    first_only: int
    second_only: int
    lead: NDArray[np.int64]
    images: NDArray[np.int64]

    @property
    def difference(self) -> float:
        """The second test's share of right decisions less the first's."""
        return float(self.lead.sum() / self.images.sum())


def discordance(
    first: NDArray[np.bool_], second: NDArray[np.bool_], patient: NDArray[np.intp]
) -> Discordance:
    """Return how two tests' right decisions, each (n,), differ over patients (n,)."""
    _, index, images = np.unique(patient, return_inverse=True, return_counts=True)
    lead = np.zeros(len(images), dtype=np.int64)
    np.add.at(lead, index, second.astype(np.int64) - first)
    return Discordance(
        int((first & ~second).sum()), int((second & ~first).sum()), lead, images.astype(np.int64)
    )


def mcnemar(found: Discordance) -> float:
    """Return the p-value of McNemar's exact test, which takes every image for independent."""
    stats = require("scipy.stats", feature="comparison", extra="evidence")
    n = found.first_only + found.second_only
    return float(stats.binomtest(found.second_only, n).pvalue) if n else 1.0


def patient_flip(found: Discordance) -> float:
    """Return the p-value of McNemar's exact test with whole patients in place of images.

    If the tests are equally good, exchanging their decisions on all images of a patient is as
    likely as not. The p-value is the share of all such exchanges over the patients that set the
    tests as far apart as they are: Fisher's randomisation test for pairs, of the statistic of
    Obuchowski (1998). Where each patient has one image it is McNemar's exact test.

    References
    ----------
    N. A. Obuchowski, 'On the comparison of correlated proportions for clustered data', Stat. Med.
    17:1495-1507, 1998.
    E. J. G. Pitman, 'Significance tests which may be applied to samples from any populations',
    J. R. Stat. Soc. Suppl. 4:119-130, 1937.
    """
    sizes = np.abs(found.lead[found.lead != 0])
    chance = np.ones(1)  # of each sum of leads, from -total to total in steps of 2
    for size in sizes:
        chance = np.concatenate([chance, np.zeros(size)]) + np.concatenate([np.zeros(size), chance])
        chance /= 2
    total = sizes.sum()
    sums = np.arange(-total, total + 1, 2)
    return float(min(chance[np.abs(sums) >= abs(found.lead.sum())].sum(), 1.0))


def difference_interval(found: Discordance) -> tuple[float, float]:
    """Return the 95% interval of `Discordance.difference`.

    Bonett and Price's: two images are added, one that only the first test decides rightly and one
    that only the second does, so that an interval is never empty. The variance is summed over
    patients, and the two added images are a patient each.

    References
    ----------
    D. G. Bonett and R. M. Price, 'Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data', J. Educ. Behav. Stat. 37:479-488, 2012; recommended by
    M. W. Fagerland, S. Lydersen and P. Laake, Stat. Med. 33:2850-2875, 2014.
    """
    stats = require("scipy.stats", feature="comparison", extra="evidence")
    lead, images = np.append(found.lead, [1, -1]), np.append(found.images, [1, 1])
    n, units = images.sum(), len(lead)
    centre = lead.sum() / n
    spread = units / (units - 1) * ((lead - images * centre) ** 2).sum() / n**2
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, units - 1) * np.sqrt(spread)
    return max(float(centre - reach), -1.0), min(float(centre + reach), 1.0)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted for their number, in order; None stays and does not count.

    References
    ----------
    S. Holm, 'A simple sequentially rejective multiple test procedure', Scand. J. Stat. 6:65-70,
    1979.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = largest
    return adjusted
