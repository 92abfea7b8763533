"""Alarms of drift: they ring when something moved, and hold still when nothing did."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2

from lungflag.station.quality import stability as module
from lungflag.station.quality.energy import energy_distance
from lungflag.station.quality.stability import ALPHA, FEWEST, LARGE, stability

RUNS = 200
FINITE = st.floats(-1e6, 1e6, width=32)


@given(
    arrays(np.float32, st.integers(1, 200), elements=FINITE),
    arrays(np.float32, st.integers(0, 200), elements=FINITE),
)
def test_the_index_is_finite_and_never_negative(
    reference: np.ndarray[tuple[int], np.dtype[np.float32]],
    current: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    found = stability(reference, current)
    if found.psi is not None:
        assert 0 <= found.psi < np.inf
        assert sum(one.current for one in found.bins) == pytest.approx(1)
        assert sum(one.reference for one in found.bins) == pytest.approx(1)
    assert found.alarm <= (found.level == "large")
    assert not (found.alarm and min(len(reference), len(current)) < FEWEST)


def test_the_index_by_hand() -> None:
    """Two bins of 100 and 100 against 150 and 50, with half a value added to each."""
    reference = np.repeat([0.0, 1.0], 100)
    current = np.repeat([0.0, 1.0], [150, 50])
    before, after = np.array([0.5, 0.5]), np.array([150.5, 50.5]) / 201
    found = stability(reference, current)
    assert found.psi == pytest.approx(((after - before) * np.log(after / before)).sum())
    assert found.level == "large"
    assert found.alarm


@pytest.mark.parametrize("degrees", range(1, 10))
def test_the_quantile_is_near_scipys(degrees: int) -> None:
    assert module._chi_squared(degrees) == pytest.approx(chi2.ppf(1 - ALPHA, degrees), rel=0.02)


@pytest.mark.parametrize("n", [50, 100, 400])
def test_scores_that_did_not_move_ring_as_seldom_as_promised(n: int) -> None:
    rng = np.random.default_rng(n)
    alarms = sum(
        stability(rng.beta(0.4, 0.4, 400), rng.beta(0.4, 0.4, n)).alarm for _ in range(RUNS * 5)
    )
    assert alarms <= RUNS * 5 * ALPHA * 3


def test_small_samples_pass_the_usual_bound_by_chance_alone() -> None:
    """Why an alarm asks for more than 0.25: this is no rare event."""
    rng = np.random.default_rng(1)
    found = [stability(rng.normal(size=60), rng.normal(size=60)) for _ in range(RUNS)]
    assert sum((one.psi or 0) >= LARGE for one in found) > RUNS / 3
    assert sum(one.alarm for one in found) <= 4


def test_scores_that_moved_ring() -> None:
    rng = np.random.default_rng(2)
    found = [stability(rng.normal(size=400), rng.normal(0.8, 1, 120)) for _ in range(RUNS)]
    assert np.mean([one.alarm for one in found]) > 0.95


def test_embeddings_that_did_not_move_ring_as_seldom_as_promised() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for seed in range(RUNS):
        reference, current = rng.normal(size=(80, 6)), rng.normal(size=(60, 6))
        alarms += energy_distance(reference, current, permutations=199, seed=seed).alarm
    assert alarms <= 5  # 1 expected


@pytest.mark.parametrize("change", ["mean", "spread"])
def test_embeddings_that_moved_ring(change: str) -> None:
    rng = np.random.default_rng(4)
    for seed in range(20):
        reference = rng.normal(size=(200, 6))
        current = rng.normal(0.8 if change == "mean" else 0, 1 if change == "mean" else 2, (80, 6))
        assert energy_distance(reference, current, permutations=199, seed=seed).alarm


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-50, 50))
def test_the_distance_knows_no_units(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(60, 3)), rng.normal(0.3, 1, (70, 3))
    one = energy_distance(a, b, permutations=19)
    other = energy_distance(scale * a + shift, scale * b + shift, permutations=19)
    assert one.energy is not None
    assert one.energy == pytest.approx(other.energy, abs=2e-3)
    assert 0 <= one.energy <= 1


def test_the_distance_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(50, 4)), rng.normal(1, 1, (55, 4))

    def apart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        distances: np.ndarray = np.linalg.norm(x[:, None] - y[None], axis=2)
        return distances

    across = apart(a, b).mean()
    within = apart(a, a).sum() / (50 * 49) + apart(b, b).sum() / (55 * 54)
    found = energy_distance(a, b, permutations=19)
    assert found.energy == pytest.approx((2 * across - within) / (2 * across), abs=1e-5)


def test_points_that_are_all_the_same_are_no_drift() -> None:
    found = energy_distance(np.ones((60, 2)), np.ones((60, 2)), permutations=19)
    assert found.energy == 0
    assert not found.alarm


def test_too_few_say_nothing() -> None:
    rng = np.random.default_rng(6)
    found = energy_distance(rng.normal(size=(200, 3)), rng.normal(9, 1, (FEWEST - 1, 3)))
    assert found.energy is None
    assert not found.alarm
