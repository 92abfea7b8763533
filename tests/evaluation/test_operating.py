from __future__ import annotations

from pathlib import Path

import pytest

from lungflag.calibration import OperatingPoint
from lungflag.data.manifest import Row
from lungflag.evaluation import Estimate, Prediction, assess, at_operating_points, predictive


def judged(name: str, probability: float, age_group: str = "") -> Prediction:
    label = "pneumonia" if name.startswith("p") else "normal"
    row = Row(Path(f"{name}.png"), label, name)
    return Prediction(row, probability, probability >= 0.5, age_group=age_group)


POINTS = (
    OperatingPoint("triage", 0.3, "sensitive", 0.98, 0.8, 100),
    OperatingPoint("triage", 0.7, "sensitive", 0.98, 0.8, 100, "adult"),
    OperatingPoint("balanced", 0.5, "Youden", 0.9, 0.9, 100),
)
SOME = (
    *(judged(f"p{i}", 0.1 * i) for i in range(1, 10)),
    *(judged(f"n{i}", 0.08 * i) for i in range(1, 10)),
    judged("p-adult", 0.6, "adult"),
    judged("n-adult", 0.6, "adult"),
    judged("n-child", 0.35, "child"),
    Prediction(Row(Path("n-torn.png"), "normal", "n-torn"), None, None, "torn", "unreadable"),
)


def test_every_point_judges_the_same_images_by_the_threshold_of_their_age_group() -> None:
    triage, balanced = at_operating_points(SOME, POINTS, resamples=100)
    assert (triage.name, triage.thresholds) == ("triage", {"": 0.3, "adult": 0.7})
    assert (balanced.name, balanced.rule) == ("balanced", "Youden")
    # p3 to p9 reach 0.3; the adult's 0.6 does not reach 0.7. n4 to n9 and the child do reach 0.3.
    assert triage.metrics["sensitivity"].value == pytest.approx(7 / 10)
    assert triage.metrics["specificity"].value == pytest.approx(4 / 11)
    assert triage.metrics["sensitivity"].n == 10
    same = assess(SOME, resamples=100).metrics
    assert balanced.metrics == {name: same[name] for name in balanced.metrics}


def rate(value: float | None, low: float | None, high: float | None) -> Estimate:
    return Estimate(value, low, high, 100, 100, "wilson")


def test_predictive_values_are_bayes_and_their_intervals_hold_them() -> None:
    found = predictive(rate(0.9, 0.85, 0.94), rate(0.8, 0.7, 0.88), [0.1, 0.5])
    assert found[0].positive is not None
    assert found[0].negative is not None
    assert found[0].positive.value == pytest.approx(0.09 / (0.09 + 0.18))
    assert found[0].negative.value == pytest.approx(0.72 / (0.72 + 0.01))
    for one in found:
        assert one.positive is not None
        assert one.positive.low < one.positive.value < one.positive.high


def test_predictive_values_that_are_not_defined_are_none() -> None:
    flags_nothing = predictive(rate(0.0, 0.0, 0.1), rate(1.0, 0.9, 1.0), [0.2])[0]
    assert flags_nothing.positive is None
    assert flags_nothing.negative is not None
    unknown = predictive(rate(None, None, None), rate(1.0, 0.9, 1.0), [0.2])[0]
    assert (unknown.positive, unknown.negative) == (None, None)


def test_an_interval_that_does_not_hold_its_value_is_widened_to_it() -> None:
    found = predictive(rate(0.99, 0.991, 0.999), rate(0.9, 0.8, 0.95), [0.2])[0]
    assert found.positive is not None
    assert found.positive.low <= found.positive.value
