"""An Outcome as FHIR R4: DiagnosticReport, Observation and Device in a transaction Bundle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fhirclient.models.bundle import Bundle

from lungflag.outcome import Finding
from lungflag.outputs import codes, wording
from lungflag.outputs.identity import result_uid, result_uuid
from lungflag.outputs.source import clean_header

if TYPE_CHECKING:
    from datetime import datetime

    from pydicom import Dataset
    from pydicom.sr.coding import Code

    from lungflag.outcome import Outcome
    from lungflag.package import ModelPackage

_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
}


def build_bundle(outcome: Outcome, source: Dataset, package: ModelPackage, at: datetime) -> str:
    """Return a transaction Bundle of FHIR R4 as JSON.

    Every entry is a PUT to an id that follows from the image and the package, so that sending it
    twice changes nothing.

    Parameters
    ----------
    outcome : Outcome
        A Finding or a Rejection of `source`.
    source : Dataset
        The header of the image; nothing but its UIDs is needed.
    package : ModelPackage
        That judged it.
    at : datetime
        When it was judged; a time without zone is this computer's.

    Raises
    ------
    PackageError
        If the package does not have the outcome's operating point.
    """
    header = clean_header(source)
    ids = {
        kind: str(
            result_uuid(
                header.SOPInstanceUID,
                package.name,
                package.version,
                f"{kind} {outcome.operating_point}",
            )
        )
        for kind in ("Observation", "DiagnosticReport")
    }
    ids["Device"] = str(result_uuid(package.digest, package.name, package.version, "device"))
    shared: dict[str, Any] = {"status": "preliminary"}
    if header.PatientID:
        shared["subject"] = {"type": "Patient", "identifier": {"value": header.PatientID}}
    study = {
        "type": "ImagingStudy",
        "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{header.StudyInstanceUID}"},
    }
    issued = at.astimezone().isoformat(timespec="milliseconds")
    device = {
        "resourceType": "Device",
        "id": ids["Device"],
        "deviceName": [{"name": f"lungflag {package.name}", "type": "model-name"}],
        "manufacturer": "lungflag",
        "version": [{"value": package.version}],
    }
    observation = {
        "resourceType": "Observation",
        "id": ids["Observation"],
        **shared,
        "code": _concept(codes.PNEUMONIA),
        "bodySite": _concept(codes.LUNG),
        "issued": issued,
        "device": {"reference": f"Device/{ids['Device']}"},
        "derivedFrom": [study],
        "note": [{"text": text} for text in (wording.verdict(outcome), wording.DISCLAIMER)],
        **_result(outcome, package),
    }
    report = {
        "resourceType": "DiagnosticReport",
        "id": ids["DiagnosticReport"],
        **shared,
        "identifier": [
            {
                "system": "urn:dicom:uid",
                "value": "urn:oid:"
                + result_uid(
                    header.SOPInstanceUID,
                    package.name,
                    package.version,
                    f"sr {outcome.operating_point}",
                ),
            }
        ],
        "code": {"text": "AI reading of a chest radiograph"},
        "issued": issued,
        "imagingStudy": [study],
        "result": [{"reference": f"Observation/{ids['Observation']}"}],
        "conclusion": f"{wording.verdict(outcome)} {wording.DISCLAIMER}",
    }
    entries = [
        {
            "resource": resource,
            "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
        }
        for resource in (device, observation, report)
    ]
    bundle = Bundle({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    return json.dumps(bundle.as_json(), ensure_ascii=False, sort_keys=True)


def _result(outcome: Outcome, package: ModelPackage) -> dict[str, Any]:
    if not isinstance(outcome, Finding):
        return {
            "dataAbsentReason": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                        "code": "not-performed",
                        "display": "Not Performed",
                    }
                ],
                "text": f"{outcome.code}: {outcome.reason}",
            }
        }
    point = package.operating_point(outcome.operating_point, outcome.age_group)
    return {
        "valueCodeableConcept": _concept(
            codes.SUSPECTED if outcome.flagged else codes.NOT_DETECTED
        ),
        "component": [
            _percent(codes.CERTAINTY, outcome.probability),
            _percent(codes.THRESHOLD, outcome.threshold),
            _percent(codes.SENSITIVITY, point.sensitivity),
            _percent(codes.SPECIFICITY, point.specificity),
        ],
    }


def _concept(code: Code) -> dict[str, Any]:
    if code.scheme_designator not in _SYSTEMS:
        return {"text": code.meaning}
    return {
        "coding": [
            {
                "system": _SYSTEMS[code.scheme_designator],
                "code": code.value,
                "display": code.meaning,
            }
        ]
    }


def _percent(code: Code, share: float) -> dict[str, Any]:
    quantity = {
        "value": round(100 * share, 4),
        "unit": "%",
        "system": _SYSTEMS["UCUM"],
        "code": "%",
    }
    return {"code": _concept(code), "valueQuantity": quantity}
