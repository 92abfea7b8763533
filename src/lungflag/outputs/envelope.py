"""What every DICOM object of a result has in common: maker, series, dates, character set."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from highdicom import ContributingEquipment
from pydicom.sr.codedict import codes as standard
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from lungflag.outputs.identity import IMPLEMENTATION_UID, ResultNames

if TYPE_CHECKING:
    from datetime import datetime

    from highdicom import SOPClass
    from pydicom import Dataset

    from lungflag.package import ModelPackage

MAKER = "lungflag"

_LONGEST = 64  # characters of a Long String (PS3.5, 6.2)
_UNICODE = "ISO_IR 192"


def series(kind: str, number: int, names: ResultNames, now: datetime) -> dict[str, Any]:
    """Return the attributes of an object and its own series, as highdicom's parameters.

    Parameters
    ----------
    kind : str
        ``sr`` or ``sc``.
    number : int
        Series Number.
    names : ResultNames
        The identifiers.
    now : datetime
        Date and time of the object, without zone.
    """
    return {
        "sop_instance_uid": names.uid(kind),
        "series_instance_uid": names.uid(f"{kind}-series"),
        "series_number": number,
        "instance_number": 1,
        "content_date": now.date(),
        "content_time": now.time(),
        "series_date": now.date(),
        "series_time": now.time(),
        "specific_character_set": _UNICODE,
        "transfer_syntax_uid": ExplicitVRLittleEndian,
    }


def equipment(package: ModelPackage) -> dict[str, Any]:
    """Return who made the object, as highdicom's parameters (Enhanced General Equipment).

    The serial number is the beginning of the package's digest: two packages of the same name and
    version, of which one was recalibrated, are told apart.
    """
    return {
        "manufacturer": MAKER,
        "manufacturer_model_name": clipped(package.name),
        "software_versions": [_own_version(), clipped(f"{package.name} {package.version}")],
        "device_serial_number": serial_number(package),
    }


def serial_number(package: ModelPackage) -> str:
    """Return what names the package's very bytes."""
    return package.digest[:16] or "0"


def description(package: ModelPackage, what: str) -> str:
    """Return a Series Description, by which viewers list the series."""
    return clipped(f"{MAKER} {package.name} {package.version}: {what}")


def clipped(text: str) -> str:
    """Return `text` so short that a Long String holds it."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def nameless(header: Dataset) -> Dataset:
    """Return `header` without the patient's name, for highdicom, until `finish` brings it back.

    highdicom warns of names of one component, which are as good as others.
    """
    evidence = deepcopy(header)
    evidence.PatientName = ""
    return evidence


def finish(made: SOPClass, header: Dataset) -> None:
    """Put patient and study into an object, and take out what highdicom knows from the clock.

    So equal input gives equal bytes. The zone of the study's dates goes with them, where the
    source states it. The character set is stated where there are characters beyond ASCII, since
    some readers stumble over it.

    Parameters
    ----------
    made : highdicom.SOPClass
        The object, as highdicom made it.
    header : Dataset
        Of the source image, from `lungflag.outputs.source.clean_header`.
    """
    made.copy_patient_and_study_information(header)
    made.InstanceCreationDate, made.InstanceCreationTime = made.ContentDate, made.ContentTime
    made.ContributingEquipmentSequence = _acquisition(header)
    if not made.ContributingEquipmentSequence:
        del made.ContributingEquipmentSequence
    if "TimezoneOffsetFromUTC" in header:
        made.TimezoneOffsetFromUTC = header.TimezoneOffsetFromUTC
    if _is_ascii(made):
        del made.SpecificCharacterSet
    made.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    made.file_meta.ImplementationVersionName = _own_version().replace(" ", "_").upper()[:16]
    del made.file_meta.FileMetaInformationGroupLength  # written anew with the file


@cache
def _own_version() -> str:
    return f"{MAKER} {version('lungflag')}"


def _acquisition(header: Dataset) -> list[ContributingEquipment]:
    """Return the equipment that took the image, where the source names it.

    Not by highdicom's own way from an image, which first searches all attributes of its SOP class.
    """
    if not header.get("Manufacturer"):
        return []
    return [
        ContributingEquipment(
            manufacturer=header.Manufacturer,
            purpose_of_reference=standard.DCM.AcquisitionEquipment,
            manufacturer_model_name=header.get("ManufacturerModelName"),
            institution_name=header.get("InstitutionName"),
            station_name=header.get("StationName"),
            contribution_description="Acquisition equipment of the source image(s)",
        )
    ]


def _is_ascii(dataset: Dataset) -> bool:
    texts = (one for one in dataset.iterall() if one.VR in CUSTOMIZABLE_CHARSET_VR)
    return all(str(element.value).isascii() for element in texts)
