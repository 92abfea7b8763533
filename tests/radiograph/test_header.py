"""The bounded reading of a header agrees with pydicom on whatever is no attack."""

from __future__ import annotations

import subprocess
import warnings
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from lungflag.errors import UnreadableError
from lungflag.radiograph.header import MOST_ELEMENTS, parse_header
from tests.conftest import tool

if TYPE_CHECKING:
    from pathlib import Path

KEYWORDS = ("SOPInstanceUID", "PatientName", "PatientID", "StudyDate", "RequestedProcedurePriority")
SYNTAXES = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.JPEGLosslessSV1,
)


def written(ds: Dataset, syntax: str) -> bytes:
    """Return a data set as a file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = uid.UID("1.2.3")
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


@st.composite
def datasets(draw: st.DrawFn, depth: int = 0) -> Dataset:
    """Return a data set with sequences in sequences, of defined and undefined length."""
    ds = Dataset()
    words = st.text("ABC 19", max_size=9)
    for keyword in draw(st.sets(st.sampled_from(["PatientID", "StudyID", "ContentLabel"]))):
        setattr(ds, keyword, draw(words))
    if draw(st.booleans()):
        ds.private_block(0x0009, "LUNGFLAG", create=True).add_new(1, "UN", draw(st.binary()))
    for keyword in draw(st.sets(st.sampled_from(["ReferencedStudySequence", "IconImageSequence"]))):
        items = draw(st.lists(datasets(depth + 1), max_size=2)) if depth < 3 else []
        for item in items:
            item.is_undefined_length_sequence_item = draw(st.booleans())
        setattr(ds, keyword, Sequence(items))
        ds[keyword].is_undefined_length = draw(st.booleans())
    return ds


@pytest.mark.parametrize("syntax", SYNTAXES)
@given(ds=datasets(), name=st.sampled_from(["", "Müller^Zoë", "Test^Patient"]))
def test_it_agrees_with_pydicom(syntax: str, ds: Dataset, name: str) -> None:
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPInstanceUID, ds.PatientName, ds.RequestedProcedurePriority = "1.2.3", name, "STAT"
    if syntax == uid.JPEGLosslessSV1:
        ds.PixelData = encapsulate([b"pixels"])
        ds["PixelData"].VR = "OB"
    data = written(ds, syntax)
    ours = parse_header("film", data, KEYWORDS)
    theirs = dcmread(BytesIO(data), stop_before_pixels=True)
    for keyword in KEYWORDS:
        assert str(ours.get(keyword)) == str(theirs.get(keyword)), keyword
    assert ours.file_meta.TransferSyntaxUID == syntax


@pytest.mark.parametrize("option", ["+e", "-e"])
def test_it_reads_what_dcmtk_writes(option: str, tmp_path: Path) -> None:
    """dcmtk writes sequences with explicit lengths or without."""
    inner = Dataset()
    inner.ReferencedSOPInstanceUID, inner.PatientName = "1.2.9", "Inner^Name"
    ds = Dataset()
    ds.SOPInstanceUID, ds.PatientName = "1.2.3", "Outer^Name"
    ds.ReferencedStudySequence = Sequence([inner, inner])
    (tmp_path / "a.dcm").write_bytes(written(ds, uid.ExplicitVRLittleEndian))
    command = [tool("dcmconv"), option, str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm")]
    subprocess.run(command, check=True)
    header = parse_header("film", (tmp_path / "b.dcm").read_bytes(), KEYWORDS)
    assert (header.SOPInstanceUID, header.PatientName) == ("1.2.3", "Outer^Name")


def test_names_in_japanese() -> None:
    ds = Dataset()
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    ds.SOPInstanceUID = "1.2.3"
    header = parse_header("film", written(ds, uid.ImplicitVRLittleEndian), KEYWORDS)
    assert str(header.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_the_first_element_says_how_it_is_coded() -> None:
    ds = Dataset()
    ds.SOPInstanceUID, ds.PatientID = "1.2.3", "P1"
    data = written(ds, uid.ImplicitVRLittleEndian)
    lying = data.replace(b"\x12\x001.2.840.10008.1.2\0", b"\x14\x001.2.840.10008.1.2.1\0")
    length = int.from_bytes(data[140:144], "little") + 2
    lying = lying[:140] + length.to_bytes(4, "little") + lying[144:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert dcmread(BytesIO(lying)).PatientID == "P1"
    assert parse_header("film", lying, KEYWORDS).PatientID == "P1"


def test_what_is_stated_twice_is_refused() -> None:
    ds = Dataset()
    ds.SOPInstanceUID, ds.PatientID = "1.2.3", "P1"
    data = written(ds, uid.ExplicitVRLittleEndian)
    element = b"\x10\x00\x20\x00LO\x02\x00P1"
    assert element in data
    with pytest.raises(UnreadableError, match="states PatientID twice"):
        parse_header("film", data + element, KEYWORDS)


def test_an_absurd_number_of_elements_is_refused() -> None:
    ds = Dataset()
    ds.SOPInstanceUID = "1.2.3"
    data = written(ds, uid.ExplicitVRLittleEndian)
    element = b"\x09\x00\x01\x00LO\x00\x00"
    assert parse_header("film", data + element * 1000, KEYWORDS).SOPInstanceUID == "1.2.3"
    with pytest.raises(UnreadableError, match="has more than 20,000 elements"):
        parse_header("film", data + element * MOST_ELEMENTS, KEYWORDS)


@given(data=st.data())
def test_any_octets_are_read_or_refused(data: st.DataObject) -> None:
    ds = Dataset()
    ds.SOPInstanceUID, ds.PatientName = "1.2.3", "Test^Patient"
    ds.ReferencedStudySequence = Sequence([Dataset()])
    whole = written(ds, data.draw(st.sampled_from(SYNTAXES[:4])))
    at = data.draw(st.integers(132, len(whole)))
    mutated = (
        whole[:at] + data.draw(st.binary(max_size=40)) + whole[at + data.draw(st.integers(0, 20)) :]
    )
    try:
        parse_header("film", mutated, KEYWORDS)
    except UnreadableError as error:
        assert "\n" not in error.reason  # noqa: PT017
