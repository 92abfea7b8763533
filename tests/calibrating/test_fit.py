from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from lungflag.calibrating import METHODS, Method, fit_calibration

FITTED = [method for method in METHODS if method.name != "uncalibrated"]


def draw(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw honest logits and the labels that they promise."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0.5, 2, n)
    return honest, rng.random(n) < 1 / (1 + np.exp(-honest))


def test_calibration_mends_overconfidence_and_never_turns_the_ranking() -> None:
    honest, positive = draw(3, 2000)
    logits = (5 * honest + 3).astype(np.float32)  # five times too sure, and shifted
    calibration = fit_calibration(logits, positive)
    assert calibration.slope == pytest.approx(0.2, rel=0.15)
    fitted = [calibration(float(logit)) for logit in logits]
    assert log_loss(positive, fitted) < log_loss(positive, 1 / (1 + np.exp(-logits.clip(-30, 30))))
    assert fit_calibration(-logits, positive).slope > 0


@pytest.mark.parametrize("method", FITTED, ids=lambda method: method.name)
def test_every_method_finds_back_to_honest_probabilities(method: Method) -> None:
    honest, positive = draw(4, 6000)
    fresh, _ = draw(5, 2000)
    fitted = method.fit(3 * honest, positive)  # a wrong temperature is in reach of all of them
    truth = 1 / (1 + np.exp(-fresh))
    assert np.abs(fitted(3 * fresh) - truth).mean() < 0.02


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_only_isotonic_regression_makes_ties(method: Method) -> None:
    honest, positive = draw(6, 800)
    fitted = method.fit(honest, positive)(honest)
    ties = len(honest) - len(np.unique(fitted))
    assert (ties > 0) != method.strict
    if method.strict:
        assert roc_auc_score(positive, fitted) == roc_auc_score(positive, honest)


@given(
    st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=4, max_size=40).filter(
        lambda rows: {True, False} == {positive for _, positive in rows}
    )
)
def test_whatever_the_labels_a_method_gives_probabilities_that_never_fall(
    rows: list[tuple[float, bool]],
) -> None:
    logits = np.array([x for x, _ in rows])
    positive = np.array([y for _, y in rows])
    grid = np.linspace(-40, 40, 101)
    for method in METHODS:
        fitted = method.fit(logits, positive)(grid)
        assert ((fitted >= 0) & (fitted <= 1)).all(), method.name
        assert (np.diff(fitted) >= 0).all(), method.name
