from __future__ import annotations

import tracemalloc
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import (
    MPEG2MPML,
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForProcessing,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from lungflag.errors import InputError, NotARadiographError, UnreadableError
from lungflag.radiograph import read_radiograph
from lungflag.radiograph.header import parse_header

from .objects import content, dx

PEERS = Path(pydicom.__file__).parent / "data" / "test_files"
RAMP = np.add.outer(np.arange(70), np.arange(90)) * 25


def reason(kind: type[InputError], ds: Dataset | bytes) -> str:
    with pytest.raises(kind) as refused:
        read_radiograph(ds, name="film")
    assert str(refused.value) == f"film: {refused.value.reason}"
    assert "\n" not in refused.value.reason
    return refused.value.reason


@pytest.mark.parametrize(
    "path", [p for p in sorted(PEERS.rglob("*")) if p.is_file()], ids=lambda path: path.name
)
def test_pydicoms_files_are_read_or_refused(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        pixels = read_radiograph(path).pixels
    except InputError as error:
        refused = str(error)
    else:
        refused = ""
        assert pixels.ndim == 2
        assert pixels.min() >= 0
        assert pixels.max() <= 1
    assert (not refused) or (refused.startswith(f"{path}: ") and "\n" not in refused)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("CT_small.dcm", NotARadiographError, "CT Image Storage CT"),
        ("MR_small_bigendian.dcm", NotARadiographError, "MR Image Storage MR"),
        ("MR_truncated.dcm", NotARadiographError, "MR Image Storage MR"),
        ("rtdose.dcm", NotARadiographError, "RT Dose Storage RTDOSE"),
        ("reportsi.dcm", NotARadiographError, "Basic Text SR Storage SR"),
        ("waveform_ecg.dcm", NotARadiographError, "12-lead ECG Waveform Storage ECG"),
        ("JPEG-lossy.dcm", NotARadiographError, "Modality NM"),
        ("ExplVR_LitEndNoMeta.dcm", NotARadiographError, "RT Ion Plan Storage RTPLAN"),
        ("dicomdirtests/DICOMDIR", NotARadiographError, "Media Storage Directory Storage"),
        ("dicomdirtests/77654033/CR1/6154", NotARadiographError, "absurdly small: 16 x 16"),
        ("SC_rgb_rle_2frame.dcm", NotARadiographError, "holds 2 frames, not one"),
        ("SC_rgb_rle.dcm", NotARadiographError, "is a colour image: 60%"),
        ("SC_rgb_rle_16bit.dcm", NotARadiographError, "is a colour image: 60%"),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", NotARadiographError, "is a colour image: 61%"),
        ("SC_rgb_rle_32bit.dcm", UnreadableError, "32 bits a pixel"),
        ("no_meta_group_length.dcm", NotARadiographError, "RT Image Storage"),
        ("rtplan.dump", UnreadableError, "is a text file"),
        ("zipMR.gz", UnreadableError, "is a gzip archive"),
    ],
)
def test_pydicoms_files_are_refused_for_the_right_reason(
    name: str, kind: type[InputError], expected: str
) -> None:
    with pytest.raises(kind) as refused:
        read_radiograph(PEERS / name)
    assert expected in refused.value.reason


def test_a_deflated_capture_of_pydicoms() -> None:
    expected = dcmread(PEERS / "image_dfl.dcm").pixel_array
    pixels = read_radiograph(PEERS / "image_dfl.dcm").pixels
    assert (np.rint(pixels * 255) == expected).all()


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm", "JPEG2000.dcm"])
def test_pydicoms_nuclear_captures_once_they_claim_to_be_film(name: str) -> None:
    ds = dcmread(PEERS / name)
    ds.Modality = "OT"
    pixels = read_radiograph(ds).pixels
    assert pixels.shape == (1024, 256)
    assert pixels.std() > 0


def test_the_header_holds_what_a_product_needs() -> None:
    ds = dx(
        RAMP,
        12,
        BodyPartExamined="CHEST",
        ViewPosition="PA",
        PatientAge="045Y",
        AccessionNumber="",
        ImagerPixelSpacing=[0.14, 0.15],
        ImageType=["ORIGINAL", "PRIMARY"],
    )
    radiograph = read_radiograph(content(ds), name="film")
    header = dict(radiograph.header)
    assert radiograph.source == "film"
    assert header["PatientID"] == "P1"
    assert header["PatientName"] == "Test^Patient"
    assert header["PatientAge"] == "045Y"
    assert header["ViewPosition"] == "PA"
    assert header["ImagerPixelSpacing"] == "0.14\\0.15"
    assert header["ImageType"] == "ORIGINAL\\PRIMARY"
    assert header["SOPClassUID"] == "1.2.840.10008.5.1.4.1.1.1.1"
    assert header["PhotometricInterpretation"] == "MONOCHROME2"
    assert "AccessionNumber" not in header
    assert all(isinstance(value, str) for value in header.values())


def test_a_dataset_is_named_by_its_instance_and_left_as_it_was() -> None:
    ds = dx(RAMP, 12, WindowCenter=["900", "1"], WindowWidth=["500", "2"])
    before = ds.to_json()
    radiograph = read_radiograph(ds)
    assert radiograph.source == ds.SOPInstanceUID
    assert not radiograph.pixels.flags.writeable
    assert ds.to_json() == before


def test_without_file_meta_information() -> None:
    ds = dx(RAMP, 12)
    expected = read_radiograph(ds).pixels
    for syntax, start in ((ExplicitVRLittleEndian, b"\x08\0"), (ImplicitVRLittleEndian, b"\x08\0")):
        whole = content(ds, syntax)
        bare = whole[144 + int.from_bytes(whole[140:144], "little") :]
        assert bare.startswith(start)
        np.testing.assert_array_equal(read_radiograph(bare).pixels, expected)
    del ds.file_meta
    np.testing.assert_array_equal(read_radiograph(ds).pixels, expected)


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_stored_as_colour_is_read(bits: int) -> None:
    levels = RAMP % 2**bits
    ds = dx(np.stack([levels] * 3, -1), bits, PhotometricInterpretation="RGB")
    ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 0
    expected = (levels / (2**bits - 1)).astype(np.float32)
    np.testing.assert_array_equal(read_radiograph(content(ds)).pixels, expected)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"SOPClassUID": CTImageStorage, "Modality": "CT"}, "CT Image Storage CT"),
        ({"Modality": "MG"}, "is no projection radiograph: Modality MG"),
        ({"SOPClassUID": EncapsulatedPDFStorage}, "Encapsulated PDF Storage"),
        (
            {"SOPClassUID": GrayscaleSoftcopyPresentationStateStorage, "Modality": "PR"},
            "Grayscale Softcopy Presentation State Storage PR",
        ),
        ({"SOPClassUID": DigitalXRayImageStorageForProcessing}, "raw detector data"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw detector data"),
        ({"NumberOfFrames": 3}, "holds 3 frames, not one"),
        ({"Rows": 8}, "is absurdly small: 90 x 8 pixels"),
        ({"Rows": 60000, "Columns": 60000}, "is absurdly large: 60000 x 60000 pixels"),
    ],
)
def test_what_is_no_radiograph(attributes: dict[str, Any], expected: str) -> None:
    assert expected in reason(NotARadiographError, content(dx(RAMP, 12, **attributes)))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"BitsStored": 1, "HighBit": 0}, "has 1 bits a pixel in 16, not 8 to 16"),
        ({"HighBit": 15}, "its High Bit 15 does not fit 12 Bits Stored"),
        ({"PhotometricInterpretation": "HSV"}, "its Photometric Interpretation is HSV"),
        ({"SamplesPerPixel": 3}, "has 3 samples a pixel, but says MONOCHROME2"),
        ({"Rows": None}, "does not say its Rows and Columns"),
        ({"PixelData": b""}, "has no pixel data"),
        ({"Rows": 71}, "its pixel data are damaged or cut short (Explicit VR Little Endian)"),
        ({"SOPClassUID": "", "Modality": ""}, "is no DICOM image"),
    ],
)
def test_what_cannot_be_read(attributes: dict[str, Any], expected: str) -> None:
    ds = dx(RAMP, 12, **attributes)
    if attributes.get("SOPClassUID") == "":
        del ds.file_meta.MediaStorageSOPClassUID
    assert reason(UnreadableError, ds).startswith(expected)


def test_pixel_data_missing() -> None:
    ds = dx(RAMP, 12)
    del ds.PixelData
    assert reason(UnreadableError, content(ds)) == "has no pixel data"


def test_a_transfer_syntax_that_is_not_supported_is_named() -> None:
    ds = dx(RAMP, 12)
    ds.file_meta.TransferSyntaxUID = MPEG2MPML
    expected = "its transfer syntax is not supported: MPEG2 Main Profile / Main Level"
    assert reason(UnreadableError, ds) == expected


def test_a_capture_without_modality_is_read() -> None:
    ds = dx(RAMP, 12, SOPClassUID=SecondaryCaptureImageStorage, Modality="")
    assert read_radiograph(content(ds)).pixels.shape == RAMP.shape


def test_a_deflate_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lungflag.radiograph.dicom.LARGEST_FILE", 2**16)
    whole = content(dx(RAMP, 12), DeflatedExplicitVRLittleEndian)
    assert read_radiograph(whole).pixels.shape == RAMP.shape
    start = 144 + int.from_bytes(whole[140:144], "little")
    deflater = zlib.compressobj(wbits=-15)
    bomb = whole[:start] + deflater.compress(bytes(2**20)) + deflater.flush()
    assert reason(UnreadableError, bomb) == "inflates to more than 65,536 bytes"
    # Nor if its file meta information is long, and lies about its length.
    long = bomb[:144] + b"\2\0\1\0OB\0\0\0\x10\0\0" + bytes(4096) + bomb[158:]
    assert reason(UnreadableError, long) == "inflates to more than 65,536 bytes"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 100])
@pytest.mark.parametrize("piece", [1, 1000, 2**20])
def test_what_follows_a_deflated_data_set_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, padding: bytes, piece: int
) -> None:
    monkeypatch.setattr("lungflag.radiograph.dicom._PIECE", piece)
    whole = content(dx(RAMP, 12), DeflatedExplicitVRLittleEndian)
    assert read_radiograph(whole + padding).pixels.shape == RAMP.shape


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_a_header_is_read_without_its_pixels(syntax: UID) -> None:
    ds = dx(RAMP, 12)
    header = parse_header("film", content(ds, syntax), ["SOPInstanceUID", "PatientName"])
    assert header.SOPInstanceUID == ds.SOPInstanceUID
    assert header.PatientName == "Test^Patient"
    assert header.file_meta.TransferSyntaxUID == syntax
    assert "PixelData" not in header
    assert "StudyInstanceUID" not in header


def test_a_header_is_read_of_what_inflates_to_a_gigabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = content(dx(RAMP, 12), DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(whole[140:144], "little")
    deflater = zlib.compressobj(wbits=-15)
    inflated = zlib.decompress(whole[start:], wbits=-15)
    zeros = deflater.compress(inflated) + b"".join(
        deflater.compress(bytes(2**20)) for _ in range(64)
    )
    bomb = whole[:start] + zeros + deflater.flush()
    monkeypatch.setattr("lungflag.radiograph.header.LONGEST_HEADER", 2**16)
    tracemalloc.start()
    header = parse_header("film", bomb, ["PatientName"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert header.PatientName == "Test^Patient"
    assert peak < 2**20


def test_warnings_of_pydicom_neither_leak_nor_stop_the_reading() -> None:
    ds = dx(RAMP, 12)
    ds.PixelData += bytes(10)
    data = content(ds).replace(b"Test^Patient", b"Te\xe4t^Patient")
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        assert read_radiograph(data).pixels.shape == RAMP.shape
    assert leaked == []


FILES = {
    syntax.name: content(dx(RAMP, 12, WindowCenter=900, WindowWidth=500), syntax)
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
}


def attempt(data: bytes) -> Any:
    """Return the pixels, or None where the file is refused in one line that names it."""
    try:
        return read_radiograph(data, name="film").pixels
    except InputError as error:
        if str(error) == f"film: {error.reason}" and "\n" not in error.reason:
            return None
        raise


@pytest.mark.parametrize("syntax", FILES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_cut_short_file_is_refused(syntax: str, data: st.DataObject) -> None:
    whole = FILES[syntax]
    assert attempt(whole[: data.draw(st.integers(0, len(whole) - 10))]) is None


@pytest.mark.parametrize("syntax", FILES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_damaged_files_raise_nothing_but_input_errors(syntax: str, data: st.DataObject) -> None:
    damaged = bytearray(FILES[syntax])
    places = st.integers(0, len(damaged) - 1) | st.integers(128, 1000)
    for place in data.draw(st.lists(places, min_size=1, max_size=5)):
        damaged[min(place, len(damaged) - 1)] = data.draw(st.integers(0, 255))
    read = attempt(bytes(damaged))
    assert read is None or (read.min() >= 0 and read.max() <= 1)
