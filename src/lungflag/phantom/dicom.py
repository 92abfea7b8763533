"""A phantom as a DICOM object: Digital X-Ray Image, for presentation (PS3.3, A.26)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.phantom import Phantom

_BITS = 12
_WHITE = 2**_BITS - 1
_SYNTHETIC = "SYNTHETIC radiograph for demonstration and testing. Not of a patient."


def patient_id(seed: int) -> str:
    """Return the patient's identifier, the same in manifests and DICOM objects."""
    return f"PHANTOM-{seed:06d}"


def to_dicom(phantom: Phantom) -> Dataset:
    """Return a phantom as a DX object of 12 bits, with file meta information.

    Identifiers follow from the phantom alone, so the same one is the same object. Nothing in the
    header tells the label.

    Parameters
    ----------
    phantom : Phantom
        The radiograph. Its acquisition says whether grey is stored as MONOCHROME1 or 2.

    Returns
    -------
    Dataset
        Ready to be written, sent, or read by `lungflag.radiograph.read_radiograph`.
    """
    dataset = Dataset()
    _describe_patient_and_study(dataset, phantom)
    _describe_acquisition(dataset, phantom)
    _add_pixels(dataset, phantom)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    return dataset


def write_dicom(phantom: Phantom, path: Path) -> None:
    """Write `to_dicom` as a DICOM file."""
    to_dicom(phantom).save_as(path, enforce_file_format=True)


def _uid(what: str, phantom: Phantom) -> str:
    """Return a UID in the branch of UUIDs (PS3.5, B.2)."""
    name = f"lungflag {what} {phantom.seed} {phantom.label} {phantom.pixels.shape[0]}"
    return f"2.25.{int.from_bytes(sha256(name.encode()).digest()[:16])}"


def _describe_patient_and_study(dataset: Dataset, phantom: Phantom) -> None:
    dataset.PatientName = "SYNTHETIC^PHANTOM"
    dataset.PatientID = patient_id(phantom.seed)
    dataset.PatientBirthDate = ""
    dataset.PatientSex = phantom.patient.sex
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Synthetic: there is no patient"
    dataset.StudyInstanceUID = _uid("study", phantom)
    dataset.StudyDate = ""
    dataset.StudyTime = ""
    dataset.StudyID = str(phantom.seed)
    dataset.StudyDescription = "SYNTHETIC chest radiograph"
    dataset.AccessionNumber = f"SYN{phantom.seed:06d}"
    dataset.ReferringPhysicianName = ""
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.SeriesInstanceUID = _uid("series", phantom)
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = f"SYNTHETIC chest {phantom.view}"
    dataset.Manufacturer = "lungflag phantom"
    dataset.ManufacturerModelName = "phantom"
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"


def _describe_acquisition(dataset: Dataset, phantom: Phantom) -> None:
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = _uid("image", phantom)
    dataset.InstanceNumber = 1
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.DerivationDescription = "Computed from an analytic chest"
    dataset.ImageComments = _SYNTHETIC
    dataset.AcquisitionDate = ""
    dataset.AcquisitionTime = ""
    dataset.ContentDate = ""
    dataset.ContentTime = ""
    dataset.BodyPartExamined = "CHEST"
    dataset.AnatomicRegionSequence = [_code("43799004", "SCT", "Chest")]
    dataset.ImageLaterality = "U"
    dataset.PatientOrientation = ["L", "F"]
    dataset.ViewPosition = phantom.view
    view = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}
    code, meaning = view[phantom.view]
    dataset.ViewCodeSequence = [_code(code, "SCT", meaning)]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    dataset.PositionerType = "NONE"
    dataset.DetectorType = ""
    dataset.ImagerPixelSpacing = [f"{phantom.pixel_spacing:.5f}"] * 2
    dataset.AcquisitionContextSequence = []


def _add_pixels(dataset: Dataset, phantom: Phantom) -> None:
    inverted = phantom.acquisition.photometric == "MONOCHROME1"
    stored = np.rint(phantom.pixels * _WHITE).astype("<u2")
    if inverted:
        stored = _WHITE - stored
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = phantom.acquisition.photometric
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = _BITS
    dataset.HighBit = _BITS - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LOG"
    # -1: greater stored values mean less X-ray, as in MONOCHROME2, where bone is bright.
    dataset.PixelIntensityRelationshipSign = 1 if inverted else -1
    dataset.RescaleIntercept = 0
    dataset.RescaleSlope = 1
    dataset.RescaleType = "US"
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    # The identity over all stored values (PS3.3, C.11.2.1.2: centre 2^(n-1), width 2^n).
    dataset.WindowCenter = 2 ** (_BITS - 1)
    dataset.WindowWidth = 2**_BITS
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "YES"
    dataset.PixelData = stored.tobytes()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item
