from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from lungflag.evaluation import (
    Cases,
    calibration_error,
    calibration_intercept,
    calibration_slope,
    reliability,
)


def draw(
    rng: np.random.Generator, patients: int, *, slope: float = 1.0, shift: float = 0.0
) -> Cases:
    """Draw labels from ``expit(slope * logit(p) + shift)``; half of it is the patient's."""
    count = 1 + rng.poisson(0.5, size=patients)
    patient = np.repeat(np.arange(patients), count)
    score = 1.5 * (rng.standard_normal(patients)[patient] + rng.standard_normal(len(patient)))
    probability = expit(score)
    positive = rng.random(len(patient)) < expit(slope * score + shift)
    return Cases(positive, probability, probability >= 0.5, patient)


def cases(positive: list[int], probability: list[float]) -> Cases:
    p = np.array(probability)
    return Cases(np.array(positive, dtype=bool), p, p >= 0.5, np.arange(len(p)))


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**32), st.floats(0.3, 2.5), st.floats(-1.5, 1.5))
def test_slope_and_intercept_are_those_of_independent_fits(
    seed: int, slope: float, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    drawn = draw(rng, 150, slope=slope, shift=shift)
    weights = np.stack([np.ones(len(drawn)), rng.integers(0, 4, len(drawn)).astype(float)])
    x, y = logit(drawn.probability), drawn.positive
    slopes, intercepts = calibration_slope(drawn, weights), calibration_intercept(drawn, weights)
    for row, w in enumerate(weights):
        fit = LogisticRegression(C=np.inf, tol=1e-10, solver="newton-cholesky")
        fit.fit(x[:, None], y, w)
        assert slopes[row] == pytest.approx(fit.coef_[0, 0], abs=1e-6)

        def excess(a: float, w: np.ndarray = w) -> float:
            return float(w @ (expit(x + a) - y))

        assert intercepts[row] == pytest.approx(brentq(excess, -30, 30, xtol=1e-12), abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_calibration_error_and_bins_are_scikit_learns_curve(seed: int) -> None:
    drawn = draw(np.random.default_rng(seed), 120, slope=0.5)
    seen, stated = calibration_curve(drawn.positive, drawn.probability, n_bins=10)
    counts = np.histogram(drawn.probability, 10, (0, 1))[0]
    share = counts[counts > 0] / len(drawn)
    found = reliability(drawn, resamples=100)
    filled = [one for one in found.bins if one.predicted is not None]
    assert [one.predicted for one in filled] == pytest.approx(stated.tolist())
    assert [one.observed.value for one in filled] == pytest.approx(seen.tolist())
    assert [one.observed.n for one in found.bins] == counts.tolist()
    expected = float(share @ np.abs(seen - stated))
    assert found.calibration_error.value == pytest.approx(expected)
    assert calibration_error(drawn, np.ones((1, len(drawn))))[0] == pytest.approx(expected)


def test_what_chance_alone_would_show() -> None:
    drawn = draw(np.random.default_rng(0), 200)
    rng = np.random.default_rng(8)
    errors = []
    for _ in range(300):
        labels = rng.random(len(drawn)) < drawn.probability
        again = Cases(labels, drawn.probability, drawn.flagged, drawn.patient)
        errors.append(calibration_error(again, np.ones((1, len(drawn))))[0])
    assert reliability(drawn, resamples=50).chance_error == pytest.approx(np.mean(errors), rel=0.05)


def test_the_signs_say_what_the_documents_say() -> None:
    rng = np.random.default_rng(1)
    extreme = reliability(draw(rng, 1500, slope=0.5), resamples=200)
    assert extreme.slope.high is not None
    assert extreme.slope.high < 1
    overstated = reliability(draw(rng, 1500, shift=-1.0), resamples=200)
    assert overstated.intercept.high is not None
    assert overstated.intercept.high < 0


def test_where_there_is_no_value_the_note_says_why() -> None:
    parted = reliability(cases([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]), resamples=100)
    assert parted.slope.note == "not defined: one threshold parts the classes"
    assert parted.intercept.value is not None
    alone = reliability(cases([1, 1, 1], [0.9, 0.8, 0.2]), resamples=100)
    assert alone.slope.note == alone.intercept.note == "not defined: no normal images"
    assert alone.calibration_error.value is not None
    equal = reliability(cases([1, 0, 1, 0], [0.5] * 4), resamples=100)
    assert equal.slope.value is None
    nothing = reliability(cases([], []))
    assert nothing.calibration_error.note == "not defined: no image was judged"
    assert nothing.chance_error is None


def test_probabilities_of_exactly_0_and_1_have_a_slope() -> None:
    found = reliability(cases([1, 0, 1, 0, 1, 0], [1.0, 0.0, 0.3, 1.0, 0.7, 0.4]), resamples=100)
    assert found.slope.value is not None
    assert np.isfinite(found.slope.value)
    assert found.bins[-1].observed.n == 2


def coverage(repeats: int, resamples: int) -> dict[str, float]:
    """Return how often the intervals hold the true slope and intercept."""
    rng = np.random.default_rng(2026)
    hits = {"slope": 0, "intercept": 0}
    for repeat in range(repeats):
        found = reliability(draw(rng, 250, slope=1.0, shift=0.4), resamples=resamples, seed=repeat)
        for name, one, true in (("slope", found.slope, 1.0), ("intercept", found.intercept, 0.4)):
            assert one.low is not None
            assert one.high is not None
            hits[name] += one.low <= true <= one.high
    return {name: hit / repeats for name, hit in hits.items()}


def test_intervals_cover_the_truth_briefly() -> None:
    assert min(coverage(40, 150).values()) > 0.85


@pytest.mark.slow
def test_intervals_cover_the_truth() -> None:
    found = coverage(1000, 400)
    assert min(found.values()) > 0.93, found
    assert max(found.values()) < 0.97, found
