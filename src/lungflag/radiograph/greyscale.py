"""The DICOM grey scale pipeline, from stored values to what a person shall see.

DICOM PS3.4 N.2 gives the order: Modality LUT or rescale, VOI LUT or window, Presentation LUT,
polarity. Stored values have at most 16 bits, so the pipeline runs once over every value that can
be stored and its result is a table. `pydicom.pixels` has these steps too, but scales the last one
by the image's own minimum and maximum, wraps indices into VOI LUTs with 8-bit entries and knows
Modality LUTs of 8 and 16 bits alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset


Level = TypeVar("Level", np.float32, np.uint16)

_ROWS = 32


class Stored(NamedTuple):
    """The range of values that can be stored (PS3.5, 8.1.1)."""

    lowest: int
    highest: int

    @classmethod
    def of(cls, ds: Dataset) -> Stored:
        """Return the range that Bits Stored and Pixel Representation of `ds` allow."""
        bits = int(ds.BitsStored)
        if int(ds.PixelRepresentation) == 1:
            return cls(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return cls(0, 2**bits - 1)

    def seen(self, table: NDArray[Level], bits: NDArray[np.unsignedinteger]) -> NDArray[Level]:
        """Return what a table says of every pixel.

        Parameters
        ----------
        table : NDArray
            An entry for every value that can be stored, from the lowest to the highest.
        bits : NDArray[np.unsignedinteger]
            Bits Stored of every pixel, shape (rows, columns): of negative values the two's
            complement, which comes after the positive ones.

        Returns
        -------
        NDArray
            Shape (rows, columns), of the table's type.
        """
        by_bits = np.roll(table, self.lowest)
        pixels = np.empty(bits.shape, table.dtype)
        # Some rows at a time, for numpy widens indices to 64 bits. No index is outside, and "wrap"
        # saves another copy of them.
        for start in range(0, len(bits), _ROWS):
            rows = slice(start, start + _ROWS)
            np.take(by_bits, bits[rows], out=pixels[rows], mode="wrap")
        return pixels


def brightness(ds: Dataset, *, little_endian: bool = True) -> NDArray[np.float32]:
    """Return the brightness of every value that `ds` can store, from the lowest to the highest.

    Parameters
    ----------
    ds : Dataset
        With Bits Stored, Pixel Representation, Photometric Interpretation, and the attributes of
        the Modality LUT, VOI LUT and Presentation LUT modules where it has them.
    little_endian : bool
        Byte order of LUT Data that is stored as bytes.

    Returns
    -------
    NDArray[np.float32]
        Shape (2 ** Bits Stored,), 0 (black) to 1 (white).

    Raises
    ------
    ValueError
        If an attribute is of no use, such as a window of width 0.

    References
    ----------
    DICOM PS3.3 C.11.1, C.11.2, C.11.4 and C.8.11.3; PS3.4 N.2; for padding PS3.3 C.7.5.1.1.2.
    """
    stored = Stored.of(ds)
    values = np.arange(stored.lowest, stored.highest + 1, dtype=np.float64)
    values, lowest, highest = _modality(values, ds, little_endian)
    seen = _voi(values, lowest, highest, ds, little_endian)
    seen = _presentation(seen, ds, little_endian)
    seen[_padding(ds, stored)] = 0.0
    return seen.astype(np.float32)


class Levels(NamedTuple):
    """What a viewer shows of every value that can be stored, and the window to begin with.

    Attributes
    ----------
    table : NDArray[np.uint16]
        Shape (2 ** Bits Stored,), 0 (black) to 65535 (white).
    center, width : float or None
        The window in these levels, as in LINEAR_EXACT; None where the header has none.
    """

    table: NDArray[np.uint16]
    center: float | None
    width: float | None


def levels(ds: Dataset, *, little_endian: bool = True) -> Levels:
    """Return the grey scale for a viewer, which applies a window itself.

    A linear window cuts nothing off here, so that a person can widen it. What is not linear (a VOI
    LUT, a sigmoid, a Presentation LUT) is applied.

    Parameters
    ----------
    ds, little_endian
        As for `brightness`.

    Raises
    ------
    ValueError
        As `brightness`.
    """
    stored = Stored.of(ds)
    function = str(ds.get("VOILUTFunction") or "LINEAR").strip().upper()
    bent = _item(ds, "VOILUTSequence") is not None or function == "SIGMOID"
    if bent or _item(ds, "PresentationLUTSequence") is not None:
        return Levels(_to_16_bits(brightness(ds, little_endian=little_endian)), 32_767.5, 65_535.0)
    values = np.arange(stored.lowest, stored.highest + 1, dtype=np.float64)
    values, lowest, highest = _modality(values, ds, little_endian)
    seen = _presentation((values - lowest) / (highest - lowest), ds, little_endian)
    seen[_padding(ds, stored)] = 0.0
    center, width = _number(ds, "WindowCenter"), _number(ds, "WindowWidth")
    if center is None or width is None:
        return Levels(_to_16_bits(seen), None, None)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width <= 0:
        raise ValueError(f"Window Width is {width:g}")
    middle = _presentation(np.array([(center - lowest) / (highest - lowest)]), ds, little_endian)
    scale = 65_535 / (highest - lowest)
    return Levels(_to_16_bits(seen), 65_535 * float(middle[0]), scale * width)


def _to_16_bits(seen: NDArray[np.floating]) -> NDArray[np.uint16]:
    sixteen: NDArray[np.uint16] = np.rint(np.clip(seen, 0, 1) * 65_535).astype(np.uint16)
    return sixteen


@dataclass(frozen=True, slots=True)
class _Lut:
    """One item of a LUT sequence.

    Attributes
    ----------
    first : int
        The value that the first entry is for; what lies outside takes the nearest entry.
    entries : NDArray[np.uint16]
        The entries.
    maximum : int
        The largest entry that its bits allow.
    """

    first: int
    entries: NDArray[np.uint16]
    maximum: int

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        index = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        entries: NDArray[np.float64] = self.entries.astype(np.float64)[index.astype(np.intp)]
        return entries


def _lut(item: Dataset, little_endian: bool, *, signed: bool) -> _Lut:
    length, first, bits = (int(value) for value in item.LUTDescriptor)
    length = (length & 0xFFFF) or 2**16  # 0 stands for 65536 (C.11.1.1)
    raw = item.LUTData
    if not isinstance(raw, bytes):  # US: a number or a list of them
        raw, little_endian = np.atleast_1d(np.asarray(raw, dtype="<u2")).tobytes(), True
    if len(raw) >= 2 * length:
        entries = np.frombuffer(raw, "<u2" if little_endian else ">u2", length)
    elif len(raw) >= length and bits <= 8:  # two entries packed into each word
        entries = np.frombuffer(raw, np.uint8, length)
    else:
        raise ValueError(f"LUT Data has {len(raw)} bytes for {length} entries")
    # Some descriptors promise fewer bits than the entries have.
    bits = max(bits, int(entries.max()).bit_length(), 1)
    return _Lut(_as_signed(first) if signed else first, entries.astype(np.uint16), 2**bits - 1)


def _as_signed(value: int) -> int:
    """Read a 16-bit number as signed, as a header means it that wrote it as unsigned."""
    return value - 2**16 if value >= 2**15 else value


def _item(ds: Dataset, keyword: str) -> Dataset | None:
    items = ds.get(keyword)
    return items[0] if items else None


def _number(ds: Dataset, keyword: str) -> float | None:
    """Return the first value of `keyword`: further ones are alternatives to choose from."""
    value: Any = ds.get(keyword)
    if value is None or isinstance(value, str) or not hasattr(value, "__len__"):
        return None if value in (None, "") else float(value)
    return float(value[0]) if len(value) else None


def _modality(
    values: NDArray[np.float64], ds: Dataset, little_endian: bool
) -> tuple[NDArray[np.float64], float, float]:
    """Return the values after the Modality LUT or rescale, and the range that they can have."""
    item = _item(ds, "ModalityLUTSequence")
    if item is not None:
        lut = _lut(item, little_endian, signed=values[0] < 0)
        return lut(values), 0.0, float(lut.maximum)
    slope, intercept = _number(ds, "RescaleSlope"), _number(ds, "RescaleIntercept")
    if slope == 0:
        raise ValueError("Rescale Slope is 0")
    values = values * (1.0 if slope is None else slope) + (intercept or 0.0)
    return values, float(values.min()), float(values.max())


def _voi(
    values: NDArray[np.float64], lowest: float, highest: float, ds: Dataset, little_endian: bool
) -> NDArray[np.float64]:
    """Return 0 to 1 after the first VOI LUT, else the first window, else the whole range."""
    item = _item(ds, "VOILUTSequence")
    if item is not None:
        lut = _lut(item, little_endian, signed=lowest < 0)
        return lut(values) / lut.maximum
    center, width = _number(ds, "WindowCenter"), _number(ds, "WindowWidth")
    if center is None or width is None:
        return (values - lowest) / (highest - lowest)
    function = str(ds.get("VOILUTFunction") or "LINEAR").strip().upper()
    return _window(values, center, width, function)


def _window(
    values: NDArray[np.float64], center: float, width: float, function: str
) -> NDArray[np.float64]:
    """Return 0 to 1 by PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 and C.11.2.1.3.2."""
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise ValueError(f"Window Width is {width:g}")
    if function == "LINEAR":
        if width == 1:
            return (values > center - 0.5).astype(np.float64)
        return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    if function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0, 1)
    if function == "SIGMOID":
        return np.exp(-np.logaddexp(0, -4 * (values - center) / width))
    raise ValueError(f"VOI LUT Function is {function}")


def _presentation(
    seen: NDArray[np.float64], ds: Dataset, little_endian: bool
) -> NDArray[np.float64]:
    """Return 0 to 1 in P-Values.

    MONOCHROME1 and Presentation LUT Shape INVERSE say the same thing of an image (C.8.11.3), so
    that one of them is enough and both invert once.
    """
    item = _item(ds, "PresentationLUTSequence")
    if item is not None:
        lut = _lut(item, little_endian, signed=False)
        return lut(seen * (len(lut.entries) - 1)) / lut.maximum
    shape = str(ds.get("PresentationLUTShape") or "IDENTITY").strip().upper()
    if shape not in ("IDENTITY", "INVERSE"):
        raise ValueError(f"Presentation LUT Shape is {shape}")
    inverse = shape == "INVERSE" or ds.PhotometricInterpretation.strip() == "MONOCHROME1"
    return 1.0 - seen if inverse else seen


def _padding(ds: Dataset, stored: Stored) -> slice:
    """Return where the table holds pixels that were added to fill the rectangle: shown black."""
    value = ds.get("PixelPaddingValue")
    if value is None:
        return slice(0)
    bounds = [int(value), int(ds.get("PixelPaddingRangeLimit", value))]
    first, last = sorted(_as_signed(bound) if stored.lowest < 0 else bound for bound in bounds)
    return slice(max(first - stored.lowest, 0), max(last - stored.lowest + 1, 0))
