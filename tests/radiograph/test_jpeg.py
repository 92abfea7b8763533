from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import get_frame

from lungflag.radiograph.jpeg import checked_stream
from tests.conftest import tool

from .objects import content, dx

if TYPE_CHECKING:
    from pathlib import Path

FUZZ = """
import sys
import numpy as np
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame
from lungflag.errors import InputError
from lungflag.radiograph import read_radiograph

ds = dcmread(sys.argv[1])
frame = get_frame(ds.PixelData, 0, number_of_frames=1)
rng = np.random.default_rng(5)
refused = 0
for turn in range(400):
    damaged = bytearray(frame)
    for _ in range(rng.integers(1, 6)):
        place = rng.integers(2, min(200, len(frame) - 4) if turn % 2 else len(frame) - 4)
        damaged[place] = rng.integers(0, 256)
    ds.PixelData = encapsulate([bytes(damaged)])
    try:
        read_radiograph(ds)
    except InputError:
        refused += 1
print(refused)
"""


@pytest.fixture(params=["+e1", "+el", "+ee"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A DICOM file with 12 bits, compressed by dcmtk."""
    ramp = np.add.outer(np.arange(70), np.arange(90)) * 25
    (tmp_path / "in.dcm").write_bytes(content(dx(ramp, 12)))
    out = tmp_path / "out.dcm"
    subprocess.run([tool("dcmcjpeg"), request.param, tmp_path / "in.dcm", out], check=True)
    return out


def stream_of(path: Path) -> bytes:
    return get_frame(dcmread(path).PixelData, 0, number_of_frames=1).rstrip(b"\0")


def test_a_sound_stream_passes_without_application_data(path: Path) -> None:
    stream = stream_of(path)
    checked, bits = checked_stream(stream, rows=70, columns=90)
    assert bits in (12, 16)
    assert b"JFIF" in stream
    assert b"JFIF" not in checked
    assert checked[-500:] == stream[-500:] or len(stream) < 600


def test_damaged_headers_are_refused(path: Path) -> None:
    stream = stream_of(path)
    lossless = b"\xff\xc3" in stream[:200]
    frame = stream.index(b"\xff\xc3" if lossless else b"\xff\xc1")
    scan = stream.index(b"\xff\xda")
    table = stream.index(b"\xff\xc4")
    for place, value in (
        (0, 0),  # start
        (frame + 3, 99),  # length
        (frame + 4, 77),  # bits
        (frame + 6, 1),  # rows
        (frame + 9, 3),  # components
        (frame + 11, 0x22),  # sampling
        (table + 4, 9),  # the table's number
        (table + 5, 3),  # three codes of one bit
        (scan + 4, 2),  # components
        (scan + 6, 0x33),  # tables that do not exist
        *([(scan + 7, 9), (scan + 9, 0x55)] if lossless else []),  # predictor, approximation
        (len(stream) - 1, 0xDA),  # another scan
    ):
        damaged = bytearray(stream)
        damaged[place] = value
        with pytest.raises(ValueError, match="JPEG"):
            checked_stream(bytes(damaged), rows=70, columns=90)


def test_another_size_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="the JPEG frame has 90 x 70 pixels"):
        checked_stream(stream_of(path), rows=70, columns=91)


@pytest.mark.parametrize("length", [0, 1, 2, 5, 30, 60])
def test_headers_cut_short_are_refused(path: Path, length: int) -> None:
    with pytest.raises(ValueError, match="JPEG"):
        checked_stream(stream_of(path)[:length], rows=70, columns=90)


@pytest.mark.slow
def test_no_damage_ends_the_process_or_makes_it_speak(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FUZZ, path],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 50
