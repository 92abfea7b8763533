from __future__ import annotations

from functools import cache
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.evaluation import wilson
from lungflag.prevalence import (
    Rate,
    likelihood_ratio,
    negative_predictive_value,
    positive_predictive_value,
)


@cache
def counted(successes: int, n: int) -> Rate:
    low, high = wilson(successes, n)
    value = successes / n
    return Rate(value, min(low, value), max(high, value))


def test_the_values_are_those_of_the_table_they_come_from() -> None:
    # 1,000 people, 100 ill: 90 of them flagged, and 45 of the 900 others.
    sensitivity, specificity = counted(90, 100), counted(855, 900)
    assert positive_predictive_value(sensitivity, specificity, 0.1).value == pytest.approx(90 / 135)
    npv = negative_predictive_value(sensitivity, specificity, 0.1)
    assert npv.value == pytest.approx(855 / 865)


def test_perfect_rates_keep_an_interval() -> None:
    perfect = counted(50, 50)
    ppv = positive_predictive_value(perfect, perfect, 0.1)
    npv = negative_predictive_value(perfect, perfect, 0.1)
    assert ppv.value == ppv.high == npv.value == npv.high == 1
    assert 0.5 < ppv.low < 0.95
    assert 0.98 < npv.low < 1
    assert likelihood_ratio(perfect, Rate(0, 0, 0.07))[2] == inf
    certain = Rate(1, 1, 1)
    assert positive_predictive_value(perfect, certain, 0.1) == Rate(1, 1, 1)
    assert negative_predictive_value(certain, perfect, 0.1) == Rate(1, 1, 1)


rates = st.integers(1, 400).flatmap(lambda n: st.integers(0, n).map(lambda k: counted(k, n)))


@given(rates, rates, st.floats(0.001, 0.5), st.floats(1.01, 1.9))
def test_more_prevalence_gives_more_ppv_and_less_npv(
    sensitivity: Rate, specificity: Rate, prevalence: float, factor: float
) -> None:
    if sensitivity.value > 0 or specificity.value < 1:
        few = positive_predictive_value(sensitivity, specificity, prevalence)
        many = positive_predictive_value(sensitivity, specificity, prevalence * factor)
        assert (many.low, many.value, many.high) >= (few.low, few.value, few.high)
    if specificity.value > 0 or sensitivity.value < 1:
        few = negative_predictive_value(sensitivity, specificity, prevalence)
        many = negative_predictive_value(sensitivity, specificity, prevalence * factor)
        assert (many.low, many.value, many.high) <= (few.low, few.value, few.high)


@pytest.mark.parametrize(("ill", "healthy"), [(150, 150), (300, 120), (100, 600)])
def test_the_intervals_hold_the_truth_as_often_as_they_say(ill: int, healthy: int) -> None:
    """Draw rates and studies with them; count how often the intervals hold PPV and NPV at 5%.

    The rates vary, because the coverage at one rate of so few counts swings about its mean.
    """
    rng = np.random.default_rng(11)
    prevalence, repeats = 0.05, 3000
    held = np.zeros(2)
    for sensitivity, specificity in rng.uniform(0.85, 0.99, (repeats, 2)):
        certain = (Rate(*[sensitivity] * 3), Rate(*[specificity] * 3))
        se = counted(int(rng.binomial(ill, sensitivity)), ill)
        sp = counted(int(rng.binomial(healthy, specificity)), healthy)
        for i, value in enumerate((positive_predictive_value, negative_predictive_value)):
            found, truth = value(se, sp, prevalence), value(*certain, prevalence).value
            held[i] += found.low <= truth <= found.high
    assert (held / repeats >= 0.93).all(), held / repeats
    assert (held / repeats <= 0.97).all(), held / repeats


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, float("nan")])
def test_a_prevalence_is_a_share(prevalence: float) -> None:
    with pytest.raises(ValueError, match="prevalence"):
        positive_predictive_value(counted(9, 10), counted(9, 10), prevalence)


def test_nothing_flagged_has_no_predictive_value() -> None:
    with pytest.raises(ValueError, match="0 to 0"):
        positive_predictive_value(counted(0, 10), counted(10, 10), 0.1)
    with pytest.raises(ValueError, match="no share"):
        Rate(0.5, 0.6, 0.7)
