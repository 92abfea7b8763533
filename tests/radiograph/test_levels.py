"""The grey scale for viewers agrees with the one for the detector, wherever the window goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lungflag.radiograph.greyscale import brightness, levels
from tests.radiograph.objects import dx

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
@pytest.mark.parametrize("slope", [1, -2, 0.5])
def test_a_windowed_picture_is_the_detectors(photometric: str, function: str, slope: float) -> None:
    ds = dx(
        RAMP,
        12,
        PhotometricInterpretation=photometric,
        VOILUTFunction=function,
        WindowCenter=1000 * slope,
        WindowWidth=700,
        RescaleSlope=slope,
        RescaleIntercept=-5,
    )
    scale = levels(ds)
    assert scale.center is not None
    assert scale.width is not None
    seen = np.clip((scale.table.astype(float) - scale.center) / scale.width + 0.5, 0, 1)
    assert np.abs(seen - brightness(ds)).max() < 2e-3
    assert len(set(scale.table)) == 4096  # nothing is cut off


@pytest.mark.parametrize(
    "attributes",
    [{"VOILUTFunction": "SIGMOID", "WindowCenter": 2000, "WindowWidth": 900}],
)
def test_what_is_not_linear_is_applied(attributes: dict[str, Any]) -> None:
    ds = dx(RAMP, 12, **attributes)
    scale = levels(ds)
    assert np.abs(scale.table / 65535 - brightness(ds)).max() < 1e-4
    assert (scale.center, scale.width) == (32_767.5, 65_535.0)


def test_without_a_window_none_is_made_up_and_padding_is_black() -> None:
    scale = levels(dx(RAMP, 12, PixelPaddingValue=4095))
    assert (scale.center, scale.width) == (None, None)
    assert scale.table[4095] == 0
    assert scale.table[4094] == round(4094 / 4095 * 65535)


def test_a_window_of_no_width() -> None:
    with pytest.raises(ValueError, match="Window Width"):
        levels(dx(RAMP, 12, WindowCenter=5, WindowWidth=1))
