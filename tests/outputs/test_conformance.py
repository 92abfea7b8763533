"""Two hundred reports and two hundred overlays, of films of every kind, before the verifiers."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
    XRayRadiofluoroscopicImageStorage,
)

from lungflag.detector import Detector
from lungflag.errors import InputError
from lungflag.outcome import Finding, Rejection
from lungflag.outputs.overlay import draw_overlay
from lungflag.outputs.secondary_capture import build_overlay
from lungflag.outputs.structured_report import build_report
from lungflag.phantom import make_phantom
from lungflag.radiograph import read_radiograph
from tests.outputs.headers import NAMES, ODD
from tests.outputs.outcomes import AT
from tests.outputs.verifiers import complaints, dumped
from tests.radiograph.objects import content, dx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom import Dataset

PARTS, PART = 7, 30  # two hundred and ten films, so many at a time
BITS = ((8, False), (10, False), (12, False), (12, True), (14, False), (15, True), (16, False))
CLASSES = (
    (DigitalXRayImageStorageForPresentation, "DX"),
    (ComputedRadiographyImageStorage, "CR"),
    (SecondaryCaptureImageStorage, "OT"),
    (XRayRadiofluoroscopicImageStorage, "RF"),
)
ANONYMISED = {
    "PatientName": "",
    "PatientID": "",
    "PatientBirthDate": "",
    "StudyDate": "",
    "StudyTime": "",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "StudyID": "",
    "PatientIdentityRemoved": "YES",
}


def received_film(grey: NDArray[np.float32], number: int) -> Dataset:
    """Return a film, 0 to 1, as an object of the `number`-th kind, as it comes from the network."""
    bits, signed = BITS[number % len(BITS)]
    inverted = number % 3 == 1
    levels = np.rint((1 - grey if inverted else grey) * (2**bits - 1)).astype(np.int64)
    sop_class, modality = CLASSES[number % len(CLASSES)]
    ds = dx(levels - (2 ** (bits - 1) if signed else 0), bits, signed=signed)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.Modality = modality
    ds.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    chance = np.random.default_rng(number)
    for keyword, values in ODD.items():
        if keyword not in {"PatientName", "Rows", "Columns"} and chance.random() < 0.8:
            _set(ds, keyword, str(chance.choice(values)))
    charset, name = list(NAMES.values())[number % len(NAMES)]
    if charset and "ISO 2022 IR 58" not in charset:  # see tests.outputs.headers
        ds.SpecificCharacterSet = charset
        ds.PatientName = name
    if number % 5 == 4:
        for keyword, value in ANONYMISED.items():
            setattr(ds, keyword, value)
    return ds


def _set(ds: Dataset, keyword: str, value: str) -> None:
    """Write a value that the standard allows; leave a wrong one to the tests of odd headers."""
    try:
        setattr(ds, keyword, value)
    except (UserWarning, ValueError):
        ds.pop(keyword, None)


def judged(ds: Dataset, detector: Detector) -> tuple[Finding | Rejection, Any]:
    """Return what the detector says, and the pixels where there is a finding."""
    try:
        radiograph = read_radiograph(content(ds), name="film")  # type: ignore[arg-type]
        return detector.detect(radiograph), radiograph
    except InputError as error:
        package = detector.package
        named = (package.default_operating_point, package.name, package.version, 0.1)
        return Rejection("film", error.code, error.reason, *named), None


def check(
    films: Iterable[tuple[int, NDArray[np.float32]]], detector: Detector, tmp_path: Path
) -> list[int]:
    """Verify report and overlay of every film; return how many of each there were."""
    reports = overlays = rejections = flagged = 0
    for number, grey in films:
        ds = received_film(grey, number)
        path = tmp_path / "film.dcm"
        path.write_bytes(content(ds))  # type: ignore[arg-type]
        source = dcmread(path, stop_before_pixels=True)
        outcome, radiograph = judged(ds, detector)
        made = [build_report(outcome, source, detector.package, AT)]
        assert "lungflag" in dumped(made[0])
        reports += 1
        if isinstance(outcome, Finding):
            picture = draw_overlay(radiograph, outcome)
            made.append(build_overlay(outcome, picture, source, detector.package, AT))
            overlays, flagged = overlays + 1, flagged + outcome.flagged
        else:
            rejections += 1
        for one in made:
            errors = [line for line in complaints(one) if not line.startswith("Warning")]
            assert not errors, (number, errors)
    return [reports, overlays, flagged, rejections]


@pytest.fixture(scope="module")
def phantoms() -> list[NDArray[np.float32]]:
    made = (make_phantom(n, pneumonia=n % 2 == 0, size=96 + n % 7) for n in range(16))
    return [one.pixels for one in made]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_verifiers_find_no_error_in_phantoms(
    phantoms: list[NDArray[np.float32]], tmp_path: Path, part: int
) -> None:
    first = part * PART
    films = ((n, phantoms[n % len(phantoms)]) for n in range(first, first + PART))
    reports, overlays, flagged, _ = check(films, Detector.load("phantom", threads=1), tmp_path)
    assert reports == overlays == PART
    assert 5 <= flagged <= PART - 5


@pytest.mark.slow
@pytest.mark.shared
def test_the_verifiers_find_no_error_in_real_films(shared: Path, tmp_path: Path) -> None:
    paths = sorted((shared / "data" / "originals").rglob("*.jp*g"))[::3]

    def films() -> Iterator[tuple[int, NDArray[np.float32]]]:
        for number, path in enumerate(islice(cycle(paths), 40)):
            with Image.open(path) as image:
                grey = image.convert("L")
            grey.thumbnail((700, 700))
            yield number, np.asarray(grey, dtype=np.float32) / np.float32(255)

    reports, overlays, *_ = check(films(), Detector.load(threads=1), tmp_path)
    assert reports == 40
    assert overlays >= 20
