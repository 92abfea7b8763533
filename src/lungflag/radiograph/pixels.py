"""What raster files and DICOM share: limits of size, the test for colour, levels to 0..1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import NotARadiographError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_SIDE = 28
"""Pixels. The smallest size in which chest radiographs are published (PneumoniaMNIST)."""

LARGEST_AREA = 2**26
"""Pixels. Above three times the area of a 43 cm detector with 0.1 mm pixels."""

CHROMA = 0.1
"""Difference between the largest and the smallest channel (0 to 1) above which a pixel is coloured.

Grey images stay below 0.01 after JPEG compression; film tinted by its base or a lamp below 0.09.
"""

COLOURED = 0.1
"""Share of coloured pixels that makes a colour image.

Markers, frames and text in colour cover up to 0.05 of a radiograph; photographs and images under
a heatmap have more than 0.2.
"""

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def check_size(name: str, rows: int, columns: int) -> None:
    """Raise where the header promises an absurd size, before anything is decoded.

    Raises
    ------
    NotARadiographError
        If a side is below `SMALLEST_SIDE` or the area above `LARGEST_AREA`.
    """
    if min(rows, columns) < SMALLEST_SIDE:
        reason = f"is absurdly small: {columns} x {rows} pixels, at least {SMALLEST_SIDE} needed"
        raise NotARadiographError(name, reason, code="too-small")
    if rows * columns > LARGEST_AREA:
        raise NotARadiographError(name, f"is absurdly large: {columns} x {rows} pixels")


def scaled(levels: NDArray[np.unsignedinteger], maximum: int) -> NDArray[np.float32]:
    """Return grey levels 0 to `maximum` as 0 to 1, in the same shape."""
    pixels: NDArray[np.float32] = np.divide(levels, np.float32(maximum), dtype=np.float32)
    return pixels


def as_16_bits(levels: NDArray[np.unsignedinteger], maximum: int) -> NDArray[np.uint16]:
    """Return grey levels 0 to `maximum` as 0 to 65535, in the same shape."""
    table = np.rint(np.arange(maximum + 1) * (65_535 / maximum)).astype(np.uint16)
    spread: NDArray[np.uint16] = table[levels]
    return spread


def grey_levels(
    name: str, rgb: NDArray[np.unsignedinteger], maximum: int
) -> NDArray[np.unsignedinteger]:
    """Return the grey levels (rows, columns) of a radiograph that is stored in colour.

    Parameters
    ----------
    name : str
        The input's name.
    rgb : NDArray[np.unsignedinteger]
        Shape (rows, columns, 3).
    maximum : int
        The level of full brightness.

    Raises
    ------
    NotARadiographError
        If more than `COLOURED` of the pixels have a chroma above `CHROMA`.
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    share = float(np.mean(chroma > CHROMA * maximum))
    if share > COLOURED:
        raise NotARadiographError(name, f"is a colour image: {share:.0%} of its pixels have colour")
    luma: NDArray[np.unsignedinteger] = np.rint(rgb @ _LUMA).astype(rgb.dtype)
    return luma
