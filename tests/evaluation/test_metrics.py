from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from lungflag.evaluation import CELLS, METRICS, Cases, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray


@st.composite
def weighted_cases(draw: st.DrawFn) -> tuple[Cases, NDArray[np.float64]]:
    """Cases of both classes and both decisions, with many ties, and how often each counts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(4, 80))
    positive = rng.random(n) < draw(st.floats(0.05, 0.95))
    positive[:2] = True, False
    probability = np.round(rng.random(n), draw(st.integers(1, 6)))
    probability[:2] = rng.permutation([0.0, 1.0])
    threshold = draw(st.floats(0.05, 1.0))
    weights = rng.integers(0, 4, size=n).astype(float)
    weights[:2] = 1.0
    return Cases(positive, probability, probability >= threshold, np.arange(n)), weights


@settings(deadline=None, max_examples=30)
@given(weighted_cases())
def test_every_metric_is_scikit_learns(drawn: tuple[Cases, NDArray[np.float64]]) -> None:
    cases, counts = drawn
    weightings = np.stack([np.ones(len(cases)), counts])
    found = measure(cases, weightings)
    y, p, flagged = cases.positive, cases.probability, cases.flagged
    for row, weights in enumerate(weightings):
        expected = {
            "accuracy": peer.accuracy_score(y, flagged, sample_weight=weights),
            "sensitivity": peer.recall_score(y, flagged, sample_weight=weights),
            "specificity": peer.recall_score(y, flagged, pos_label=0, sample_weight=weights),
            "precision": peer.precision_score(y, flagged, sample_weight=weights),
            "negative_predictive_value": peer.precision_score(
                y, flagged, pos_label=0, sample_weight=weights
            ),
            "f1": peer.f1_score(y, flagged, sample_weight=weights),
            "class_weighted_recall": peer.recall_score(
                y, flagged, average="weighted", sample_weight=weights
            ),
            "balanced_accuracy": peer.balanced_accuracy_score(y, flagged, sample_weight=weights),
            "auroc": peer.roc_auc_score(y, p, sample_weight=weights),
            "auprc": peer.average_precision_score(y, p, sample_weight=weights),
            "brier": peer.brier_score_loss(y, p, sample_weight=weights),
            "prevalence": np.average(y, weights=weights),
        }
        assert set(expected) == set(METRICS)
        for name, value in expected.items():
            assert found[name][row] == pytest.approx(value, abs=1e-12), name
        matrix = peer.confusion_matrix(y, flagged, labels=[True, False], sample_weight=weights)
        ours = [found[cell][row] * weights.sum() for cell in CELLS]
        assert ours == pytest.approx(matrix.ravel().tolist())


def test_nothing_is_measured_where_a_class_is_missing_from_a_weighting() -> None:
    cases = Cases(
        np.array([True, True, False]),
        np.array([0.9, 0.2, 0.4]),
        np.array([True, False, False]),
        np.arange(3),
    )
    found = measure(cases, np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    assert np.isnan(found["specificity"][0])
    assert found["sensitivity"][0] == 0.5
    assert np.isnan([found[name][1] for name in ("sensitivity", "precision", "f1")]).all()
    for name in ("auroc", "auprc", "balanced_accuracy"):
        assert np.isnan(found[name]).all(), name


def test_ties_between_a_positive_and_a_normal_count_half() -> None:
    half = np.full(4, 0.5)
    cases = Cases(np.array([True, True, False, False]), half, half >= 0.5, np.arange(4))
    found = measure(cases, np.ones((1, 4)))
    assert found["auroc"][0] == 0.5
    assert found["auprc"][0] == 0.5
