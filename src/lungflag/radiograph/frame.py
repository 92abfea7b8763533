"""Decode the one frame of a DICOM object, each transfer syntax with the codec chosen for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut

from lungflag.errors import UnreadableError
from lungflag.radiograph.guard import guarded, printable, stderr_muted
from lungflag.radiograph.jpeg import checked_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

_NATIVE = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
_CODECS = {
    uid.RLELossless: "pydicom",
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: "pillow",  # of 8 bits; gdcm where there are 12
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
}

TRANSFER_SYNTAXES = (*_NATIVE, *_CODECS)
"""Transfer syntax UIDs of the objects that are read."""


def transfer_syntax(ds: Dataset) -> uid.UID:
    """Return the transfer syntax, which a data set without file meta information implies."""
    meta = getattr(ds, "file_meta", None)
    if meta and meta.get("TransferSyntaxUID"):
        return uid.UID(meta.TransferSyntaxUID)
    implicit, little_endian = ds.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRBigEndian if little_endian is False else uid.ExplicitVRLittleEndian


def stored_bits(name: str, ds: Dataset, syntax: uid.UID) -> NDArray[np.unsignedinteger]:
    """Return the Bits Stored of every pixel of a grey frame, shape (rows, columns).

    As they are stored: of signed values, the two's complement. `Stored.seen` takes them.

    Raises
    ------
    UnreadableError
        If the transfer syntax is not supported, or the pixel data are damaged or cut short.
    """
    decoded = _decode(name, ds, syntax)
    with guarded(name, "its pixel data do not fit its header"):
        values = decoded.reshape(int(ds.Rows), int(ds.Columns))
        whole = values.view(f"{values.dtype.str[0]}u{values.itemsize}")
    highest = whole.dtype.type(2 ** int(ds.BitsStored) - 1)
    return whole if whole.max() <= highest else whole & highest


def colour_levels(
    name: str, ds: Dataset, syntax: uid.UID
) -> tuple[NDArray[np.unsignedinteger], int]:
    """Return a colour frame as RGB, shape (rows, columns, 3), and the level of full brightness.

    Raises
    ------
    UnreadableError
        As `stored_bits`.
    """
    levels = _decode(name, ds, syntax)
    with guarded(name, "its colours cannot be read"):
        if ds.PhotometricInterpretation == "PALETTE COLOR":
            levels = apply_color_lut(levels, ds)[..., :3]
            maximum = int(np.iinfo(levels.dtype).max)
        else:
            maximum = 2 ** int(ds.BitsStored) - 1
        levels = levels.reshape(int(ds.Rows), int(ds.Columns), 3)
        return np.minimum(levels, maximum).astype(np.uint16), maximum


def _decode(name: str, ds: Dataset, syntax: uid.UID) -> NDArray[np.integer]:
    if syntax not in _NATIVE and syntax not in _CODECS:
        raise UnreadableError(
            name, f"its transfer syntax is not supported: {printable(syntax.name)}"
        )
    with guarded(name, f"its pixel data are damaged or cut short ({syntax.name})"):
        if syntax in _NATIVE:
            return get_decoder(syntax).as_array(ds)[0]
        _check_end(name, ds, syntax)
        if _CODECS[syntax] == "gdcm" or (
            syntax == uid.JPEGExtended12Bit and int(ds.BitsStored) > 8
        ):
            return _decode_with_gdcm(ds, syntax)
        return get_decoder(syntax).as_array(ds, decoding_plugin=_CODECS[syntax])[0]


def _check_end(name: str, ds: Dataset, syntax: uid.UID) -> None:
    """Refuse a JPEG stream without its end marker: some codecs fill what is missing with grey."""
    if syntax == uid.RLELossless:
        return
    stream = get_frame(ds.PixelData, 0, number_of_frames=1).rstrip(b"\0\xff")
    if not stream.endswith(b"\xff\xd9"):
        raise UnreadableError(name, "its pixel data are cut short: the stream has no end marker")


def _decode_with_gdcm(ds: Dataset, syntax: uid.UID) -> NDArray[np.unsignedinteger]:
    """Return a grey frame of JPEG lossless or JPEG extended with 12 bits.

    Not by way of pydicom, which hands GDCM any stream, and none of the second kind.

    Raises
    ------
    ValueError
        If the stream is damaged.
    """
    import gdcm

    stream, bits = checked_stream(
        get_frame(ds.PixelData, 0, number_of_frames=1), rows=ds.Rows, columns=ds.Columns
    )
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(stream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((ds.Columns, ds.Rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    allocated = 8 if bits <= 8 else 16
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, bits, bits - 1, 0))
    with stderr_muted():
        decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("GDCM cannot decode it")
    # The binding returns the bytes as text.
    return np.frombuffer(decoded.encode("utf-8", "surrogateescape"), f"u{allocated // 8}")
