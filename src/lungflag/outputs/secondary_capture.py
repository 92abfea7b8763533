"""A Finding's overlay as a DICOM Secondary Capture, for viewers that show pictures only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom.sc import SCImage
from pydicom.dataset import Dataset

from lungflag.outputs import codes, envelope, wording
from lungflag.outputs.identity import ResultNames
from lungflag.outputs.source import as_item, clean_header, is_lossy, local_time

if TYPE_CHECKING:
    from datetime import datetime

    from PIL import Image

    from lungflag.outcome import Finding
    from lungflag.package import ModelPackage

SERIES_NUMBER = 9102

_ANY_ORIENTATION = ("L", "F")  # highdicom demands one; the source's own replaces it


def build_overlay(
    finding: Finding,
    picture: Image.Image,
    source: Dataset,
    package: ModelPackage,
    at: datetime,
) -> Dataset:
    """Return the overlay of a finding as an image, ready to be written, sent or read.

    The same arguments give the same bytes.

    Parameters
    ----------
    finding : Finding
        What the picture shows.
    picture : PIL.Image.Image
        As `lungflag.outputs.overlay.draw_overlay` draws it, RGB.
    source : Dataset
        The header of the image. Pixels are not needed, nor anything but its UIDs.
    package : ModelPackage
        That judged it.
    at : datetime
        When it was judged; see `lungflag.outputs.source.local_time`.

    Returns
    -------
    Dataset
        A Secondary Capture Image (PS3.3, A.8.1), 8 bits RGB and not compressed, in a series of
        its own in the study of `source`.

    Raises
    ------
    InputError
        If `source` lacks one of its four UIDs, or is no image.
    """
    header = clean_header(source)
    names = ResultNames.of(finding, header, package)
    image = SCImage(
        pixel_array=np.asarray(picture),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=_ANY_ORIENTATION,
        study_instance_uid=header.StudyInstanceUID,
        series_description=envelope.description(package, "AI overlay, not for diagnosis"),
        **envelope.series("sc", SERIES_NUMBER, names, local_time(at, header)),
        **envelope.equipment(package),
    )
    image.PatientOrientation = header.get("PatientOrientation", "")
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.ConversionType = "WSD"
    image.DateOfSecondaryCapture = image.ContentDate
    image.TimeOfSecondaryCapture = image.ContentTime
    image.BurnedInAnnotation = "YES"
    image.BodyPartExamined = "CHEST"
    image.DerivationDescription = f"{wording.DISCLAIMER} {wording.verdict(finding)}"
    image.SourceImageSequence = [_reference(header)]
    _state_compression(image, source, header)
    envelope.finish(image, header)
    return image


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [as_item(codes.SOURCE_IMAGE)]
    return item


def _state_compression(image: Dataset, source: Dataset, header: Dataset) -> None:
    """Say whether the film had been compressed with loss (PS3.3, C.7.6.1.1.5)."""
    image.LossyImageCompression = "01" if is_lossy(source) else "00"
    if image.LossyImageCompression == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in header:
                setattr(image, keyword, header[keyword].value)
