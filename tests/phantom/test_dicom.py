from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread

from lungflag.phantom import Phantom, make_phantom, to_dicom, write_dicom
from lungflag.radiograph import read_radiograph
from tests.conftest import tool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def both() -> dict[str, Phantom]:
    """Return one phantom of each polarity."""
    made = (make_phantom(seed, pneumonia=seed % 2 == 0, size=96) for seed in range(8))
    return {one.acquisition.photometric: one for one in made}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_the_object_is_valid_and_reads_back(
    both: dict[str, Phantom], photometric: str, tmp_path: Path
) -> None:
    one = both[photometric]
    path = tmp_path / "one.dcm"
    write_dicom(one, path)
    checked = subprocess.run([tool("dciodvfy"), path], capture_output=True, text=True, check=False)
    assert "Error" not in checked.stdout + checked.stderr
    assert "DXImageForPresentation" in checked.stdout + checked.stderr
    read = read_radiograph(path)
    assert dcmread(path).PhotometricInterpretation == photometric
    np.testing.assert_allclose(read.pixels, one.pixels, atol=0.6 / 4095)


def test_the_header_says_that_it_is_synthetic_and_not_what_it_shows() -> None:
    normal = to_dicom(make_phantom(5, pneumonia=False, size=96))
    ill = to_dicom(make_phantom(5, pneumonia=True, size=96))
    assert normal.PatientName == "SYNTHETIC^PHANTOM"
    assert normal.PatientID == "PHANTOM-000005"
    assert normal.BurnedInAnnotation == "YES"
    assert "SYNTHETIC" in normal.ImageComments
    different = {
        element.keyword for element in normal if element.value != ill[element.keyword].value
    }
    assert different == {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PixelData"}


def test_the_same_phantom_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm"):
        write_dicom(make_phantom(6, pneumonia=True, size=96), tmp_path / name)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    assert str(dcmread(tmp_path / "a.dcm").SOPInstanceUID).startswith("2.25.")
