"""An Outcome as a DICOM Comprehensive 3D SR after TID 1500, Measurement Report."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.uid import ExplicitVRLittleEndian

from lungflag.outcome import Finding
from lungflag.outputs import codes, wording
from lungflag.outputs.identity import result_uid
from lungflag.outputs.region import peak_region
from lungflag.outputs.source import clean_header, coded, local_time

if TYPE_CHECKING:
    from datetime import datetime

    from pydicom import Dataset
    from pydicom.sr.coding import Code

    from lungflag.outcome import Outcome, Rejection
    from lungflag.package import ModelPackage

SERIES_NUMBER = 9101


def build_report(outcome: Outcome, source: Dataset, package: ModelPackage, at: datetime) -> Dataset:
    """Return the report of an outcome, ready to be written, sent or read.

    The same arguments give the same bytes.

    Parameters
    ----------
    outcome : Outcome
        A Finding or a Rejection of `source`.
    source : Dataset
        The header of the image; pixels are not needed, nor anything but its UIDs.
    package : ModelPackage
        That judged it.
    at : datetime
        When it was judged.

    Returns
    -------
    Dataset
        A Comprehensive 3D SR (PS3.3, A.35.13) with the content of TID 1500 (PS3.16), in a series
        of its own in the study of `source`, unverified and preliminary.

    Raises
    ------
    PackageError
        If the package does not have the outcome's operating point.
    """
    header = clean_header(source)
    names = _Names(header.SOPInstanceUID, package, outcome.operating_point)
    if isinstance(outcome, Finding):
        group = _finding_group(outcome, source, header, package, names)
    else:
        group = _rejection_group(outcome, header, package, names)
    for text in (wording.DISCLAIMER, *getattr(outcome, "marks", ())):
        group[0].ContentSequence.append(_comment(text))
    procedures = coded(source, "ProcedureCodeSequence") or [codes.PLAIN_CHEST]
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(package)),
        procedure_reported=procedures,
        imaging_measurements=[group],
    )
    now = local_time(at, source)
    report = sr.Comprehensive3DSR(
        evidence=[header],
        content=content[0],
        series_instance_uid=names("sr-series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=names("sr"),
        instance_number=1,
        is_complete=True,
        content_date=now.date(),
        content_time=now.time(),
        series_date=now.date(),
        series_time=now.time(),
        series_description=f"lungflag {package.name} {package.version}: AI"[:64],
        specific_character_set="ISO_IR 192",
        coding_schemes=[CodingSchemeIdentificationItem(codes.OWN_SCHEME, name="lungflag")],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **equipment(package),
    )
    report.InstanceCreationDate, report.InstanceCreationTime = (
        report.ContentDate,
        report.ContentTime,
    )
    return report


def equipment(package: ModelPackage) -> dict[str, Any]:
    """Return who made the object, as highdicom names it (Enhanced General Equipment)."""
    return {
        "manufacturer": "lungflag",
        "manufacturer_model_name": package.name[:64],
        "software_versions": [f"lungflag {version('lungflag')}", package.version[:64]],
        "device_serial_number": package.digest[:16] or "unwritten",
    }


class _Names:
    def __init__(self, instance: str, package: ModelPackage, point: str) -> None:
        self._instance, self._package, self._point = instance, package, point

    def __call__(self, kind: str) -> str:
        return result_uid(
            self._instance, self._package.name, self._package.version, f"{kind} {self._point}"
        )


def _observer(package: ModelPackage) -> sr.ObserverContext:
    return sr.ObserverContext(
        observer_type=sr.CodedConcept.from_code(codes.DEVICE),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=result_uid(package.digest, package.name, package.version, "device"),
            name="lungflag",
            manufacturer_name="lungflag",
            model_name=f"{package.name} {package.version}",
            serial_number=equipment(package)["device_serial_number"],
        ),
    )


def _algorithm(outcome: Outcome, package: ModelPackage) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=f"lungflag {package.name}",
        version=package.version,
        parameters=[f"operating point {outcome.operating_point}"],
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer="lungflag",
    )


def _finding_group(
    finding: Finding, source: Dataset, header: Dataset, package: ModelPackage, names: _Names
) -> Any:
    point = package.operating_point(finding.operating_point, finding.age_group)
    presence = codes.SUSPECTED if finding.flagged else codes.NOT_DETECTED
    common: dict[str, Any] = {
        "tracking_identifier": _tracking(names),
        "algorithm_id": _algorithm(finding, package),
        "finding_sites": [sr.FindingSite(codes.LUNG)],
        "measurements": [
            _percent(codes.CERTAINTY, finding.probability),
            _percent(codes.THRESHOLD, finding.threshold),
            _percent(codes.SENSITIVITY, point.sensitivity),
            _percent(codes.SPECIFICITY, point.specificity),
        ],
        "qualitative_evaluations": [sr.QualitativeEvaluation(codes.PNEUMONIA, presence)],
    }
    if finding.flagged:
        common["finding_type"] = codes.PNEUMONIA
    corners = None
    rows, columns = source.get("Rows"), source.get("Columns")
    if finding.flagged and rows and columns:
        corners = peak_region(finding.heatmap, rows, columns)
    if corners is None:
        group = sr.MeasurementsAndQualitativeEvaluations(
            source_images=[_image(sr.SourceImageForMeasurementGroup, header)], **common
        )
    else:
        region = sr.ImageRegion(
            sr.GraphicTypeValues.POLYLINE, corners, _image(sr.SourceImageForRegion, header)
        )
        group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=region, **common
        )
    items = group[0].ContentSequence
    items.append(_text(codes.OPERATING_POINT, wording.chosen_point(point)))
    items.append(_comment(wording.verdict(finding)))
    items.append(_comment(wording.measured(point)))
    return group


def _rejection_group(
    rejection: Rejection, header: Dataset, package: ModelPackage, names: _Names
) -> Any:
    from pydicom.sr.coding import Code

    reason = Code(rejection.code[:16], codes.OWN_SCHEME, wording.meaning(rejection))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(names),
        finding_type=codes.INSUFFICIENT,
        algorithm_id=_algorithm(rejection, package),
        qualitative_evaluations=[sr.QualitativeEvaluation(codes.REASON, reason)],
        source_images=[_image(sr.SourceImageForMeasurementGroup, header)],
    )
    group[0].ContentSequence.append(_comment(wording.verdict(rejection)))
    return group


def _tracking(names: _Names) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=names("tracking"), identifier="lungflag")


def _percent(name: Code, share: float) -> sr.Measurement:
    return sr.Measurement(name=name, value=round(100 * share, 4), unit=codes.PERCENT)


def _image(kind: Any, header: Dataset) -> Any:
    return kind(header.SOPClassUID, header.SOPInstanceUID)


def _text(name: Code, text: str) -> sr.TextContentItem:
    return sr.TextContentItem(
        name=name, value=text, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _comment(text: str) -> sr.TextContentItem:
    return _text(codes.COMMENT, text)
