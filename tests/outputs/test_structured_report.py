from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from highdicom.sr import srread
from hypothesis import given, settings
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage

from lungflag.calibration import OperatingPoint
from lungflag.errors import InputError, PackageError
from lungflag.outcome import CODES, Finding
from lungflag.outputs.structured_report import build_report
from tests.outputs.headers import NAMES, headers, minimal, named, received
from tests.outputs.outcomes import AT, MARKS, PACKAGE, finding, rejection
from tests.outputs.verifiers import complaints, dumped, written

if TYPE_CHECKING:
    from pydicom import Dataset

    from lungflag.outcome import Outcome


def items(report: Dataset) -> list[tuple[str, str, Any]]:
    """Return the content items below the root: name, value type and value, in order."""

    def walk(parent: Dataset) -> list[tuple[str, str, Any]]:
        found = []
        for item in parent.get("ContentSequence", ()):
            name = item.ConceptNameCodeSequence[0].CodeMeaning
            found.append((name, item.ValueType, _value(item)))
            found += walk(item)
        return found

    return walk(report)


def _value(item: Dataset) -> Any:
    if item.ValueType == "CODE":
        code = item.ConceptCodeSequence[0]
        return code.get("CodeValue") or code.LongCodeValue, code.CodingSchemeDesignator
    if item.ValueType == "NUM":
        measured = item.MeasuredValueSequence[0]
        return float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue
    if item.ValueType == "SCOORD":
        return item.GraphicType, list(item.GraphicData)
    if item.ValueType == "IMAGE":
        return item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    return item.get("TextValue") or item.get("UID")


def values(report: Dataset, name: str) -> list[Any]:
    return [value for item, _, value in items(report) if item == name]


def sized(rows: int = 400, columns: int = 200) -> Dataset:
    source = minimal()
    source.Rows, source.Columns = rows, columns
    return source


def test_a_flagged_film() -> None:
    source = sized()
    report = build_report(finding(marks=MARKS), source, PACKAGE, AT)
    assert report.SOPClassUID == Comprehensive3DSRStorage
    assert report.Modality == "SR"
    assert report.StudyInstanceUID == source.StudyInstanceUID
    assert report.SeriesInstanceUID != source.SeriesInstanceUID
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.PreliminaryFlag == "PRELIMINARY"
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID

    assert values(report, "Finding") == [("233604007", "SCT")]
    assert values(report, "Finding context") == [("415684004", "SCT")]
    assert values(report, "Pneumonia") == [("415684004", "SCT")]
    assert values(report, "Finding Site") == [("39607008", "SCT")]
    assert values(report, "Certainty of Finding") == [(91.2346, "%")]
    assert values(report, "Threshold of the operating point") == [(50.0, "%")]
    assert values(report, "Sensitivity of the operating point") == [(90.0, "%")]
    assert values(report, "Specificity of the operating point") == [(91.0, "%")]
    assert values(report, "Operating point") == ["balanced"]
    assert values(report, "Algorithm Name") == ["lungflag tiny"]
    assert values(report, "Algorithm Version") == ["1.2.0"]
    assert values(report, "Algorithm Family") == [("123110", "DCM")]
    assert "operating point: balanced" in values(report, "Algorithm Parameters")
    # The place (1, 2) of 4 x 4.
    ((graphic, data),) = values(report, "Image Region")
    assert graphic == "POLYLINE"
    assert data == [100, 100, 150, 100, 150, 200, 100, 200, 100, 100]
    assert values(report, "Source") == [source.SOPInstanceUID] * 2  # of the library, the region
    assert values(report, "Pixel Data Rows") == [(400.0, "{pixels}")]
    first, *marks, figures, last, region = values(report, "Comment")
    assert first == "Flagged: suspected pneumonia."
    assert tuple(marks) == MARKS
    assert "0.900 and specificity 0.910" in figures
    assert "120 images" in figures
    assert "Not for diagnosis: AI result" in last
    assert "no outline of disease" in region


def test_a_film_that_is_not_flagged_is_not_called_healthy() -> None:
    report = build_report(finding(flagged=False), sized(), PACKAGE, AT)
    assert values(report, "Finding") == []  # whoever lists findings lists none
    assert values(report, "Pneumonia") == [("260415000", "SCT")]
    assert values(report, "Image Region") == []
    assert values(report, "Certainty of Finding") == [(2.3457, "%")]
    assert values(report, "Source of Measurement") == [minimal().SOPInstanceUID]
    assert values(report, "Comment")[0] == (
        "Not flagged: no suspicion raised. This does not rule out pneumonia."
    )
    text = dumped(report).lower()
    assert not any(word in text for word in ("normal", "healthy", "absent", "negative"))


@pytest.mark.parametrize("code", CODES)
def test_a_rejection_is_coded(code: str) -> None:
    report = build_report(rejection(code, "because of this"), minimal(), PACKAGE, AT)
    assert values(report, "Finding") == [("110531", "DCM")]
    assert values(report, "Reason of the rejection") == [(code, "99LUNGFLAG")]
    assert values(report, "Pneumonia") == []
    assert values(report, "Certainty of Finding") == []
    assert values(report, "Comment")[0].startswith("Not judged: because of this. ")
    assert values(report, "Procedure reported") == [("363680008", "SCT")]
    assert not complaints(report)
    dumped(report)


def test_no_region_where_the_map_or_the_header_has_none() -> None:
    flat = finding(heatmap=np.zeros((4, 4), np.float32))
    for outcome, source in ((flat, sized()), (finding(), minimal())):
        report = build_report(outcome, source, PACKAGE, AT)
        assert values(report, "Image Region") == []
        assert values(report, "Pneumonia") == [("415684004", "SCT")]
        assert not complaints(report)


def groups(report: Dataset) -> list[Dataset]:
    (measurements,) = (
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    )
    return list(measurements.ContentSequence)


def test_viewers_of_regions_get_along_with_every_report() -> None:
    """OHIF takes a number beside no region for a region, and fails without an image library."""
    for outcome, shown in (
        (finding(), True),
        (finding(flagged=False), False),
        (rejection(), False),
    ):
        report = build_report(outcome, sized(), PACKAGE, AT)
        assert values(report, "Image Library") == [None]
        (group,) = groups(report)
        kinds = [item.ValueType for item in group.ContentSequence]
        assert ("SCOORD" in kinds, "NUM" in kinds) == (shown, shown)
        assert {"UIDREF", "TEXT"} <= set(kinds)


@pytest.mark.parametrize(
    ("modality", "code"), [("CR", "CR"), ("DX", "DX"), ("CT", "CT"), ("DR", "OT"), ("", "OT")]
)
def test_the_library_knows_the_modality(modality: str, code: str) -> None:
    source = minimal()
    source.Modality = modality
    report = build_report(rejection(), source, PACKAGE, AT)
    assert values(report, "Modality") == [(code, "DCM")]
    assert values(report, "Pixel Data Rows") == []


def test_the_age_groups_point_is_told() -> None:
    child = OperatingPoint("balanced", 0.7, "by hand", 0.8, 0.75, 30, "child")
    package = replace(PACKAGE, operating_points=(*PACKAGE.operating_points, child))
    judged = finding(age_group="child", threshold=0.7)
    report = build_report(judged, minimal(), package, AT)
    assert values(report, "Operating point") == ["balanced (child)"]
    assert values(report, "Sensitivity of the operating point") == [(80.0, "%")]
    assert "age group: child" in values(report, "Algorithm Parameters")


def test_the_procedure_is_the_sources_where_it_says() -> None:
    source = minimal()
    assert values(build_report(finding(), source, PACKAGE, AT), "Procedure reported") == [
        ("399208008", "SCT")
    ]
    code = build_report(finding(), source, PACKAGE, AT).ContentSequence[0].ConceptCodeSequence[0]
    source.ProcedureCodeSequence = [code]
    (procedure,) = values(build_report(finding(), source, PACKAGE, AT), "Procedure reported")
    assert procedure == (code.CodeValue, code.CodingSchemeDesignator)


def test_a_newer_version_is_another_report_in_another_series() -> None:
    older = build_report(finding(), minimal(), PACKAGE, AT)
    newer = build_report(finding(), minimal(), replace(PACKAGE, version="1.3.0"), AT)
    assert older.SOPInstanceUID != newer.SOPInstanceUID
    assert older.SeriesInstanceUID != newer.SeriesInstanceUID
    assert older.SeriesDescription == "lungflag tiny 1.2.0: AI result, not for diagnosis"
    assert newer.SeriesDescription == "lungflag tiny 1.3.0: AI result, not for diagnosis"
    long = replace(PACKAGE, name="n" * 99, version="v" * 99)
    assert not complaints(build_report(finding(), minimal(), long, AT))


@pytest.mark.parametrize("outcome", [finding(), finding(flagged=False), rejection()])
def test_the_same_result_is_the_same_file(outcome: Outcome) -> None:
    def once() -> bytes:
        return written(build_report(outcome, named("Japanese"), PACKAGE, AT))

    first = once()
    assert first == once()
    later = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    other = dcmread(BytesIO(written(build_report(outcome, named("Japanese"), PACKAGE, later))))
    assert str(other.ContentDate) == str(other.InstanceCreationDate) == "20310102"
    assert other.SOPInstanceUID == dcmread(BytesIO(first)).SOPInstanceUID


def test_dates_are_the_places_own() -> None:
    source = received({"TimezoneOffsetFromUTC": b"+0900", "StudyDate": b"20261125"})
    report = build_report(finding(), source, PACKAGE, datetime(2026, 11, 24, 23, 30, tzinfo=UTC))
    assert (str(report.ContentDate), str(report.ContentTime)) == ("20261125", "083000")
    assert report.TimezoneOffsetFromUTC == "+0900"


@pytest.mark.parametrize("key", NAMES)
def test_a_patients_name_survives_in_every_character_set(key: str) -> None:
    report = dcmread(BytesIO(written(build_report(finding(), named(key), PACKAGE, AT))))
    assert report.PatientName == NAMES[key][1]
    assert report.get("SpecificCharacterSet") == (None if key == "ASCII" else "ISO_IR 192")
    assert "Error" not in " ".join(complaints(report))
    assert NAMES[key][1].partition("=")[0] in dumped(report)


@given(headers())
@settings(max_examples=40)
def test_no_header_makes_an_invalid_report(source: Dataset) -> None:
    for outcome in (finding(marks=MARKS), finding(flagged=False), rejection()):
        report = build_report(outcome, source, PACKAGE, AT)
        errors = [line for line in complaints(report) if line.startswith("Error")]
        assert not errors
        assert isinstance(outcome, Finding) or values(report, "Finding") == [("110531", "DCM")]
        assert srread(BytesIO(written(report))).content


def test_what_cannot_be_reported_is_said() -> None:
    source = minimal()
    del source.StudyInstanceUID
    with pytest.raises(InputError, match="its header has no StudyInstanceUID"):
        build_report(finding(), source, PACKAGE, AT)
    with pytest.raises(PackageError, match="no operating point 'other'"):
        build_report(finding(operating_point="other"), minimal(), PACKAGE, AT)


def test_hostile_words_stay_text() -> None:
    reason = "caf\udce9\x1b[31m\nsecond line\0"
    report = build_report(rejection("unexpected", reason), minimal(), PACKAGE, AT)
    assert values(report, "Comment")[0].startswith("Not judged: caf??[31m second line?. ")
    assert not complaints(report)
