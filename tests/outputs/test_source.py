from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)

from lungflag.errors import InputError
from lungflag.outputs.source import IDENTITY, clean_header, coded, is_lossy, local_time, read_header
from lungflag.phantom import make_phantom, to_dicom
from tests.outputs.headers import NAMES, headers, minimal, named, received
from tests.radiograph.objects import content

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom import Dataset


@pytest.mark.parametrize("key", NAMES)
def test_a_name_survives_in_every_character_set(key: str) -> None:
    assert str(clean_header(named(key)).PatientName) == NAMES[key][1]


def test_uids_alone_are_enough_and_each_is_needed() -> None:
    header = clean_header(minimal())
    assert header.PatientID == ""
    assert header.StudyDate == ""
    for keyword in IDENTITY:
        lacking = minimal()
        delattr(lacking, keyword)
        with pytest.raises(InputError, match=f"its header has no {keyword}"):
            clean_header(lacking)


@pytest.mark.parametrize(
    "sop_class",
    [Comprehensive3DSRStorage, EncapsulatedPDFStorage, "1.2.840.10008.5.1.4.1.1.5", "1.2.3"],
)
def test_only_images_have_results(sop_class: str) -> None:
    with pytest.raises(InputError, match="is no image that a result may refer to"):
        clean_header(minimal(1, sop_class))


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("PatientID", b"A-1 ", "A-1"),
        ("PatientID", b"x" * 65, ""),
        ("PatientID", b"A\\B", ""),
        ("PatientID", b"two\nlines", ""),
        ("PatientName", b"a^b^c^d^e^f", ""),
        ("PatientBirthDate", b"20260231", ""),
        ("PatientBirthDate", b"1950.01.01", ""),
        ("PatientSex", b"U", ""),
        ("PatientSex", b"F ", "F"),
        ("StudyDate", b"20240229", "20240229"),
        ("StudyTime", b"101112.5", "101112.5"),
        ("StudyTime", b"256199", ""),
        ("AccessionNumber", b"A" * 17, ""),
        ("PatientAge", b"034Y", "034Y"),
        ("PatientAge", b"34", ""),
        ("TimezoneOffsetFromUTC", b"+9", ""),
        ("PatientOrientation", b"L", ""),
    ],
)
def test_a_value_is_taken_whole_or_not_at_all(keyword: str, value: bytes, kept: str) -> None:
    assert str(clean_header(received({keyword: value})).get(keyword, "")) == kept


def test_bytes_of_another_character_set_do_not_stop_the_rest() -> None:
    source = received(
        {
            "SpecificCharacterSet": b"ISO_IR 192",
            "PatientName": "Müller^Jörg".encode("latin-1"),
            "PatientID": b"1",
        }
    )
    header = clean_header(source)
    assert header.PatientID == "1"
    assert str(header.PatientName).startswith("M\ufffd")  # seen to be damaged, not guessed


@given(headers())
def test_any_header_comes_out_clean(source: Dataset) -> None:
    header = clean_header(source)
    assert clean_header(header) == header  # nothing of it is refused


def test_a_removed_patient_has_a_method() -> None:
    header = clean_header(received({"PatientIdentityRemoved": b"YES"}))
    assert header.DeidentificationMethod == "Not stated by the source image"
    header = clean_header(
        received({"PatientIdentityRemoved": b"YES", "DeidentificationMethod": b"by hand"})
    )
    assert header.DeidentificationMethod == "by hand"
    assert "DeidentificationMethod" not in clean_header(received({"PatientIdentityRemoved": b"NO"}))


def test_codes_are_taken_where_they_are_whole() -> None:
    source = to_dicom(make_phantom(3, pneumonia=False, size=96))
    (code,) = coded(source, "ViewCodeSequence")
    assert code.scheme_designator == "SCT"
    del source.ViewCodeSequence[0].CodeMeaning
    assert coded(source, "ViewCodeSequence") == []
    assert coded(source, "ProcedureCodeSequence") == []


def test_loss_is_known_from_the_header_or_the_transfer_syntax() -> None:
    source = to_dicom(make_phantom(3, pneumonia=False, size=96))
    assert not is_lossy(source)
    source.file_meta.TransferSyntaxUID = JPEG2000Lossless
    assert not is_lossy(source)
    source.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    assert is_lossy(source)
    assert is_lossy(received({"LossyImageCompression": b"01"}))
    assert not is_lossy(received({}))


def test_the_clock_is_that_of_the_study() -> None:
    at = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    tokyo = clean_header(received({"TimezoneOffsetFromUTC": b"+0900"}))
    assert local_time(at, tokyo) == datetime(2026, 11, 25, 8, 30)
    assert local_time(at, clean_header(minimal())) == at.astimezone().replace(tzinfo=None)
    plain = datetime(2026, 11, 24, 12)
    assert local_time(plain, tokyo) == plain
    there = at.astimezone(timezone(timedelta(hours=9)))
    assert local_time(there, tokyo) == local_time(at, tokyo)


def test_a_header_is_read_of_dicom_files_only(tmp_path: Path) -> None:
    source = to_dicom(make_phantom(3, pneumonia=False, size=96))
    path = tmp_path / "film"
    path.write_bytes(content(source))  # type: ignore[arg-type]
    header = read_header(path)
    assert header is not None
    assert header.SOPInstanceUID == source.SOPInstanceUID
    del source.StudyInstanceUID
    path.write_bytes(content(source))  # type: ignore[arg-type]
    assert read_header(path) is None
    for stranger in (b"", b"\x89PNG\r\n\x1a\n", b"hello", b"\x08\x00\x05\x00" * 9):
        path.write_bytes(stranger)
        assert read_header(path) is None
    assert read_header(tmp_path / "missing") is None
