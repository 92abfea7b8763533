from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from lungflag.evaluation import Cases, net_benefit, trace


def draw(rng: np.random.Generator, patients: int) -> Cases:
    patient = np.repeat(np.arange(patients), 1 + rng.poisson(0.5, size=patients))
    positive = (rng.random(patients) < 0.5)[patient]
    positive[:2] = True, False
    score = 2 * positive + rng.standard_normal(len(patient))
    probability = np.round(1 / (1 + np.exp(1 - score)), 2)
    return Cases(positive, probability, probability >= 0.5, patient)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 80))
def test_the_curves_and_their_bands(seed: int, patients: int) -> None:
    cases = draw(np.random.default_rng(seed), patients)
    found = trace(cases, resamples=60)
    assert found is not None
    y, p = cases.positive, cases.probability
    assert np.trapezoid(found.roc.y, found.roc.x) == pytest.approx(peer.roc_auc_score(y, p))
    precision, recall, _ = peer.precision_recall_curve(y, p, drop_intermediate=True)
    assert found.precision_recall.x.tolist() == recall.tolist()
    assert found.precision_recall.y.tolist() == precision.tolist()
    for curve in (found.roc, found.precision_recall, found.net_benefit):
        assert np.isfinite([curve.low, curve.high]).all()
        assert (curve.low <= curve.high).all()
    assert found.scores["normal"].sum() == (~y).sum()
    assert found.scores["pneumonia"].sum() == y.sum()


def test_the_bands_hold_the_curves_of_many_patients() -> None:
    cases = draw(np.random.default_rng(3), 400)
    found = trace(cases, resamples=300)
    assert found is not None
    on_grid = np.interp(found.roc.grid[1:], found.roc.x, found.roc.y)
    inside = (found.roc.low[1:] <= on_grid + 0.01) & (on_grid - 0.01 <= found.roc.high[1:])
    assert inside.mean() > 0.95
    benefit = found.net_benefit
    assert ((benefit.low <= benefit.y) & (benefit.y <= benefit.high)).mean() > 0.95


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.floats(0.02, 0.95))
def test_net_benefit_is_that_of_the_confusion_matrix(seed: int, threshold: float) -> None:
    # Vickers and Elkin 2006: TP / n - FP / n * p / (1 - p).
    rng = np.random.default_rng(seed)
    cases = draw(rng, 60)
    weights = rng.integers(0, 3, len(cases)).astype(float)
    weights[:2] = 1
    found, everything = net_benefit(cases, weights[None], np.array([threshold]))
    odds = threshold / (1 - threshold)
    for value, flagged in (
        (found, cases.probability >= threshold),
        (everything, np.ones_like(cases.positive)),
    ):
        (_, false), (_, true) = peer.confusion_matrix(
            cases.positive, flagged, labels=[False, True], sample_weight=weights
        )
        assert value[0, 0] == pytest.approx((true - false * odds) / weights.sum(), abs=1e-12)


def test_one_class_has_no_curves() -> None:
    p = np.array([0.2, 0.9])
    assert trace(Cases(np.array([True, True]), p, p > 0.5, np.arange(2))) is None
