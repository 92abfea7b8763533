from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.errors import UnreadableError
from lungflag.radiograph.sniff import Format, recognise


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", Format.PNG),
        (b"\xff\xd8\xff\xe0", Format.JPEG),
        (b"II*\0\x08", Format.TIFF),
        (b"MM\0*\0", Format.TIFF),
        (b"BM\x36\x04", Format.BMP),
        (b"\0" * 128 + b"DICM", Format.DICOM),
        (b"II*\0".ljust(128, b"\0") + b"DICM", Format.DICOM),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", Format.DICOM),
        (b"\x08\0\x16\0\x02\0\0\0ab", Format.DICOM),
        (b"\0\x08\0\x16UI\0\x04" + b"1.2\0", Format.DICOM),
    ],
)
def test_formats_are_recognised_by_content(start: bytes, kind: Format) -> None:
    assert recognise("film", start) is kind


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b"GIF89a", "a GIF image"),
        (b"PK\x03\x04\x14", "a ZIP archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"patient;age\n1;45\n", "a text file"),
        ("Befund: unauffällig\n".encode() * 200, "a text file"),
        (b"\x00\x01\x02\x03\xff\xfe", "of an unknown format"),
        (b"\x08\0\x16\0\xff\xff\xff\x7f", "of an unknown format"),
    ],
)
def test_other_files_are_named(start: bytes, what: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        recognise("film", start)
    assert str(refused.value) == f"film: is {what}, not PNG, JPEG, TIFF, BMP or DICOM"


def test_nothing_is_empty() -> None:
    with pytest.raises(UnreadableError, match=r"^film: is empty \(0 bytes\)$"):
        recognise("film", b"")


@given(st.binary(max_size=200))
def test_any_bytes_are_recognised_or_refused(data: bytes) -> None:
    try:
        kind = recognise("film", data)
    except UnreadableError as error:
        kind, reason = None, error.reason
    assert kind or "\n" not in reason
