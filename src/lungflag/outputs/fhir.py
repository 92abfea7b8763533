"""An Outcome as FHIR R4: DiagnosticReport, Observation and Device in a transaction Bundle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fhirclient.models.bundle import Bundle

from lungflag.outcome import Finding
from lungflag.outputs import codes, envelope, wording
from lungflag.outputs.identity import ResultNames, device_uuid
from lungflag.outputs.source import clean_header

if TYPE_CHECKING:
    from datetime import datetime

    from pydicom import Dataset
    from pydicom.sr.coding import Code

    from lungflag.outcome import Outcome, Rejection
    from lungflag.outputs.amendment import Amendment
    from lungflag.package import ModelPackage

    Resource = dict[str, Any]

_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
    "LN": "http://loinc.org",
    codes.OWN_SCHEME: f"urn:oid:{codes.OWN_SCHEME_UID}",
}
_HL7 = "http://terminology.hl7.org/CodeSystem"

# Rejections that say nothing of the image: something went wrong.
_ERRORS = {"unreadable", "no-answer", "unexpected"}


def build_bundle(
    outcome: Outcome,
    source: Dataset,
    package: ModelPackage,
    at: datetime,
    amendment: Amendment | None = None,
) -> str:
    """Return a transaction Bundle of FHIR R4 (4.0.1) as JSON.

    Every entry is a PUT to an id that follows from the image and the package, so that sending it
    twice changes nothing. Patient, imaging study and order are referred to by the identifiers
    that the image has, and nothing else of the patient is told.

    Parameters
    ----------
    outcome : Outcome
        A Finding or a Rejection of `source`.
    source : Dataset
        The header of the image; nothing but its UIDs is needed.
    package : ModelPackage
        That judged it.
    at : datetime
        When it was judged, or amended; a time without zone is this computer's.
    amendment : Amendment, optional
        What readers have said of the outcome since: the same resources then say so too. They stay
        preliminary, since nobody has verified them.

    Raises
    ------
    InputError
        If `source` lacks one of its four UIDs, or is no image.
    PackageError
        If the package does not have the outcome's operating point.
    """
    header = clean_header(source)
    names = ResultNames.of(outcome, header, package)
    issued = at.astimezone().isoformat(timespec="milliseconds")
    resources = (
        _device(package),
        _observation(outcome, header, package, names, issued),
        _report(outcome, header, names, issued),
    )
    if amendment is not None:
        _amend(resources[1], resources[2], amendment, names)
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
            }
            for resource in resources
        ],
    }
    Bundle(bundle).as_json()  # raises where a property is unknown, missing or of another type
    return json.dumps(bundle, ensure_ascii=False, allow_nan=False)


def _device(package: ModelPackage) -> Resource:
    device: Resource = {
        "resourceType": "Device",
        "id": str(device_uuid(package)),
        "status": "active",
        "manufacturer": envelope.MAKER,
        "deviceName": [{"name": f"{envelope.MAKER} {package.name}", "type": "model-name"}],
        "version": [{"value": package.version}],
        "type": _concept(codes.ARTIFICIAL_INTELLIGENCE),
        "note": [{"text": wording.DISCLAIMER}],
    }
    if package.digest:
        device["serialNumber"] = envelope.serial_number(package)
    return device


def _observation(
    outcome: Outcome, header: Dataset, package: ModelPackage, names: ResultNames, issued: str
) -> Resource:
    point = None
    if isinstance(outcome, Finding):
        point = package.operating_point(outcome.operating_point, outcome.age_group)
        said = codes.SUSPECTED if outcome.flagged else codes.NOT_DETECTED
        result: Resource = {
            "valueCodeableConcept": _concept(said),
            "component": [
                _percent(codes.CERTAINTY, outcome.probability),
                {
                    "code": _concept(codes.OPERATING_POINT),
                    "valueString": wording.chosen_point(point),
                },
                _percent(codes.THRESHOLD, outcome.threshold),
                _percent(codes.SENSITIVITY, point.sensitivity),
                _percent(codes.SPECIFICITY, point.specificity),
            ],
        }
    else:
        result = {"dataAbsentReason": _absence(outcome)}
    return {
        "resourceType": "Observation",
        "id": names.uuid("observation"),
        **_context(header, issued),
        "category": [_one(f"{_HL7}/observation-category", "imaging", "Imaging")],
        "code": _concept(codes.PNEUMONIA),
        **result,
        "bodySite": _concept(codes.LUNG),
        "device": {"reference": f"Device/{device_uuid(package)}"},
        "derivedFrom": [_study(header)],
        "note": [{"text": text} for text in wording.remarks(outcome, point)],
    }


def _amend(
    observation: Resource, report: Resource, amendment: Amendment, names: ResultNames
) -> None:
    """Say first what readers have said, and name the SR that says so as well."""
    said = amendment.remarks()
    observation["note"] = [*({"text": text} for text in said), *observation["note"]]
    report["conclusion"] = " ".join((*said, report["conclusion"]))
    uid = f"urn:oid:{names.uid(amendment.kind)}"
    report["identifier"].append({"system": "urn:dicom:uid", "value": uid})


def _report(outcome: Outcome, header: Dataset, names: ResultNames, issued: str) -> Resource:
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "id": names.uuid("report"),
        # The DICOM SR of the same result.
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{names.uid('sr')}"}],
        **_context(header, issued),
        "category": [_one(f"{_HL7}/v2-0074", "RAD", "Radiology")],
        "code": {
            **_one(_SYSTEMS["LN"], "18748-4", "Diagnostic imaging study"),
            "text": "Chest radiograph, judged by AI for suspected pneumonia",
        },
        "imagingStudy": [_study(header)],
        "result": [{"reference": f"Observation/{names.uuid('observation')}"}],
        "conclusion": f"{wording.verdict(outcome)} {wording.DISCLAIMER}",
    }
    if header.AccessionNumber:
        accession = {
            "type": _one(f"{_HL7}/v2-0203", "ACSN", "Accession ID"),
            "value": header.AccessionNumber,
        }
        report["basedOn"] = [{"type": "ServiceRequest", "identifier": accession}]
    return report


def _context(header: Dataset, issued: str) -> Resource:
    """Return what report and observation share: whom they are of, of when, how reliable."""
    context: Resource = {"status": "preliminary", "issued": issued}
    if header.PatientID:
        identifier: Resource = {
            "type": _one(f"{_HL7}/v2-0203", "MR", "Medical record number"),
            "value": header.PatientID,
        }
        if "IssuerOfPatientID" in header:
            identifier["assigner"] = {"display": header.IssuerOfPatientID}
        context["subject"] = {"type": "Patient", "identifier": identifier}
    if header.StudyDate:
        day = header.StudyDate
        context["effectiveDateTime"] = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return context


def _study(header: Dataset) -> Resource:
    uid = f"urn:oid:{header.StudyInstanceUID}"
    return {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": uid}}


def _absence(rejection: Rejection) -> Resource:
    """Return why there is no result, for FHIR and by lungflag's own code."""
    general = (
        ("error", "Error") if rejection.code in _ERRORS else ("not-performed", "Not Performed")
    )
    own = codes.rejection_code(rejection.code, wording.meaning(rejection))
    coding = [
        *_one(f"{_HL7}/data-absent-reason", *general)["coding"],
        *_concept(own)["coding"],
        *_concept(codes.INSUFFICIENT_QUALITY)["coding"],
    ]
    return {"coding": coding, "text": wording.plain(rejection.reason)}


def _percent(code: Code, share: float) -> Resource:
    unit = {"unit": "%", "system": _SYSTEMS["UCUM"], "code": codes.PERCENT.value}
    return {"code": _concept(code), "valueQuantity": {"value": round(100 * share, 4), **unit}}


def _concept(code: Code) -> Resource:
    return _one(_SYSTEMS[code.scheme_designator], code.value, code.meaning)


def _one(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}
