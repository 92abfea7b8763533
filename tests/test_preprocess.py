from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lungflag.preprocess import Preprocess


def _film(seed: int, side: int = 96) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.random((side, side)) * np.linspace(0.2, 1, side), dtype=np.float32)


def test_the_square_is_stretched_to_all_levels() -> None:
    square = Preprocess(size=64)(0.3 + 0.2 * _film(1))
    assert square.shape == (64, 64)
    assert (int(square.min()), int(square.max())) == (0, 255)


@given(st.floats(0.4, 2.5), st.floats(0.1, 1.0), st.floats(0.0, 0.5))
def test_an_equalised_film_says_nothing_of_its_exposure(
    gamma: float, contrast: float, brightness: float
) -> None:
    equalised = Preprocess(size=96, equalise=True)
    film = _film(2)
    other = (film ** np.float32(gamma)) * np.float32(contrast) + np.float32(brightness)
    difference = np.abs(equalised(film).astype(int) - equalised(other))
    assert difference.mean() < 4


def test_an_equalised_film_has_an_even_histogram() -> None:
    square = Preprocess(size=96, equalise=True)(_film(3))
    share, _ = np.histogram(square, bins=4, range=(0, 256))
    assert np.abs(share / square.size - 0.25).max() < 0.1


def test_a_blank_film_stays_blank() -> None:
    square = Preprocess(size=32, equalise=True)(np.full((40, 40), 0.5, np.float32))
    assert square.min() == square.max()


@given(st.integers(28, 700), st.integers(28, 700), st.integers(8, 64))
def test_a_large_film_is_reduced_once_and_by_a_power_of_two(
    rows: int, columns: int, size: int
) -> None:
    preprocess = Preprocess(size=size)
    film = np.random.default_rng(rows * columns).random((rows, columns), dtype=np.float32)
    small = preprocess.reduced(film)
    factor = 1
    while min(rows, columns) // (2 * factor) >= preprocess.working_side:
        factor *= 2
    assert small.shape == (-(-rows // factor), -(-columns // factor))
    assert min(small.shape) >= min(preprocess.working_side, *film.shape)
    np.testing.assert_array_equal(preprocess.reduced(small), small)
    np.testing.assert_array_equal(preprocess(small), preprocess(film))


def test_reduced_pixels_are_averages() -> None:
    film = _film(4, side=80)
    expected = film.reshape(20, 4, 20, 4).mean((1, 3))
    np.testing.assert_allclose(Preprocess(size=10).reduced(film), expected, atol=1e-6)
