from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from lungflag.errors import UnreadableError
from lungflag.radiograph import read_radiograph
from lungflag.radiograph.greyscale import Stored, brightness

from .objects import content, dx

BITS = st.integers(8, 16)
SIGNED = st.booleans()
CENTERS = st.floats(-5000, 5000).map(lambda x: round(x, 2))
WIDTHS = st.floats(1, 5000).map(lambda x: round(x, 2))
FUNCTIONS = st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"])


def header(bits: int = 12, signed: bool = False, **attributes: Any) -> Dataset:
    ds = Dataset()
    ds.BitsStored, ds.PixelRepresentation = bits, int(signed)
    ds.PhotometricInterpretation = "MONOCHROME2"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def lut(entries: Any, first: int = 0, bits: int = 16, vr: str = "OW") -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(entries) % 2**16, first, bits])
    data = np.asarray(entries, dtype="<u2")
    item.add_new("LUTData", vr, data.tobytes() if vr == "OW" else data.tolist())
    return item


def by_the_book(x: float, c: float, w: float, function: str) -> float:
    """PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2 as written there, for y from 0 to 1."""
    if function == "LINEAR":
        if x <= c - 0.5 - (w - 1) / 2:
            return 0.0
        if x > c - 0.5 + (w - 1) / 2:
            return 1.0
        return (x - (c - 0.5)) / (w - 1) + 0.5
    if function == "LINEAR_EXACT":
        if x <= c - w / 2:
            return 0.0
        if x > c + w / 2:
            return 1.0
        return (x - c) / w + 0.5
    return 1 / (1 + exp(min(-4 * (x - c) / w, 700)))


@settings(deadline=None, max_examples=60)
@given(BITS, SIGNED, CENTERS, WIDTHS, FUNCTIONS, st.data())
def test_windows_follow_the_standard(
    bits: int, signed: bool, center: float, width: float, function: str, data: st.DataObject
) -> None:
    ds = header(bits, signed, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    table, stored = brightness(ds), Stored.of(ds)
    for value in data.draw(st.lists(st.integers(*stored), min_size=1, max_size=20)):
        expected = by_the_book(value, float(ds.WindowCenter), float(ds.WindowWidth), function)
        assert table[value - stored.lowest] == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(BITS, SIGNED, CENTERS, WIDTHS, FUNCTIONS)
def test_windows_are_monotonic_and_stay_within_0_and_1(
    bits: int, signed: bool, center: float, width: float, function: str
) -> None:
    table = brightness(
        header(bits, signed, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    )
    assert (np.diff(table) >= 0).all()
    assert table.min() >= 0
    assert table.max() <= 1


@settings(deadline=None, max_examples=60)
@given(BITS, SIGNED, CENTERS, WIDTHS, FUNCTIONS)
def test_monochrome1_is_the_complement_after_the_window(
    bits: int, signed: bool, center: float, width: float, function: str
) -> None:
    window = {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}
    plain = brightness(header(bits, signed, **window))
    inverse = brightness(header(bits, signed, **window, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_allclose(inverse, 1 - plain, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(BITS, SIGNED, CENTERS, WIDTHS, FUNCTIONS, st.floats(0.1, 9), st.floats(-999, 999))
def test_a_rescale_is_a_shifted_and_stretched_exact_window(
    bits: int,
    signed: bool,
    center: float,
    width: float,
    function: str,
    slope: float,
    intercept: float,
) -> None:
    slope, intercept = round(slope, 2), round(intercept, 2)
    if function == "LINEAR":  # which has a grey level's width in it, that does not stretch
        slope = 1.0
    rescaled = header(
        bits,
        signed,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=round(center * slope + intercept, 6),
        WindowWidth=round(width * slope, 6),
        VOILUTFunction=function,
    )
    plain = header(bits, signed, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    # At a width of 1 the window is a step, on which rounding decides.
    if width > 1.5:
        np.testing.assert_allclose(brightness(rescaled), brightness(plain), atol=1e-3)


@settings(deadline=None, max_examples=60)
@given(BITS, SIGNED)
def test_without_a_voi_step_the_whole_stored_range_is_seen(bits: int, signed: bool) -> None:
    expected = np.arange(2**bits) / (2**bits - 1)
    np.testing.assert_array_equal(brightness(header(bits, signed)), expected.astype(np.float32))


@settings(deadline=None, max_examples=60)
@given(BITS)
def test_signed_values_are_unsigned_ones_with_an_offset(bits: int) -> None:
    half = 2 ** (bits - 1)
    signed = header(bits, True, WindowCenter=-10, WindowWidth=100)
    unsigned = header(bits, False, WindowCenter=half - 10, WindowWidth=100)
    np.testing.assert_array_equal(brightness(signed), brightness(unsigned))


def test_a_negative_slope_turns_the_grey_scale_round() -> None:
    table = brightness(header(RescaleSlope=-1, RescaleIntercept=4095))
    np.testing.assert_allclose(table, 1 - np.arange(4096) / 4095, atol=1e-6)


@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(("signed", "first"), [(False, 0), (False, 100), (True, -2048)])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_luts_map_clip_and_scale(
    vr: str, keyword: str, signed: bool, first: int, bits: int
) -> None:
    entries = np.linspace(0, 2**bits - 1, 1000).round() ** 2 // (2**bits - 1)
    ds = header(12, signed, **{keyword: [lut(entries, first, bits, vr)]})
    values = [*np.arange(*Stored.of(ds)).tolist(), Stored.of(ds).highest]
    expected = [entries[min(max(value - first, 0), 999)] / (2**bits - 1) for value in values]
    np.testing.assert_allclose(brightness(ds), expected, atol=1e-6)


def test_lut_of_65536_entries_of_bytes_packed_into_words() -> None:
    item = lut([0])
    item.LUTDescriptor = [0, 0, 8]
    item.LUTData = (np.arange(65536) // 256).astype(np.uint8).tobytes()
    table = brightness(header(16, VOILUTSequence=[item]))
    np.testing.assert_allclose(table, np.arange(65536) // 256 / 255, atol=1e-6)


def test_lut_data_in_big_endian() -> None:
    item = lut([0])
    item.LUTDescriptor = [4096, 0, 12]
    item.LUTData = np.arange(4096, dtype=">u2").tobytes()
    table = brightness(header(VOILUTSequence=[item]), little_endian=False)
    np.testing.assert_allclose(table, np.arange(4096) / 4095, atol=1e-6)


def test_a_lut_with_more_bits_than_it_says_is_not_saturated() -> None:
    table = brightness(header(VOILUTSequence=[lut(np.arange(4096), bits=10)]))
    np.testing.assert_allclose(table, np.arange(4096) / 4095, atol=1e-6)


def test_first_index_written_unsigned_is_read_as_signed() -> None:
    item = lut(np.arange(4096), bits=12)
    item.LUTDescriptor = [4096, 65536 - 2048, 12]
    table = brightness(header(12, True, VOILUTSequence=[item]))
    np.testing.assert_allclose(table, np.arange(4096) / 4095, atol=1e-6)


def test_the_order_is_modality_voi_presentation_polarity() -> None:
    square = np.arange(4096) ** 2 // 4095
    ds = header(
        ModalityLUTSequence=[lut(square, bits=12)],
        WindowCenter=1000,
        WindowWidth=500,
        PhotometricInterpretation="MONOCHROME1",
    )
    expected = [1 - by_the_book(float(value), 1000, 500, "LINEAR") for value in square]
    np.testing.assert_allclose(brightness(ds), expected, atol=1e-6)


def test_the_voi_lut_and_the_first_window_are_taken_of_several() -> None:
    windows = header(WindowCenter=[100, 2000], WindowWidth=[50, 400])
    first = header(WindowCenter=100, WindowWidth=50)
    np.testing.assert_array_equal(brightness(windows), brightness(first))
    windows.VOILUTSequence = [lut(np.arange(4096), bits=12)]
    np.testing.assert_array_equal(brightness(windows), brightness(header()))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("shape", [None, "IDENTITY", "INVERSE"])
def test_polarity_inverts_once(photometric: str, shape: str | None) -> None:
    ds = header(PhotometricInterpretation=photometric)
    if shape:
        ds.PresentationLUTShape = shape
    inverted = photometric == "MONOCHROME1" or shape == "INVERSE"
    assert brightness(ds)[0] == (1 if inverted else 0)
    assert brightness(ds)[-1] == (0 if inverted else 1)


def test_presentation_lut_gives_the_final_values() -> None:
    ds = header(PresentationLUTSequence=[lut(np.arange(256)[::-1], bits=8)])
    table = brightness(ds)
    assert (table[0], table[-1]) == (1, 0)
    assert (np.diff(table) <= 0).all()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("signed", "attributes", "black"),
    [
        (False, {"PixelPaddingValue": 7}, [7]),
        (False, {"PixelPaddingValue": 7, "PixelPaddingRangeLimit": 5}, [5, 6, 7]),
        (True, {"PixelPaddingValue": -2048}, [0]),
        (False, {"PixelPaddingValue": 60000}, []),
    ],
)
def test_padding_is_black(
    photometric: str, signed: bool, attributes: dict[str, int], black: list[int]
) -> None:
    window = {"WindowCenter": 5000, "WindowWidth": 10}
    if photometric == "MONOCHROME2":
        window["WindowCenter"] = -5000
    ds = header(12, signed, PhotometricInterpretation=photometric, **window, **attributes)
    assert np.flatnonzero(brightness(ds) == 0).tolist() == black


def test_padding_written_unsigned_is_read_as_signed() -> None:
    ds = header(12, True, WindowCenter=-5000, WindowWidth=10)
    ds.add_new("PixelPaddingValue", "US", 65536 - 2000)
    assert np.flatnonzero(brightness(ds) == 0).tolist() == [48]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"WindowCenter": 5, "WindowWidth": 0}, "Window Width is 0"),
        ({"WindowCenter": 5, "WindowWidth": 0.5}, "Window Width is 0.5"),
        (
            {"WindowCenter": 5, "WindowWidth": -1, "VOILUTFunction": "SIGMOID"},
            "Window Width is -1",
        ),
        (
            {"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "CUBIC"},
            "VOI LUT Function is CUBIC",
        ),
        ({"RescaleSlope": 0, "RescaleIntercept": 1}, "Rescale Slope is 0"),
        ({"PresentationLUTShape": "ROUND"}, "Presentation LUT Shape is ROUND"),
    ],
)
def test_useless_attributes_are_refused(attributes: dict[str, Any], reason: str) -> None:
    ds = dx(np.zeros((64, 64)), 12, **attributes)
    with pytest.raises(UnreadableError, match=rf"^film: its grey scale .*\({reason}\)$"):
        read_radiograph(content(ds), name="film")


def test_lut_data_that_is_too_short_is_refused() -> None:
    item = lut(np.arange(100))
    item.LUTDescriptor = [4096, 0, 16]
    with pytest.raises(UnreadableError, match=r"LUT Data has 200 bytes for 4096 entries"):
        read_radiograph(dx(np.zeros((64, 64)), 12, VOILUTSequence=[item]))


def test_an_empty_window_is_no_window() -> None:
    np.testing.assert_array_equal(
        brightness(header(WindowCenter=None, WindowWidth="")), brightness(header())
    )
