"""Shares have the interval that SciPy gives them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.evaluation.intervals import wilson
from lungflag.station.quality.shares import share


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    found = share(*counts)
    low, high = wilson(*counts)
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_nothing_has_no_share() -> None:
    assert share(0, 0).value is None


@pytest.mark.parametrize("counts", [(1, 0), (-1, 3), (4, 3)])
def test_what_is_no_share_is_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is no share"):
        share(*counts)
