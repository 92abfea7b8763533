from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from lungflag.errors import ManifestError
from lungflag.evaluation import Estimate
from lungflag.evaluation.recalibration import Scores, compare_methods
from tests.evaluation.recalibration.sites import site


def value(found: Estimate) -> float:
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high
    return found.value


def test_what_mends_a_wrong_scale_and_shift_is_seen() -> None:
    scores = site(800, scale=3.0, shift=4.0)
    found = {one.name: one for one in compare_methods(scores, resamples=40)}
    assert set(found) == {"uncalibrated", "temperature", "Platt", "beta", "isotonic"}
    losses = {name: value(one.log_loss) for name, one in found.items()}
    assert losses["Platt"] < losses["temperature"] < losses["uncalibrated"]
    assert losses["beta"] == pytest.approx(losses["Platt"], rel=0.02)
    assert value(found["Platt"].brier) < value(found["uncalibrated"].brier)
    assert value(found["Platt"].reliability.slope) == pytest.approx(1, abs=0.1)
    # The folds' own fits shift a little against each other, so the areas differ by a hair.
    assert value(found["Platt"].auroc) == pytest.approx(
        value(found["uncalibrated"].auroc), abs=2e-3
    )
    assert len(np.unique(found["isotonic"].probability)) < len(scores) / 4
    one = found["Platt"]
    assert losses["Platt"] == pytest.approx(log_loss(scores.positive, one.probability))


def test_too_few_patients_cannot_be_compared() -> None:
    scores = Scores(np.array([0.0, 1.0]), np.array([False, True]), np.array([0, 1]))
    with pytest.raises(ManifestError, match="one patient only"):
        compare_methods(scores)
