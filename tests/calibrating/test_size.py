from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from lungflag.calibrating import Need, images_for_calibration, images_for_rate
from lungflag.evaluation import wilson
from lungflag.evaluation.metrics import Cases
from lungflag.evaluation.reliability import calibration_intercept, calibration_slope

# Every one of a million equal parts of the normal distribution.
NORMAL = norm.ppf((np.arange(1_000_000) + 0.5) / 1_000_000)


@pytest.mark.parametrize(
    ("mean", "spread", "published"),
    [
        # Published results of the software of Riley et al. (pmvalsampsize), which draws a million
        # logits: mechanical heart valve failure, and a model with prevalence 0.20 and C 0.78.
        (-5.0, 2.5, 4544),
        (-1.75, 1.22, 2958),
    ],
)
def test_the_slope_asks_for_what_was_published(mean: float, spread: float, published: int) -> None:
    needed, _ = images_for_calibration(mean + spread * NORMAL, half_width=1.959964 * 0.051)
    assert needed == pytest.approx(published, rel=0.005)


def test_so_many_images_bring_slope_and_intercept_that_close() -> None:
    """Simulate: the estimates from the needed numbers scatter as the half width says."""
    rng = np.random.default_rng(8)
    needed = images_for_calibration(1 + 3 * NORMAL, half_width=0.2)
    for n, measure in zip(needed, (calibration_slope, calibration_intercept), strict=True):
        found = []
        for _ in range(1000):
            logit = rng.normal(1, 3, n)
            p = 1 / (1 + np.exp(-logit))
            cases = Cases(rng.random(n) < p, p, p > 0.5, np.arange(n))
            found.append(measure(cases, np.ones((1, n)))[0])
        assert 1.96 * np.std(found) == pytest.approx(0.2, rel=0.1), measure


def test_so_many_images_bring_the_lower_end_that_close() -> None:
    n = images_for_rate(0.98, 0.03)
    assert n == 203
    # 198 of 202 is 0.9802, 199 of 203 is 0.9803.
    assert wilson(198, 202)[0] < 0.951
    assert 0.95 <= wilson(199, 203)[0] < 0.952
    assert images_for_rate(0.98, 0.02) > n > images_for_rate(0.98, 0.05)


def test_no_spread_of_logits_asks_for_more_than_anyone_has() -> None:
    slope, intercept = images_for_calibration(np.zeros(10))
    assert slope == 1_000_000
    assert Need("to know the slope", "patients", 10, slope).wanted == "1,000,000 or more patients"
    assert intercept == pytest.approx(4 * (1.96 / 0.2) ** 2, abs=1)


def test_a_need_knows_whether_it_is_met() -> None:
    assert Need("to be sure", "patients", 5, 5).met
    assert not Need("to be sure", "patients", 4, 5).met


@pytest.mark.parametrize(("rate", "margin"), [(0.98, 0.0), (1.1, 0.1), (0.5, 0.6)])
def test_a_margin_fits_its_rate(rate: float, margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        images_for_rate(rate, margin)
