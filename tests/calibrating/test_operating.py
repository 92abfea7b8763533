from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.calibrating import set_operating_points


@given(
    st.lists(
        st.tuples(st.floats(0, 1, allow_subnormal=False), st.booleans()), min_size=4, max_size=120
    ).filter(lambda rows: {True, False} == {positive for _, positive in rows})
)
def test_each_point_keeps_its_rule_on_the_images_that_set_it(
    rows: list[tuple[float, bool]],
) -> None:
    probability = np.array([p for p, _ in rows])
    positive = np.array([y for _, y in rows])
    points = {point.name: point for point in set_operating_points(probability, positive)}
    assert set(points) == {"triage", "balanced", "rule-in"}
    assert points["triage"].sensitivity >= 0.98
    assert points["rule-in"].specificity >= 0.98
    for point in points.values():
        assert point.n == len(rows)
        assert 0.0 <= point.threshold <= 1.0


def test_the_figures_are_those_of_the_threshold() -> None:
    rng = np.random.default_rng(7)
    positive = rng.random(400) < 0.6
    probability = 1 / (1 + np.exp(-(rng.normal(0, 1.5, 400) + np.where(positive, 1.5, -1.5))))
    for point in set_operating_points(probability, positive):
        flagged = probability >= point.threshold
        assert flagged[positive].mean() == pytest.approx(point.sensitivity)
        assert (~flagged)[~positive].mean() == pytest.approx(point.specificity)
