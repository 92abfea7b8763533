"""The same pixels come out, whichever way in: every syntax, depth, sign and polarity."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from lungflag.errors import UnreadableError
from lungflag.radiograph import read_radiograph
from tests.conftest import tool

from .objects import content, dx

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import FileDataset
pytestmark = pytest.mark.shared

KINDS = [(8, False), (12, False), (12, True), (16, False), (16, True)]


@cache
def film(folder: Path, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One of three real radiographs, at odd sizes small enough for many encodings."""
    paths = sorted((folder / "data" / "originals").rglob("*.jp*g"))
    with Image.open(paths[index * 70]) as image:
        grey = np.array(image.convert("L").resize((101 + index, 97)))
    # dcmcjpeg stretches what does not use the whole range, and says so in Rescale Intercept.
    grey[:8, :8], grey[-8:, -8:] = 0, 255
    return grey


def stored(grey: np.ndarray[Any, np.dtype[np.uint8]], bits: int, signed: bool) -> Any:
    """Spread 8 bits to more, with detail in the lower ones."""
    detail = np.random.default_rng(7).integers(0, 2 ** (bits - 8), grey.shape)
    values = grey.astype(np.int32) * 2 ** (bits - 8) + detail
    return values - 2 ** (bits - 1) if signed else values


def seen(values: Any, bits: int, signed: bool, photometric: str) -> Any:
    unit = (values + (2 ** (bits - 1) if signed else 0)) / (2**bits - 1)
    return 1 - unit if photometric == "MONOCHROME1" else unit


@pytest.fixture(params=range(3))
def grey(request: pytest.FixtureRequest, shared: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return film(shared, request.param)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("bits", [bits for bits, signed in KINDS if not signed])
def test_near_lossless(grey: Any, bits: int, photometric: str) -> None:
    """Unsigned only: pydicom encodes no signed values with loss."""
    values = stored(grey, bits, signed=False)
    ds = dx(values, bits, PhotometricInterpretation=photometric)
    ds.compress(JPEGLSNearLossless, jls_error=3, generate_instance_uid=False)
    read = read_radiograph(content(ds)).pixels
    expected = seen(values, bits, False, photometric)
    np.testing.assert_allclose(read, expected, rtol=0, atol=3.01 / (2**bits - 1))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("bits", "signed"), KINDS)
class TestEverySyntax:
    def test_native(self, grey: Any, bits: int, signed: bool, photometric: str) -> None:
        values = stored(grey, bits, signed)
        expected = seen(values, bits, signed, photometric)
        for syntax in (
            ImplicitVRLittleEndian,
            ExplicitVRLittleEndian,
            DeflatedExplicitVRLittleEndian,
        ):
            ds = dx(values, bits, signed=signed, PhotometricInterpretation=photometric)
            ds.file_meta.TransferSyntaxUID = syntax
            for source in (ds, content(ds)):
                read = read_radiograph(source).pixels
                np.testing.assert_allclose(read, expected, rtol=0, atol=1e-7)

    def test_lossless(self, grey: Any, bits: int, signed: bool, photometric: str) -> None:
        values = stored(grey, bits, signed)
        expected = seen(values, bits, signed, photometric)
        for syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
            ds = dx(values, bits, signed=signed, PhotometricInterpretation=photometric)
            plugin = "pydicom" if syntax == RLELossless else ""  # GDCM's encoder aborts on some
            ds.compress(syntax, generate_instance_uid=False, encoding_plugin=plugin)
            read = read_radiograph(content(ds)).pixels
            np.testing.assert_allclose(read, expected, rtol=0, atol=1e-7, err_msg=syntax.name)

    @pytest.mark.parametrize("option", ["+e1", "+el", "+tb", "+ti"])
    def test_dcmtk(
        self,
        tmp_path: Path,
        grey: Any,
        bits: int,
        signed: bool,
        photometric: str,
        option: str,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        values = stored(grey, bits, signed)
        ds = dx(values, bits, signed=signed, PhotometricInterpretation=photometric)
        read = read_radiograph(by_dcmtk(ds, tmp_path, option))
        expected = seen(values, bits, signed, photometric)
        np.testing.assert_allclose(read.pixels, expected, rtol=0, atol=1e-7)
        assert capfd.readouterr() == ("", "")


def by_dcmtk(ds: FileDataset, folder: Path, *options: str) -> Path:
    """Let dcmtk write `ds`, in a native syntax by dcmconv, compressed by dcmcjpeg."""
    program = "dcmconv" if options[0].startswith("+t") else "dcmcjpeg"
    source, target = folder / "in.dcm", folder / "out.dcm"
    source.write_bytes(content(ds))
    subprocess.run([tool(program), *options, source, target], check=True, capture_output=True)
    return target


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("bits", "option", "precision"), [(8, "+eb", 8), (8, "+ee", 8), (12, "+ee", 12)]
)
def test_lossy_jpeg(
    tmp_path: Path,
    grey: Any,
    bits: int,
    option: str,
    precision: int,
    photometric: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    values = grey.astype(np.int32) * (2**bits - 1) // 255
    ds = dx(values, bits, PhotometricInterpretation=photometric)
    path = by_dcmtk(ds, tmp_path, option, "+q", "95")
    assert dcmread(path).BitsStored == precision
    difference = np.abs(read_radiograph(path).pixels - seen(values, bits, False, photometric))
    assert difference.mean() < 0.01
    assert difference.max() < 0.06
    assert capfd.readouterr() == ("", "")


def test_lossy_jpeg_2000(grey: Any) -> None:
    from pydicom.uid import JPEG2000

    ds = dx(grey, 8)
    ds.compress(JPEG2000, j2k_psnr=[45], generate_instance_uid=False)
    assert np.abs(read_radiograph(content(ds)).pixels - grey / 255).max() < 0.06


SYNTAXES = ["+e1", "+el", "+eb", "+ee", "RLE", "JPEG-LS", "JPEG 2000"]


def compressed(syntax: str, values: Any, folder: Path) -> FileDataset:
    ds = dx(values, 8 if syntax == "+eb" else 12)
    uids = {"RLE": RLELossless, "JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}
    if syntax in uids:
        plugin = "pydicom" if syntax == "RLE" else ""
        ds.compress(uids[syntax], generate_instance_uid=False, encoding_plugin=plugin)
        return ds
    return dcmread(by_dcmtk(ds, folder, syntax))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_stream_cut_short_is_refused_and_quiet(
    shared: Path, tmp_path: Path, syntax: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    ds = compressed(syntax, film(shared, 0), tmp_path)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = encapsulate([frame[: int(len(frame) * share)]])
    with pytest.raises(UnreadableError, match=r"^film: its pixel data are .*cut short"):
        read_radiograph(content(ds), name="film")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_stream_with_a_hole_raises_nothing_but_an_input_error(
    shared: Path, tmp_path: Path, syntax: str, capfd: pytest.CaptureFixture[str]
) -> None:
    ds = compressed(syntax, film(shared, 0), tmp_path)
    frame = bytearray(get_frame(ds.PixelData, 0, number_of_frames=1))
    rng = np.random.default_rng(3)
    for _ in range(20):
        damaged = frame.copy()
        start = int(rng.integers(0, len(frame) - 60))
        damaged[start : start + 40] = rng.bytes(40)
        ds.PixelData = encapsulate([bytes(damaged)])
        try:
            read = read_radiograph(ds, name="film")
        except UnreadableError as error:
            if "\n" in str(error):
                raise
        else:
            assert read.pixels.shape == (97, 101)
    assert capfd.readouterr() == ("", "")


def test_big_endian_from_pydicom(shared: Path) -> None:
    values = stored(film(shared, 1), 12, False)
    ds = dx(values, 12)
    ds["PixelData"].value = values.astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    np.testing.assert_allclose(read_radiograph(ds).pixels, values / 4095, atol=1e-7)


def test_bits_above_those_stored_are_ignored(shared: Path) -> None:
    values = stored(film(shared, 0), 12, True)
    overlay = np.random.default_rng(1).integers(0, 16, values.shape) << 12
    ds = dx((values & 0x0FFF) | overlay, 12)
    ds.PixelRepresentation = 1
    np.testing.assert_allclose(read_radiograph(ds).pixels, (values + 2048) / 4095, atol=1e-7)
