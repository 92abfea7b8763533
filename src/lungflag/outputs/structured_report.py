"""An Outcome as a DICOM Comprehensive 3D SR by TID 1500, Measurement Report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem

from lungflag.outcome import Finding
from lungflag.outputs import codes, envelope, wording
from lungflag.outputs.identity import ResultNames, device_uuid
from lungflag.outputs.image_library import image_library
from lungflag.outputs.region import peak_region
from lungflag.outputs.source import clean_header, coded, local_time, size_of

if TYPE_CHECKING:
    from datetime import datetime

    from pydicom import Dataset
    from pydicom.sr.coding import Code

    from lungflag.calibration import OperatingPoint
    from lungflag.outcome import Outcome, Rejection
    from lungflag.outputs.amendment import Amendment
    from lungflag.package import ModelPackage

SERIES_NUMBER = 9101


def build_report(
    outcome: Outcome,
    source: Dataset,
    package: ModelPackage,
    at: datetime,
    amendment: Amendment | None = None,
) -> Dataset:
    """Return the report of an outcome, ready to be written, sent or read.

    The same arguments give the same bytes.

    Parameters
    ----------
    outcome : Outcome
        A Finding or a Rejection of `source`.
    source : Dataset
        The header of the image. Pixels are not needed, nor anything but its UIDs; without Rows
        and Columns no region is pointed at.
    package : ModelPackage
        That judged it.
    at : datetime
        When it was judged, or amended; see `lungflag.outputs.source.local_time`.
    amendment : Amendment, optional
        What readers have said of the outcome since: the report then supersedes the first one, in
        the same series.

    Returns
    -------
    Dataset
        A Comprehensive 3D SR (PS3.3, A.35.13) with the content of TID 1500 (PS3.16), in a series
        of its own in the study of `source`; preliminary and unverified.

    Raises
    ------
    InputError
        If `source` lacks one of its four UIDs, or is no image.
    PackageError
        If the package does not have the outcome's operating point.
    """
    header = clean_header(source)
    names = ResultNames.of(outcome, header, package)
    if isinstance(outcome, Finding):
        procedure = codes.CHEST_RADIOGRAPH
        group = _finding(outcome, source, header, package, names, amendment)
    else:
        procedure, group = codes.RADIOGRAPH, _rejection(outcome, header, package, names, amendment)
    if amendment is not None:
        _comment(group, *amendment.remarks())
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(package)),
        procedure_reported=coded(header, "ProcedureCodeSequence") or [procedure],
        imaging_measurements=[group],
    )
    root = content[0]
    items = root.ContentSequence
    items.insert(-1, image_library(header, size_of(source)))
    # The document copies, converts and searches what it is given, which takes longer than all the
    # rest. There is nothing to be found: these items are highdicom's own, and refer to one image.
    root.ContentSequence = []
    scheme = CodingSchemeIdentificationItem(codes.OWN_SCHEME, name="lungflag")
    scheme.CodingSchemeUID = codes.OWN_SCHEME_UID
    report = sr.Comprehensive3DSR(
        evidence=[envelope.nameless(header)],
        content=root,
        is_complete=True,
        series_description=envelope.description(package, "AI result, not for diagnosis"),
        coding_schemes=[scheme],
        previous_versions=None if amendment is None else amendment.documents(names, header),
        **envelope.series("sr", SERIES_NUMBER, names, local_time(at, header)),
        **envelope.equipment(package),
    )
    report.ContentSequence = items
    if amendment is not None:
        _amend(report, amendment, names)
    envelope.finish(report, header)
    return report


def _amend(report: Dataset, amendment: Amendment, names: ResultNames) -> None:
    """Make it another object of the first report's series."""
    report.SOPInstanceUID = names.uid(amendment.kind)
    report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
    report.InstanceNumber = 1 + amendment.revision
    report.CompletionFlagDescription = amendment.summary


def _observer(package: ModelPackage) -> sr.ObserverContext:
    """Return the device that observed: TID 1002 and 1004."""
    return sr.ObserverContext(
        observer_type=sr.CodedConcept.from_code(codes.DEVICE),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=f"2.25.{device_uuid(package).int}",
            name=envelope.MAKER,
            manufacturer_name=envelope.MAKER,
            model_name=f"{package.name} {package.version}",
            serial_number=envelope.serial_number(package),
        ),
    )


def _finding(
    finding: Finding,
    source: Dataset,
    header: Dataset,
    package: ModelPackage,
    names: ResultNames,
    amendment: Amendment | None,
) -> Any:
    """Return the measurement group of a finding: TID 1410 where a region is shown, else 1501.

    Without a region, the figures stand below the answer that they belong to, as in DICOM's CAD
    templates: viewers (OHIF) take a number in the group itself for the label of a region.
    """
    point = package.operating_point(finding.operating_point, finding.age_group)
    presence = codes.SUSPECTED if finding.flagged else codes.NOT_DETECTED
    # What a reader has disagreed with is on record still, and no mark or headline any more.
    shown = finding.flagged and not (amendment and amendment.disagreeing)
    content: dict[str, Any] = {
        "tracking_identifier": _tracking(names),
        # Viewers list findings without their context: a film that is not flagged has none.
        "finding_type": codes.PNEUMONIA if shown else None,
        "finding_sites": [sr.FindingSite(codes.LUNG)],
        "algorithm_id": _algorithm(finding, package, point),
        "qualitative_evaluations": [
            sr.QualitativeEvaluation(codes.PNEUMONIA, presence),
            *_assessment(amendment),
        ],
    }
    figures = (
        (codes.CERTAINTY, finding.probability),
        (codes.THRESHOLD, finding.threshold),
        (codes.SENSITIVITY, point.sensitivity),
        (codes.SPECIFICITY, point.specificity),
    )
    region = _region(finding, size_of(source), header) if shown else None
    group: Any
    if region is None:
        group = sr.MeasurementsAndQualitativeEvaluations(
            source_images=[_image(sr.SourceImageForMeasurementGroup, header)], **content
        )
        properties = [_property(name, share) for name, share in figures]
        _item(group, codes.PNEUMONIA).ContentSequence = sr.ContentSequence(properties)
    else:
        group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=region,
            measurements=[_measurement(name, share) for name, share in figures],
            **content,
        )
    if shown:
        _state_context(group)
    group[0].ContentSequence.append(_text(codes.OPERATING_POINT, wording.chosen_point(point)))
    _comment(group, *wording.remarks(finding, point), *([] if region is None else [wording.REGION]))
    return group


def _rejection(
    rejection: Rejection,
    header: Dataset,
    package: ModelPackage,
    names: ResultNames,
    amendment: Amendment | None,
) -> Any:
    """Return the measurement group of an image that was not judged: TID 1501."""
    reason = codes.rejection_code(rejection.code, wording.meaning(rejection))
    group: Any = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(names),
        finding_type=codes.INSUFFICIENT_QUALITY,
        algorithm_id=_algorithm(rejection, package),
        qualitative_evaluations=[
            sr.QualitativeEvaluation(codes.REJECTION, reason),
            *_assessment(amendment),
        ],
        source_images=[_image(sr.SourceImageForMeasurementGroup, header)],
    )
    _comment(group, *wording.remarks(rejection))
    return group


def _assessment(amendment: Amendment | None) -> list[sr.QualitativeEvaluation]:
    return [] if amendment is None else [amendment.evaluation()]


def _tracking(names: ResultNames) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=names.uid("tracking"), identifier="suspected pneumonia")


def _algorithm(
    outcome: Outcome, package: ModelPackage, point: OperatingPoint | None = None
) -> sr.AlgorithmIdentification:
    """Return what judged the image, and how it was set: TID 4019."""
    parameters = [f"operating point: {outcome.operating_point}"]
    if point is not None:
        parameters += [
            f"threshold: {point.threshold:.6f}",
            f"age group: {point.age_group or 'any'}",
        ]
    if package.digest:
        parameters.append(f"package digest: {package.digest}")
    return sr.AlgorithmIdentification(
        name=f"{envelope.MAKER} {package.name}",
        version=package.version,
        parameters=parameters,
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer=envelope.MAKER,
    )


def _measurement(name: Code, share: float) -> sr.Measurement:
    return sr.Measurement(name=name, value=_percent(share), unit=codes.PERCENT)


def _property(name: Code, share: float) -> sr.NumContentItem:
    kind = sr.RelationshipTypeValues.HAS_PROPERTIES
    return sr.NumContentItem(name, _percent(share), codes.PERCENT, relationship_type=kind)


def _percent(share: float) -> float:
    return round(100 * share, 4)


def _region(
    finding: Finding, size: tuple[int, int] | None, header: Dataset
) -> sr.ImageRegion | None:
    """Return where a flagged film's heatmap has its peak, if it has one.

    The heatmap spans the image as it is stored: no reader of lungflag turns or crops a DICOM
    image, so that its places are the source's.
    """
    if not finding.flagged or size is None:
        return None
    corners = peak_region(finding.heatmap, *size)
    if corners is None:
        return None
    image = _image(sr.SourceImageForRegion, header)
    return sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, corners, image)


def _image(kind: Any, header: Dataset) -> Any:
    return kind(header.SOPClassUID, header.SOPInstanceUID)


def _state_context(group: Any) -> None:
    """Say of the finding itself, for who reads no further, that it is suspected."""
    context = sr.CodeContentItem(
        codes.FINDING_CONTEXT, codes.SUSPECTED, sr.RelationshipTypeValues.HAS_CONCEPT_MOD
    )
    _item(group, codes.FINDING).ContentSequence = sr.ContentSequence([context])


def _item(group: Any, name: Code) -> Any:
    """Return the one item of that name."""
    (item,) = (item for item in group[0].ContentSequence if item.name == name)
    return item


def _comment(group: Any, *texts: str) -> None:
    for text in texts:
        group[0].ContentSequence.append(_text(codes.COMMENT, text))


def _text(name: Code, text: str) -> sr.TextContentItem:
    return sr.TextContentItem(name, text, sr.RelationshipTypeValues.CONTAINS)
