"""What a result takes over from the image that it is of: patient, study and equipment.

Headers come as devices and archives left them: dates that are none, texts that are too long, names
in every character set, tags missing or emptied. What breaks its value representation is left out,
as if it had not been there, since an archive may refuse the whole object for it; nothing is cut or
guessed, so that no patient becomes another one.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom import uid
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.coding import Code
from pydicom.valuerep import DA, TM, validate_value

from lungflag.errors import InputError, UnreadableError
from lungflag.radiograph.dicom import parse
from lungflag.radiograph.files import load
from lungflag.radiograph.guard import guarded, printable
from lungflag.radiograph.sniff import Format, recognise

if TYPE_CHECKING:
    from collections.abc import Iterable

IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""The only attributes that a source must have."""

_REQUIRED = (  # type 2 of the Patient and General Study modules (PS3.3, C.7.1.1 and C.7.2.1)
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
_OPTIONAL = (
    *("IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("StudyDescription", "PatientAge", "PatientSize", "PatientWeight"),
    *("TimezoneOffsetFromUTC", "PatientOrientation", "Modality"),
    *("Manufacturer", "ManufacturerModelName", "InstitutionName", "StationName"),
    *("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
_CODED = ("ProcedureCodeSequence", "DeidentificationMethodCodeSequence")
_GB2312 = "\x1b$)A"  # an escape sequence that pydicom 3.0 decodes by, but leaves in the text
_TERMS = {
    "PatientSex": r"[MFO]",
    "PatientIdentityRemoved": r"YES|NO",
    "PatientOrientation": r"[LRAPHF]{1,3}",
    "TimezoneOffsetFromUTC": r"[+-](0\d|1[0-4])[0-5]\d",
}
_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
_LOSSY = {
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLSNearLossless,
}


def clean_header(source: Dataset) -> Dataset:
    """Return what a result takes over from `source`, every value valid, texts as Unicode.

    The attributes of type 2 are there, empty where `source` has no valid value. The result is to
    be written in UTF-8 (Specific Character Set ISO_IR 192).

    Parameters
    ----------
    source : Dataset
        The received header. It is left as it is; it needs only `IDENTITY`.

    Raises
    ------
    InputError
        If one of `IDENTITY` is missing, or the SOP class is no image.
    """
    header = Dataset()
    for keyword, text in _identity(source).items():
        setattr(header, keyword, text)
    for keyword in (*_REQUIRED, *_OPTIONAL):
        values = _values(source, keyword)
        if values or keyword in _REQUIRED:
            setattr(header, keyword, values if len(values) > 1 else "".join(values))
    for keyword in _CODED:
        items = coded(source, keyword)
        if items:
            setattr(header, keyword, [as_item(code) for code in items])
    _state_deidentification(header)
    return header


def read_header(path: str | Path) -> Dataset | None:
    """Return the data set of a DICOM image that has `IDENTITY`, or None of any other file."""
    try:
        data = load(str(path), Path(path))
        if recognise(str(path), data) is not Format.DICOM:
            return None
        source = parse(str(path), data)
        _identity(source)
    except InputError:
        return None
    return source


def coded(source: Dataset, keyword: str) -> list[Code]:
    """Return the valid items of a code sequence."""
    try:
        with guarded(keyword, "cannot be read"):
            items = list(source.get(keyword) or ())
    except UnreadableError:
        return []
    return [code for item in items if (code := _code(item))]


def as_item(code: Code) -> Dataset:
    """Return a code as the item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[:3]
    return item


def is_lossy(source: Dataset) -> bool:
    """Return whether the source was compressed with loss, by what it says or how it came."""
    syntax = getattr(source, "file_meta", Dataset()).get("TransferSyntaxUID")
    return _values(source, "LossyImageCompression") == ["01"] or syntax in _LOSSY


def size_of(source: Dataset) -> tuple[int, int] | None:
    """Return the rows and columns, or None where they are not stated."""
    try:
        with guarded("Rows", "cannot be read"):
            rows, columns = source.get("Rows"), source.get("Columns")
    except UnreadableError:
        return None
    if isinstance(rows, int) and isinstance(columns, int) and rows > 0 and columns > 0:
        return rows, columns
    return None


def local_time(at: datetime, header: Dataset) -> datetime:
    """Return `at` as the wall clock of the place where the image was taken showed it.

    Content Date and Time have no zone of their own: they share the zone of the study's date and
    time, which Timezone Offset From UTC states, or else is this computer's. A time without zone
    is taken for that of the place.
    """
    if at.tzinfo is None:
        return at
    offset = header.get("TimezoneOffsetFromUTC")
    zone = datetime.strptime(offset, "%z").tzinfo if offset else None
    return at.astimezone(zone).replace(tzinfo=None)


def _identity(source: Dataset) -> dict[str, str]:
    found = {keyword: "".join(_values(source, keyword)) for keyword in IDENTITY}
    name = found["SOPInstanceUID"] or "<dataset>"
    for keyword, text in found.items():
        if not text:
            raise InputError(name, f"its header has no {keyword}")
    kind = uid.UID(found["SOPClassUID"])
    if "ImageStorage" not in kind.keyword or kind.is_retired:
        raise InputError(name, f"is no image that a result may refer to: {printable(kind.name)}")
    return found


def _values(source: Dataset, keyword: str) -> list[str]:
    """Return the values as text; none where it is missing, empty or breaks its representation."""
    try:
        with guarded(keyword, "cannot be read"):
            value = source.get(keyword)
            several = isinstance(value, (MultiValue, list, tuple))
            parts: Iterable[object] = value if several else (value,)
            texts = [_valid(keyword, str(part)) for part in parts if part is not None]
    except UnreadableError:
        return []
    multiplicity = dictionary_VM(keyword)
    fits = multiplicity == "1-n" or str(len(texts)) == multiplicity
    return texts if fits and all(texts) else []


def _valid(keyword: str, text: str) -> str:
    """Return `text` without padding.

    Raises
    ------
    ValueError
        If it may not stand in an element of this keyword.
    """
    text = text.replace(_GB2312, "").strip(" \0")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} or letter == "\\" for letter in text):
        raise ValueError(f"{keyword} holds control characters")
    representation = dictionary_VR(keyword)
    validate_value(representation, text, RAISE)
    if representation == "PN" and any(group.count("^") > 4 for group in text.split("=")):
        raise ValueError(f"{keyword} has more than five components")
    if text and representation in {"DA", "TM"}:
        (DA if representation == "DA" else TM)(text)
    if text and keyword in _TERMS and not re.fullmatch(_TERMS[keyword], text):
        raise ValueError(f"{keyword} is no term that the standard knows")
    return text


def _code(item: Dataset) -> Code | None:
    parts = [_values(item, keyword) for keyword in _CODE]
    if not all(len(part) == 1 for part in parts):
        return None
    value, scheme, meaning = (part[0] for part in parts)
    return Code(value, scheme, meaning)


def _state_deidentification(header: Dataset) -> None:
    """Name a method where the source says that its patient was removed and not how (type 1C)."""
    stated = "DeidentificationMethod" in header or "DeidentificationMethodCodeSequence" in header
    if header.get("PatientIdentityRemoved") == "YES" and not stated:
        header.DeidentificationMethod = "Not stated by the source image"
