"""DICOM objects to read, made from pixels."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dx(stored: NDArray[Any], bits: int, *, signed: bool = False, **attributes: Any) -> FileDataset:
    """Return a DX object, explicit little endian, with further attributes by keyword."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality = "DX"
    ds.PatientID, ds.PatientName = "P1", "Test^Patient"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape[:2]
    ds.BitsAllocated = 8 if bits == 8 else 16
    ds.BitsStored, ds.HighBit = bits, bits - 1
    ds.PixelRepresentation = int(signed)
    dtype = np.dtype(f"<{'i' if signed else 'u'}{ds.BitsAllocated // 8}")
    ds.add_new("PixelData", "OB" if bits == 8 else "OW", stored.astype(dtype).tobytes())
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def content(ds: FileDataset, syntax: UID | None = None) -> bytes:
    """Return `ds` as the bytes of a DICOM file, in another native syntax if given."""
    if syntax is not None:
        ds.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()
