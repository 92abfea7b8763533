"""What a result takes over from the image that it is of: patient, study and equipment.

Headers come as devices and archives left them: dates that are none, texts that are too long, names
in every character set, tags missing or emptied. What breaks its value representation is left out,
as if it had not been there, since an archive may refuse the whole object for it; nothing is cut or
guessed, so that no patient becomes another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.coding import Code
from pydicom.valuerep import DA, TM, validate_value

from lungflag.errors import UnreadableError
from lungflag.radiograph.guard import guarded

if TYPE_CHECKING:
    from datetime import datetime

IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""The only attributes that a source must have."""

_REQUIRED = (  # type 2 of the Patient and General Study modules (PS3.3, C.7.1.1 and C.7.2.1)
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
_OPTIONAL = (
    *("IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("StudyDescription", "PatientAge", "PatientSize", "PatientWeight"),
    *("TimezoneOffsetFromUTC", "PatientOrientation"),
    *("Manufacturer", "ManufacturerModelName", "InstitutionName", "StationName"),
)
_CODED = ("ProcedureCodeSequence", "DeidentificationMethodCodeSequence")
_SEXES = {"M", "F", "O"}


def clean_header(source: Dataset) -> Dataset:
    """Return what a result takes over from `source`, every value valid, texts as Unicode.

    The attributes of type 2 are there, empty where `source` has no valid value. The result is to
    be written in UTF-8 (Specific Character Set ISO_IR 192).

    Parameters
    ----------
    source : Dataset
        The received header. It is left as it is; it needs only `IDENTITY`.
    """
    header = Dataset()
    for keyword in IDENTITY:
        setattr(header, keyword, str(source[keyword].value))
    for keyword in (*_REQUIRED, *_OPTIONAL):
        value = _value(source, keyword)
        if value or keyword in _REQUIRED:
            setattr(header, keyword, value)
    if header.PatientSex not in _SEXES:
        header.PatientSex = ""
    for keyword in _CODED:
        items = coded(source, keyword)
        if items:
            setattr(header, keyword, [_item(code) for code in items])
    _state_deidentification(header)
    return header


def coded(source: Dataset, keyword: str) -> list[Code]:
    """Return the valid items of a code sequence."""
    try:
        with guarded(keyword, "cannot be read"):
            items = [
                Code(
                    *(
                        _value(item, part)
                        for part in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
                    )
                )
                for item in source.get(keyword) or ()
            ]
    except UnreadableError:
        return []
    return [code for code in items if all(code[:3])]


def local_time(at: datetime, source: Dataset) -> datetime:
    """Return `at` as the wall clock of the place where the image was taken showed it.

    Content Date and Time have no zone of their own: they share the zone of the study's date and
    time, which Timezone Offset From UTC states, or else is this computer's. A time without zone
    is taken for that of the place.
    """
    if at.tzinfo is None:
        return at
    offset = _value(source, "TimezoneOffsetFromUTC")
    if offset:
        # A datetime with this offset, whose zone is what is wanted.
        from datetime import datetime as clock

        zone = clock.strptime(str(offset), "%z").tzinfo
        return at.astimezone(zone).replace(tzinfo=None)
    return at.astimezone().replace(tzinfo=None)


def _value(source: Dataset, keyword: str) -> str | list[str]:
    """Return a value as text, or nothing where it is missing or breaks its representation."""
    try:
        with guarded(keyword, "cannot be read"):
            value = source.get(keyword)
            if isinstance(value, (MultiValue, list, tuple)):
                return [_valid(keyword, str(part)) for part in value]
            return "" if value is None else _valid(keyword, str(value))
    except UnreadableError:
        return ""


def _valid(keyword: str, text: str) -> str:
    """Return `text` without padding.

    Raises
    ------
    ValueError
        If it may not stand in an element of this keyword.
    """
    text = text.strip(" \0")
    if not text.isprintable() or "\\" in text:
        raise ValueError(f"{keyword} holds control characters")
    representation = dictionary_VR(keyword)
    validate_value(representation, text, RAISE)
    if text and representation == "DA":
        DA(text)
    if text and representation == "TM":
        TM(text)
    return text


def _item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[:3]
    return item


def _state_deidentification(header: Dataset) -> None:
    """Name a method where the source says that its patient was removed and not how (type 1C)."""
    if header.get("PatientIdentityRemoved") not in {"YES", "NO"}:
        header.pop("PatientIdentityRemoved", None)
    removed = header.get("PatientIdentityRemoved") == "YES"
    if removed and not (
        "DeidentificationMethod" in header or "DeidentificationMethodCodeSequence" in header
    ):
        header.DeidentificationMethod = "Not stated by the source image"
