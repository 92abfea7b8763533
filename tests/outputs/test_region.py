from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lungflag.outputs.region import peak_region


def test_the_rectangle_of_a_peak_in_the_images_pixels() -> None:
    heatmap = np.full((7, 7), -2, np.float32)
    heatmap[2, 4] = 10
    heatmap[2, 5] = 7.5  # exactly three quarters
    heatmap[3, 4] = 7.4
    heatmap[6, 0] = 9.9  # as high, but elsewhere
    corners = peak_region(heatmap, rows=1400, columns=700)
    assert corners is not None
    assert corners.tolist() == [[400, 400], [600, 400], [600, 600], [400, 600], [400, 400]]


@pytest.mark.parametrize("height", [0.0, -0.1])
def test_no_evidence_no_region(height: float) -> None:
    assert peak_region(np.full((3, 3), height, np.float32), 10, 10) is None


def test_a_single_place_is_the_whole_image() -> None:
    corners = peak_region(np.ones((1, 1), np.float32), 30, 20)
    assert corners is not None
    assert corners.min(axis=0).tolist() == [0, 0]
    assert corners.max(axis=0).tolist() == [20, 30]


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(-20, 20, width=32),
    ),
    st.integers(1, 5000),
    st.integers(1, 5000),
)
def test_a_region_lies_in_the_image_around_the_peak(
    heatmap: np.ndarray[tuple[int, int], np.dtype[np.float32]], rows: int, columns: int
) -> None:
    corners = peak_region(heatmap, rows, columns)
    if corners is None:
        assert heatmap.max() <= 0
        return
    assert corners.shape == (5, 2)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    assert 0 <= left < right <= columns
    assert 0 <= top < bottom <= rows
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    assert top <= (row + 0.5) * rows / heatmap.shape[0] <= bottom
    assert left <= (column + 0.5) * columns / heatmap.shape[1] <= right
