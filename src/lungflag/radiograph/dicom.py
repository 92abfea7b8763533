"""DICOM projection radiographs to upright grey pixels and the header that a product needs."""

from __future__ import annotations

import zlib
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydicom import dcmread, uid
from pydicom.multival import MultiValue

from lungflag.errors import NotARadiographError, UnreadableError
from lungflag.radiograph.files import LARGEST_FILE
from lungflag.radiograph.frame import colour_levels, stored_bits, transfer_syntax
from lungflag.radiograph.greyscale import Stored, brightness, levels
from lungflag.radiograph.guard import guarded, printable
from lungflag.radiograph.header import PREFIX, file_meta
from lungflag.radiograph.pixels import as_16_bits, check_size, grey_levels, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

HEADER = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("AccessionNumber", "StudyID", "SeriesNumber", "InstanceNumber"),
    *("StudyDate", "StudyTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("StudyDescription", "SeriesDescription", "ProtocolName", "ReferringPhysicianName"),
    *("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate"),
    *("PatientAge", "PatientSex"),
    *("Modality", "ConversionType", "ImageType", "PresentationIntentType"),
    *("BodyPartExamined", "ViewPosition", "PatientOrientation", "Laterality", "ImageLaterality"),
    *("Manufacturer", "ManufacturerModelName", "StationName", "InstitutionName", "KVP"),
    *("PixelSpacing", "ImagerPixelSpacing", "PhotometricInterpretation", "BurnedInAnnotation"),
    *("LossyImageCompression", "SpecificCharacterSet"),
)
"""Keywords that `Radiograph.header` holds, where the object has them."""

PROJECTIONS = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.XRayRadiofluoroscopicImageStorage,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)
"""SOP Class UIDs of the objects that may hold a radiograph for presentation."""

_PIECE = 2**20  # bytes, by which a data set is inflated to see how far it goes
# DR is no defined term, but what many devices write; RG is film; OT is common in captures.
_MODALITIES = {"CR", "DX", "DR", "RG", "RF", "OT"}
_MONOCHROME = {"MONOCHROME1", "MONOCHROME2"}
_COLOUR = {"RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}


def parse(name: str, data: bytes) -> Dataset:
    """Return the data set of a DICOM file's content, with or without preamble and file meta.

    Raises
    ------
    UnreadableError
        If it is no DICOM, or inflates to an absurd size.
    """
    with guarded(name, "cannot be read as DICOM"):
        _check_deflated(name, data)
        return dcmread(BytesIO(data), force=True)


def read_dataset(
    name: str | None, ds: Dataset
) -> tuple[NDArray[np.float32], str, Mapping[str, str]]:
    """Return the pixels, the name and the header of a DICOM object.

    The pixels have shape (rows, columns) and go from 0 to 1, MONOCHROME2.

    Raises
    ------
    UnreadableError
        If the pixel data are missing, damaged or in a transfer syntax that is not supported, or
        the header contradicts itself.
    NotARadiographError
        If the object is not one projection radiograph meant for presentation.
    """
    with guarded(name or "<dataset>", "its header is damaged"):
        name = name or printable(str(ds.get("SOPInstanceUID") or "<dataset>"))
        _check_kind(name, ds)
        _check_image(name, ds)
        header, syntax = _header(ds), transfer_syntax(ds)
    if ds.PhotometricInterpretation in _COLOUR:
        levels, maximum = colour_levels(name, ds, syntax)
        pixels = scaled(grey_levels(name, levels, maximum), maximum)
    else:
        bits = stored_bits(name, ds, syntax)
        with guarded(name, "its grey scale cannot be applied"):
            table = brightness(ds, little_endian=syntax.is_little_endian)
        pixels = Stored.of(ds).seen(table, bits)
    return pixels, name, header


def read_levels(
    name: str, ds: Dataset
) -> tuple[NDArray[np.uint16], tuple[float, float] | None, tuple[float, float] | None]:
    """Return what a viewer shows of a DICOM object, of whatever kind of radiograph.

    Returns
    -------
    levels : NDArray[np.uint16]
        Shape (rows, columns), 0 (black) to 65535 (white).
    window : tuple of two floats, or None
        Center and width in these levels, where the header has a window.
    spacing : tuple of two floats, or None
        Millimetres between rows and between columns, at the detector where nothing else is known.

    Raises
    ------
    UnreadableError, NotARadiographError
        As `read_dataset`, but not for what the header says of the kind.
    """
    with guarded(name, "its header is damaged"):
        _check_image(name, ds)
        syntax, spacing = transfer_syntax(ds), _spacing(ds)
    if ds.PhotometricInterpretation in _COLOUR:
        colours, maximum = colour_levels(name, ds, syntax)
        grey = grey_levels(name, colours, maximum)
        return as_16_bits(grey, maximum), None, spacing
    bits = stored_bits(name, ds, syntax)
    with guarded(name, "its grey scale cannot be applied"):
        scale = levels(ds, little_endian=syntax.is_little_endian)
    seen = Stored.of(ds).seen(scale.table, bits)
    if scale.center is None or scale.width is None:
        return seen, None, spacing
    return seen, (scale.center, scale.width), spacing


def _spacing(ds: Dataset) -> tuple[float, float] | None:
    """Return the distance of rows and of columns, or None where it is not stated or impossible."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        stated = ds.get(keyword)
        if isinstance(stated, MultiValue) and len(stated) == 2:
            down, across = (float(part) for part in stated)
            if 0 < down < 10 and 0 < across < 10:
                return down, across
    return None


def _check_deflated(name: str, data: bytes) -> None:
    """Refuse a deflated data set that grows beyond any radiograph, before pydicom inflates it."""
    if data[128:PREFIX] != b"DICM":
        return
    meta, start = file_meta(data)
    if meta.get("TransferSyntaxUID") != uid.DeflatedExplicitVRLittleEndian:
        return
    inflater, rest, size = zlib.decompressobj(-zlib.MAX_WBITS), data[start:], 0
    while rest and not inflater.eof and size <= LARGEST_FILE:  # padding may follow its end
        size += len(inflater.decompress(rest, _PIECE))
        rest = inflater.unconsumed_tail
    if size > LARGEST_FILE:
        raise UnreadableError(name, f"inflates to more than {LARGEST_FILE:,} bytes")


def _check_kind(name: str, ds: Dataset) -> None:
    """Refuse what is no radiograph by its SOP class, modality or intent."""
    sop_class = ds.get("SOPClassUID") or getattr(ds, "file_meta", {}).get("MediaStorageSOPClassUID")
    modality = _word(ds, "Modality")
    if not sop_class and not modality:
        raise UnreadableError(name, "is no DICOM image: neither SOP Class UID nor Modality")
    intent = _word(ds, "PresentationIntentType")
    if sop_class == uid.DigitalXRayImageStorageForProcessing or intent == "FOR PROCESSING":
        reason = "holds raw detector data, for processing, not presentation"
        raise NotARadiographError(name, reason, code="header")
    if sop_class and sop_class not in PROJECTIONS:
        kind = printable(uid.UID(sop_class).name)
        reason = f"is no projection radiograph: {kind} {modality}".rstrip()
        raise NotARadiographError(name, reason, code="header")
    if modality and modality not in _MODALITIES:
        reason = f"is no projection radiograph: Modality {modality}"
        raise NotARadiographError(name, reason, code="header")


def _check_image(name: str, ds: Dataset) -> None:
    """Refuse pixels that are missing, too small, too large, too many or of an unknown kind."""
    if "PixelData" not in ds or not ds.PixelData:
        raise UnreadableError(name, "has no pixel data")
    if not isinstance(ds.get("Rows"), int) or not isinstance(ds.get("Columns"), int):
        raise UnreadableError(name, "does not say its Rows and Columns")
    check_size(name, ds.Rows, ds.Columns)
    frames = int(ds.get("NumberOfFrames") or 1)
    if frames != 1:
        raise NotARadiographError(name, f"holds {frames} frames, not one")
    allocated, bits = int(ds.BitsAllocated), int(ds.BitsStored)
    if allocated not in (8, 16) or not 8 <= bits <= allocated:
        raise UnreadableError(name, f"has {bits} bits a pixel in {allocated}, not 8 to 16")
    if int(ds.get("HighBit", bits - 1)) != bits - 1:
        raise UnreadableError(name, f"its High Bit {ds.HighBit} does not fit {bits} Bits Stored")
    photometric, samples = _word(ds, "PhotometricInterpretation"), int(ds.SamplesPerPixel)
    if photometric not in _MONOCHROME | _COLOUR:
        raise UnreadableError(name, f"its Photometric Interpretation is {photometric}")
    if (samples == 3) != (photometric in _COLOUR - {"PALETTE COLOR"}) or samples not in (1, 3):
        raise UnreadableError(name, f"has {samples} samples a pixel, but says {photometric}")


def _word(ds: Dataset, keyword: str) -> str:
    """Return a code string in capitals, fit to be shown."""
    return printable(str(ds.get(keyword) or "")).upper()


def _header(ds: Dataset) -> Mapping[str, str]:
    values = {keyword: ds.get(keyword) for keyword in HEADER}
    return MappingProxyType(
        {keyword: _text(value) for keyword, value in values.items() if _text(value)}
    )


def _text(value: object) -> str:
    if isinstance(value, (MultiValue, list)):
        return "\\".join(str(part) for part in value)
    return "" if value is None else str(value)
