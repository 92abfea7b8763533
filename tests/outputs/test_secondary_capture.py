from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from lungflag.outputs.overlay import draw_overlay
from lungflag.outputs.secondary_capture import build_overlay
from lungflag.outputs.structured_report import build_report
from tests.outputs.headers import NAMES, headers, minimal, named, received
from tests.outputs.outcomes import AT, MARKS, PACKAGE, film, finding
from tests.outputs.verifiers import complaints, written

if TYPE_CHECKING:
    from pydicom import Dataset

    from lungflag.outcome import Finding
    from lungflag.package import ModelPackage


def overlay(judged: Finding, source: Dataset, package: ModelPackage = PACKAGE) -> Dataset:
    return build_overlay(judged, draw_overlay(film(), judged), source, package, AT)


def test_the_picture_is_the_overlay() -> None:
    judged = finding(marks=MARKS)
    picture = draw_overlay(film(), judged)
    image = dcmread(BytesIO(written(build_overlay(judged, picture, minimal(), PACKAGE, AT))))
    np.testing.assert_array_equal(image.pixel_array, np.asarray(picture))
    assert image.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_what_a_viewer_is_told() -> None:
    source = minimal()
    image = overlay(finding(), source)
    assert image.SOPClassUID == SecondaryCaptureImageStorage
    assert (image.Modality, image.ConversionType) == ("OT", "WSD")
    assert list(image.ImageType) == ["DERIVED", "SECONDARY"]
    assert image.BurnedInAnnotation == "YES"
    assert image.SeriesDescription == "lungflag tiny 1.2.0: AI overlay, not for diagnosis"
    assert "Not for diagnosis: AI result" in image.DerivationDescription
    assert "Flagged: suspected pneumonia." in image.DerivationDescription
    assert image.StudyInstanceUID == source.StudyInstanceUID
    (reference,) = image.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert not complaints(image)


def test_the_overlay_has_a_series_of_its_own() -> None:
    image = overlay(finding(), minimal())
    report = build_report(finding(), minimal(), PACKAGE, AT)
    newer = overlay(finding(), minimal(), replace(PACKAGE, version="2"))
    series = {one.SeriesInstanceUID for one in (minimal(), image, report, newer)}
    assert len(series) == 4
    assert len({image.SOPInstanceUID, report.SOPInstanceUID, newer.SOPInstanceUID}) == 3
    assert image.SeriesNumber != report.SeriesNumber


def test_loss_in_the_film_is_told() -> None:
    source = received({"LossyImageCompression": b"01", "LossyImageCompressionRatio": b"12.5"})
    image = overlay(finding(), source)
    assert image.LossyImageCompression == "01"
    assert image.LossyImageCompressionRatio == 12.5
    assert overlay(finding(), minimal()).LossyImageCompression == "00"


def test_the_orientation_is_the_films() -> None:
    turned = received({"PatientOrientation": b"R\\F "})
    assert list(overlay(finding(), turned).PatientOrientation) == [
        "R",
        "F",
    ]
    assert not overlay(finding(), minimal()).PatientOrientation


def test_the_same_result_is_the_same_file() -> None:
    one, other = (written(overlay(finding(), named("Korean"))) for _ in range(2))
    assert one == other
    assert b"20261124" in one


@pytest.mark.parametrize("key", NAMES)
def test_a_patients_name_survives_in_every_character_set(key: str) -> None:
    image = overlay(finding(), named(key))
    assert dcmread(BytesIO(written(image))).PatientName == NAMES[key][1]


@given(headers())
@settings(max_examples=25)
def test_no_header_makes_an_invalid_overlay(source: Dataset) -> None:
    image = overlay(finding(marks=MARKS), source)
    assert not [line for line in complaints(image) if line.startswith("Error")]


def test_the_verifier_sees_what_is_missing() -> None:
    image = overlay(finding(), minimal())
    del image.ConversionType
    image.PatientBirthDate = None
    del image.StudyInstanceUID
    assert [line for line in complaints(image) if line.startswith("Error")]
