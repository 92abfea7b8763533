from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirabstractbase import FHIRValidationError
from hypothesis import given, settings

from lungflag.outcome import CODES
from lungflag.outputs.fhir import build_bundle
from lungflag.outputs.structured_report import build_report
from tests.outputs.headers import headers, minimal, named, received
from tests.outputs.outcomes import AT, MARKS, PACKAGE, finding, rejection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import Dataset

    from lungflag.outcome import Outcome

ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
URI = re.compile(r"(https?://|urn:oid:|urn:dicom:uid)\S*")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")


def resources(
    outcome: Outcome, source: Dataset | None = None, **changes: Any
) -> dict[str, dict[str, Any]]:
    package = replace(PACKAGE, **changes)
    bundle = json.loads(build_bundle(outcome, source or minimal(), package, AT))
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


def codes(concept: dict[str, Any]) -> list[tuple[str, str]]:
    return [(coding["system"], coding["code"]) for coding in concept["coding"]]


def test_a_flagged_film() -> None:
    made = resources(finding(marks=MARKS))
    observation, report = made["Observation"], made["DiagnosticReport"]
    assert observation["status"] == report["status"] == "preliminary"
    assert codes(observation["code"]) == [("http://snomed.info/sct", "233604007")]
    assert codes(observation["valueCodeableConcept"]) == [("http://snomed.info/sct", "415684004")]
    assert codes(observation["bodySite"]) == [("http://snomed.info/sct", "39607008")]
    certainty, point, *figures = observation["component"]
    assert codes(certainty["code"])[0][1] == "111012"
    assert certainty["valueQuantity"] == {
        "value": 91.2346,
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert point["valueString"] == "balanced"
    assert [one["valueQuantity"]["value"] for one in figures] == [50.0, 90.0, 91.0]
    notes = [note["text"] for note in observation["note"]]
    assert notes[0] == "Flagged: suspected pneumonia."
    assert set(MARKS) <= set(notes)
    assert "Not for diagnosis: AI result" in notes[-1]
    assert "Not for diagnosis: AI result" in report["conclusion"]
    assert "conclusionCode" not in report  # which readers would take for a diagnosis


def test_a_film_that_is_not_flagged() -> None:
    made = resources(finding(flagged=False))
    value = made["Observation"]["valueCodeableConcept"]
    assert codes(value) == [("http://snomed.info/sct", "260415000")]
    assert "does not rule out" in made["DiagnosticReport"]["conclusion"]


@pytest.mark.parametrize("code", CODES)
def test_a_rejection_has_no_value_and_says_why(code: str) -> None:
    observation = resources(rejection(code, "because of this"))["Observation"]
    assert not [key for key in observation if key.startswith(("value", "component"))]
    reason = observation["dataAbsentReason"]
    general, own, insufficient = codes(reason)
    assert general[1] == (
        "error" if code in {"unreadable", "no-answer", "unexpected"} else "not-performed"
    )
    assert own[1] == code
    assert insufficient[1] == "110531"
    assert reason["text"] == "because of this"


def test_the_bundle_is_a_transaction_that_may_be_sent_twice() -> None:
    text = build_bundle(finding(), minimal(), PACKAGE, AT)
    assert text == build_bundle(finding(), minimal(), PACKAGE, AT)
    bundle = json.loads(text)
    assert bundle["type"] == "transaction"
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["request"] == {
            "method": "PUT",
            "url": f"{resource['resourceType']}/{resource['id']}",
        }
    newer = resources(finding(), version="1.3.0")
    older = resources(finding())
    assert all(newer[kind]["id"] != older[kind]["id"] for kind in older)


def test_references_lead_where_they_say() -> None:
    source = received({"PatientID": b"P-7", "IssuerOfPatientID": b"GH", "AccessionNumber": b"A1"})
    made = resources(finding(), source)
    observation, report = made["Observation"], made["DiagnosticReport"]
    assert observation["device"]["reference"] == f"Device/{made['Device']['id']}"
    assert report["result"] == [{"reference": f"Observation/{observation['id']}"}]
    assert observation["subject"] == report["subject"]
    assert report["subject"]["identifier"]["value"] == "P-7"
    assert report["subject"]["identifier"]["assigner"] == {"display": "GH"}
    assert report["basedOn"][0]["identifier"]["value"] == "A1"
    (study,) = report["imagingStudy"]
    assert study["identifier"]["value"] == f"urn:oid:{source.StudyInstanceUID}"
    sr = build_report(finding(), source, PACKAGE, AT)
    assert report["identifier"][0]["value"] == f"urn:oid:{sr.SOPInstanceUID}"


def test_no_name_of_the_patient_is_told() -> None:
    source = named("Japanese")
    assert "Yamada" not in build_bundle(finding(), source, PACKAGE, AT)
    assert "subject" not in resources(finding(), source)["Observation"]


def test_dates() -> None:
    source = received({"StudyDate": b"20260131"})
    report = resources(finding(), source)["DiagnosticReport"]
    assert report["effectiveDateTime"] == "2026-01-31"
    assert datetime.fromisoformat(report["issued"]) == AT
    naive = datetime(2026, 1, 2, 3, 4, 5)
    bundle = json.loads(build_bundle(finding(), source, PACKAGE, naive))
    assert INSTANT.fullmatch(bundle["entry"][1]["resource"]["issued"])


@given(headers())
@settings(max_examples=100)
def test_no_header_makes_an_invalid_bundle(source: Dataset) -> None:
    for outcome in (finding(marks=MARKS), rejection("unexpected", "caf\udce9 \0")):
        text = build_bundle(outcome, source, PACKAGE, AT)
        text.encode("utf-8")
        bundle = json.loads(text)
        Bundle(bundle)
        for keys, value in _leaves(bundle):
            # FHIR has no empty strings, lists or objects.
            assert value not in ("", [], {}, None), keys
            if keys[-1] == "id":
                assert ID.fullmatch(value)
            if keys[-1] == "system":
                assert URI.fullmatch(value)
            if keys[-1] == "issued":
                assert INSTANT.fullmatch(value)


def _leaves(part: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(part, dict) and part:
        for key, value in part.items():
            yield from _leaves(value, (*keys, key))
    elif isinstance(part, list) and part:
        for value in part:
            yield from _leaves(value, keys)
    else:
        yield keys, part


def test_the_library_refuses_what_is_not_fhir() -> None:
    bundle = json.loads(build_bundle(finding(), minimal(), PACKAGE, AT))
    bundle["entry"][1]["resource"]["bodySight"] = "lung"
    with pytest.raises(FHIRValidationError):
        Bundle(bundle)
