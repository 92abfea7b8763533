from __future__ import annotations

import numpy as np
import pytest

from lungflag.errors import NotARadiographError
from lungflag.radiograph.pixels import CHROMA, COLOURED, check_size, grey_levels, scaled


@pytest.mark.parametrize(("rows", "columns"), [(28, 28), (28, 2**21), (8192, 8192)])
def test_sensible_sizes_pass(rows: int, columns: int) -> None:
    check_size("film", rows, columns)


@pytest.mark.parametrize(
    ("rows", "columns", "reason"),
    [
        (27, 2000, "is absurdly small: 2000 x 27 pixels, at least 28 needed"),
        (0, 0, "is absurdly small: 0 x 0 pixels, at least 28 needed"),
        (60000, 60000, "is absurdly large: 60000 x 60000 pixels"),
    ],
)
def test_absurd_sizes_are_refused(rows: int, columns: int, reason: str) -> None:
    with pytest.raises(NotARadiographError) as refused:
        check_size("film", rows, columns)
    assert str(refused.value) == f"film: {reason}"


@pytest.mark.parametrize("maximum", [255, 4095, 65535])
def test_levels_become_0_to_1(maximum: int) -> None:
    levels = np.array([[0, 1, maximum]], dtype=np.uint16)
    assert scaled(levels, maximum).tolist() == [[0, np.float32(1 / maximum), 1]]


def coloured(share: float, chroma: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rgb = np.full((100, 100, 3), 200, np.uint8)
    rgb[: round(share * 100), :, 2] = 200 - round(chroma * 255)
    return rgb


def test_equal_channels_are_the_grey_levels() -> None:
    grey = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    assert (grey_levels("film", np.stack([grey] * 3, -1), 65535) == grey).all()


def test_a_slight_tint_everywhere_and_strong_colour_in_few_places_are_tolerated() -> None:
    assert abs(int(grey_levels("film", coloured(1, CHROMA - 0.01), 255)[0, 0]) - 197) <= 1
    assert grey_levels("film", coloured(COLOURED - 0.01, 0.7), 255).shape == (100, 100)


def test_colour_is_refused() -> None:
    with pytest.raises(NotARadiographError, match=r"^film: is a colour image: 12% of its pixels"):
        grey_levels("film", coloured(COLOURED + 0.02, CHROMA + 0.02), 255)


@pytest.mark.parametrize("bits", range(8, 17))
def test_levels_are_rounded_once(bits: int) -> None:
    """Each level becomes the number of 32 bits that is nearest to its share of the whole."""
    whole = 2**bits - 1
    levels = np.arange(whole + 1, dtype=np.uint8 if bits == 8 else np.uint16)
    exact = (np.arange(whole + 1) / whole).astype(np.float32)
    assert np.array_equal(scaled(levels, whole), exact)
