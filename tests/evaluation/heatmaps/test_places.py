from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from lungflag.evaluation.heatmaps import lung_share, peak, points_at, side_by_side, spread

MAPS = arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(
    -10, 10, width=32), unique=True)  # fmt: skip


@given(heatmap=MAPS, rows=st.integers(40, 90), columns=st.integers(40, 90))
def test_the_peak_is_where_the_interpolated_map_is_highest(
    heatmap: np.ndarray, rows: int, columns: int
) -> None:
    large = spread(heatmap, (rows, columns))
    assert large.shape == (rows, columns)
    # A pixel's middle may miss a place's by half a pixel on each side.
    slack = 2 * np.ptp(heatmap) * max(heatmap.shape[0] / rows, heatmap.shape[1] / columns)
    assert large[peak(heatmap, (rows, columns))] >= large.max() - slack


def test_a_map_covers_the_whole_film() -> None:
    heatmap = np.zeros((4, 4), np.float32)
    heatmap[3, 0] = 1
    assert peak(heatmap, (80, 40)) == (70, 5)
    assert peak(np.ones((1, 1)), (80, 40)) == (40, 20)


@given(
    mask=arrays(np.bool_, (20, 30)).filter(np.any),
    row=st.integers(0, 19),
    column=st.integers(0, 29),
    tolerance=st.floats(0, 0.5),
)
def test_the_pointing_game_agrees_with_a_distance_transform(
    mask: np.ndarray, row: int, column: int, tolerance: float
) -> None:
    hit, near = points_at((row, column), mask, tolerance=tolerance)
    distance = float(distance_transform_edt(~mask)[row, column])
    assert hit == (distance == 0)
    if abs(distance - tolerance * 30) > 1e-6:
        assert near == (distance < tolerance * 30)
    assert near >= hit


@given(heatmap=MAPS, lungs=arrays(np.bool_, (24, 24)).filter(np.any))
def test_the_share_within_and_without_the_lungs_is_all(
    heatmap: np.ndarray, lungs: np.ndarray
) -> None:
    inside, outside = lung_share(heatmap, lungs), lung_share(heatmap, ~lungs)
    if inside is None or outside is None:
        assert heatmap.max() <= 0 or spread(heatmap, (24, 24)).max() <= 0
        return
    assert inside.inside + outside.inside == pytest.approx(1, abs=1e-5)
    assert inside.area + outside.area == pytest.approx(1)
    assert inside.peak != outside.peak


def test_a_map_without_aim_has_the_share_of_the_area() -> None:
    lungs = np.zeros((40, 50), dtype=np.bool_)
    lungs[10:30, 5:20] = True
    level = lung_share(np.full((7, 7), 2.0, np.float32), lungs)
    assert level is not None
    assert level.inside == pytest.approx(level.area)
    assert level.area == pytest.approx(0.15)
    speaks_against = lung_share(np.full((7, 7), -2.0, np.float32), lungs)
    assert speaks_against is None


def test_what_speaks_against_pneumonia_is_not_counted() -> None:
    heatmap = np.full((4, 4), -5.0, np.float32)
    heatmap[1, 1] = 5
    lungs = np.zeros((64, 64), dtype=np.bool_)
    lungs[8:40, 8:40] = True
    found = lung_share(heatmap, lungs)
    assert found is not None
    assert found.inside == pytest.approx(1)
    assert found.peak


def test_maps_are_compared_where_either_speaks() -> None:
    one, other = np.zeros((5, 5)), np.zeros((5, 5))
    one[1, 1:4], other[1, 2:5] = (1, 2, 3), (4, 5, 6)
    values = side_by_side(one, other)
    assert values is not None
    np.testing.assert_array_equal(values, [[1, 2, 3, 0], [0, 4, 5, 6]])
    assert side_by_side(one, np.zeros((5, 5))) is None
    assert side_by_side(np.zeros((5, 5)), np.zeros((5, 5))) is None
    assert side_by_side(one, np.full((5, 5), np.nan)) is None
