"""One reader for every way in: PNG, JPEG, TIFF, BMP and DICOM become a `Radiograph`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from lungflag.radiograph.files import load
from lungflag.radiograph.sniff import Format, recognise

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

__all__ = ["Radiograph", "read_radiograph"]


@dataclass(frozen=True, slots=True, eq=False)
class Radiograph:
    """Upright grey pixels, air dark and bone bright, and what the header says.

    Attributes
    ----------
    pixels : NDArray[np.float32]
        Shape (rows, columns), 0 to 1, MONOCHROME2, read-only.
    source : str
        The file's path, or another name of the input.
    header : Mapping[str, str]
        DICOM keyword to value, for the attributes that a product needs. Empty for image files.
    """

    pixels: NDArray[np.float32]
    source: str
    header: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_radiograph(
    source: str | Path | bytes | Dataset,
    *,
    name: str | None = None,
    minimum_side: int | None = None,
) -> Radiograph:
    """Read one radiograph, whatever way it comes in.

    The format is recognised by content, never by file name. Safe to call from many threads.

    Parameters
    ----------
    source : str, Path, bytes or pydicom.Dataset
        A file, the content of one, or a DICOM object in memory, which is left unchanged.
    name : str, optional
        What to call the input in `Radiograph.source` and in errors. By default the path, or the
        SOP Instance UID of a Dataset.
    minimum_side : int, optional
        Allow a JPEG file to be decoded at a half, a quarter or an eighth of its scale, as long as
        rows and columns stay at least this many pixels. By default nothing is reduced.

    Returns
    -------
    Radiograph
        With read-only pixels and header.

    Raises
    ------
    UnreadableError
        If the input is missing, empty, damaged, cut short, or of no format that is read here.
    NotARadiographError
        If it is readable, but not one projection radiograph meant for presentation.
    """
    if isinstance(source, (str, Path)):
        name = name or str(source)
        source = load(name, Path(source))
    if isinstance(source, bytes):
        return _from_bytes(name or f"<{len(source)} bytes>", source, minimum_side)
    return _from_dataset(name, source)


def _from_bytes(name: str, data: bytes, minimum_side: int | None) -> Radiograph:
    kind = recognise(name, data)
    if kind is Format.DICOM:
        from lungflag.radiograph import dicom

        return _from_dataset(name, dicom.parse(name, data))
    from lungflag.radiograph import raster

    pixels = raster.decode(name, data, kind, minimum_side)
    pixels.setflags(write=False)
    return Radiograph(pixels, name)


def _from_dataset(name: str | None, ds: Dataset) -> Radiograph:
    from lungflag.radiograph import dicom

    pixels, name, header = dicom.read_dataset(name, ds)
    pixels.setflags(write=False)
    return Radiograph(pixels, name, header)
