"""A Finding's overlay as a DICOM Secondary Capture, for viewers that show pictures only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom.sc import SCImage
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from lungflag.outputs import codes, wording
from lungflag.outputs.overlay import draw_overlay
from lungflag.outputs.source import clean_header, local_time
from lungflag.outputs.structured_report import _Names, equipment

if TYPE_CHECKING:
    from datetime import datetime

    from lungflag.outcome import Finding
    from lungflag.package import ModelPackage
    from lungflag.radiograph import Radiograph

SERIES_NUMBER = 9102


def build_overlay(
    finding: Finding,
    radiograph: Radiograph,
    source: Dataset,
    package: ModelPackage,
    at: datetime,
) -> Dataset:
    """Return the overlay of a finding as an image, ready to be written, sent or read.

    The same arguments give the same bytes.

    Parameters
    ----------
    finding : Finding
        Of `radiograph`.
    radiograph : Radiograph
        The pixels that were judged, shape (rows, columns).
    source : Dataset
        The header of the image; pixels are not needed, nor anything but its UIDs.
    package : ModelPackage
        That judged it.
    at : datetime
        When it was judged.

    Returns
    -------
    Dataset
        A Secondary Capture Image (PS3.3, A.8.1) in RGB, in a series of its own in the study of
        `source`.
    """
    header = clean_header(source)
    names = _Names(header.SOPInstanceUID, package, finding.operating_point)
    now = local_time(at, source)
    image = SCImage(
        pixel_array=np.asarray(draw_overlay(radiograph, finding)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=names("sc-series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=names("sc"),
        instance_number=1,
        patient_id=header.PatientID,
        content_date=now.date(),
        content_time=now.time(),
        series_date=now.date(),
        series_time=now.time(),
        series_description=f"lungflag {package.name} {package.version}: AI overlay"[:64],
        specific_character_set="ISO_IR 192",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **equipment(package),
    )
    image.InstanceCreationDate, image.InstanceCreationTime = image.ContentDate, image.ContentTime
    image.DateOfSecondaryCapture, image.TimeOfSecondaryCapture = now.date(), now.time()
    image.DateOfSecondaryCapture, image.TimeOfSecondaryCapture = (
        image.ContentDate,
        image.ContentTime,
    )
    image.copy_patient_and_study_information(header)
    image.PatientOrientation = header.get("PatientOrientation", "")
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.ConversionType = "WSD"
    image.BurnedInAnnotation = "YES"
    image.BodyPartExamined = "CHEST"
    image.DerivationDescription = f"{wording.DISCLAIMER} {wording.verdict(finding)}"
    image.SourceImageSequence = [_reference(header)]
    lossy = str(source.get("LossyImageCompression") or "00")
    image.LossyImageCompression = "01" if lossy == "01" else "00"
    return image


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = codes.SOURCE_IMAGE[:3]
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item
