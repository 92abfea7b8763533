"""Recognise a file by its first bytes, and name what it is instead of a radiograph."""

from __future__ import annotations

from enum import Enum

from lungflag.errors import UnreadableError


class Format(Enum):
    """The file formats that are read, by the name that people know them by."""

    BMP = "BMP"
    DICOM = "DICOM"
    JPEG = "JPEG"
    PNG = "PNG"
    TIFF = "TIFF"


_READ = {
    b"\x89PNG\r\n\x1a\n": Format.PNG,
    b"\xff\xd8\xff": Format.JPEG,
    b"II*\0": Format.TIFF,
    b"MM\0*": Format.TIFF,
    b"II+\0": Format.TIFF,  # BigTIFF
    b"MM\0+": Format.TIFF,
    b"BM": Format.BMP,
}
_NOT_READ = {
    b"%PDF": "a PDF",
    b"GIF8": "a GIF image",
    b"RIFF": "a WebP image or other RIFF file",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 file outside of DICOM",
    b"\xffO\xffQ": "a JPEG 2000 file outside of DICOM",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
}
_TEXT_CONTROLS = frozenset("\t\n\r\f\x1b")


def recognise(name: str, data: bytes) -> Format:
    """Return the format of a file's content.

    Raises
    ------
    UnreadableError
        If it is empty or of no format that is read here. The reason says what it looks like.
    """
    if not data:
        raise UnreadableError(name, "is empty (0 bytes)")
    # First, because the preamble before "DICM" may hold the header of a TIFF (PS3.10, 7.1).
    if data[128:132] == b"DICM" or _starts_as_dicom(data):
        return Format.DICOM
    for magic, kind in _READ.items():
        if data.startswith(magic):
            return kind
    raise UnreadableError(name, f"is {_describe(data)}, not PNG, JPEG, TIFF, BMP or DICOM")


def _starts_as_dicom(data: bytes) -> bool:
    """Whether a data set without preamble could begin here, in group 0002 or 0008.

    The first element then has a small number, and either a value representation in letters or a
    length that the file can hold.
    """
    for order in ("little", "big"):
        group = int.from_bytes(data[0:2], order)
        element = int.from_bytes(data[2:4], order)
        if group in (0x0002, 0x0008) and element < 0x0100 and len(data) > 8:
            length = int.from_bytes(data[4:8], order)
            explicit = data[4:6].isalpha() and data[4:6].isupper()
            return explicit or 8 + length <= len(data)
    return False


def _describe(data: bytes) -> str:
    for magic, kind in _NOT_READ.items():
        if data.startswith(magic):
            return kind
    try:
        # An incomplete last character is no reason to call it binary.
        text = data[:1024].decode() if len(data) <= 1024 else data[:1024].decode(errors="ignore")
    except UnicodeDecodeError:
        return "of an unknown format"
    if all(character.isprintable() or character in _TEXT_CONTROLS for character in text):
        return "a text file"
    return "of an unknown format"
