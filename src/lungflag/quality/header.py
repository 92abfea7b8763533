"""What a DICOM header says that matters for judging: age, body part, view, hospital."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from lungflag.errors import QualityError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungflag.quality.validated import ValidatedUse

ADULT = 18.0
"""Years from which a patient counts as an adult."""

# Days a unit of DICOM's Age String (PS3.5, 6.2).
_UNITS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
# Body Part Examined is free to the vendor: CHEST, THORAX, PORT CHEST, CHEST_PA, LUNG ...
_CHEST = re.compile(r"CHEST|TH?ORAX|LUNG")
_NO_WORD = {"", "UNKNOWN", "OTHER", "NONE", "UNDEFINED", "N/A", "BODY"}
# View Position (PS3.3, C.8.1.1.1 and C.8.11.5.1): lateral, oblique and decubitus projections.
_NOT_FRONTAL = re.compile(r"^(LL|RL|LLD|RLD|LLO|RLO|LAO|RAO|LPO|RPO)$|LAT|OBL|DECUB")
_LATERAL_WORD = re.compile(r"\bLAT(ERAL)?\b")
_FRONTAL_WORD = re.compile(r"\b(AP|PA|FRONTAL)\b")

# Code of a rejection by the picture to the attribute that ought to have told.
_SAID = {
    "lateral": ("ViewPosition", "View Position"),
    "rotated": ("PatientOrientation", "Patient Orientation"),
    "inverted": ("PhotometricInterpretation", "Photometric Interpretation"),
    "not-a-radiograph": ("BodyPartExamined", "Body Part Examined"),
}


def age_in_years(header: Mapping[str, str]) -> float | None:
    """Return Patient's Age, or the time from birth to study; None where neither is stated."""
    stated = re.fullmatch(r"\s*(\d{1,3})([DWMY])\s*", header.get("PatientAge", "").upper())
    if stated:
        return int(stated[1]) * _UNITS[stated[2]] / _UNITS["Y"]
    return _since_birth(header)


def _since_birth(header: Mapping[str, str]) -> float | None:
    try:
        born, seen = (
            datetime.strptime(header[key].strip(), "%Y%m%d")  # dates have no zone
            for key in ("PatientBirthDate", "StudyDate")
        )
    except (KeyError, ValueError):
        return None
    years = (seen - born).days / _UNITS["Y"]
    return years if 0 <= years < 150 else None


def age_group(age: float | None) -> str:
    """Return ``child``, ``adult``, or nothing where the age is not known."""
    if age is None:
        return ""
    return "adult" if age >= ADULT else "child"


def check_header(header: Mapping[str, str], source: str) -> None:
    """Raise where the header says that this is no frontal chest radiograph.

    Raises
    ------
    QualityError
        With the code ``header``.
    """
    part = _word(header, "BodyPartExamined")
    if part not in _NO_WORD and not _CHEST.search(part):
        raise QualityError(source, f"its header says Body Part Examined {part}", code="header")
    view = _word(header, "ViewPosition")
    if _NOT_FRONTAL.search(view):
        raise QualityError(source, f"its header says View Position {view}", code="header")
    # The rows of a frontal film run to the patient's left or right (PS3.3, C.7.6.1.1.1).
    orientation = _word(header, "PatientOrientation")
    if orientation[:1] in {"A", "P"}:
        reason = f"its header says Patient Orientation {orientation}: a lateral view"
        raise QualityError(source, reason, code="header")


def beside(code: str, header: Mapping[str, str]) -> str:
    """Return what the header says of what the gate found, as the end of a reason, or nothing."""
    keyword, name = _SAID.get(code, ("", ""))
    said = _word(header, keyword)
    return f"; its header says {name} {said}" if said else ""


def marks(
    header: Mapping[str, str], validated: ValidatedUse, *, age: float | None, asked: str
) -> tuple[str, ...]:
    """Return what a reader must be told of an accepted film because of its header.

    Parameters
    ----------
    header : Mapping[str, str]
        DICOM keyword to value; empty for image files.
    validated : ValidatedUse
        Of the package.
    age : float or None
        The patient's age in years, from the header or from the caller.
    asked : str
        The age group that the caller asked for, or nothing.
    """
    return (*_outside(header, validated, age), *_contradictions(header, age, asked))


def _outside(header: Mapping[str, str], validated: ValidatedUse, age: float | None) -> list[str]:
    found = []
    # A patient counts as four years old up to the fifth birthday.
    if (
        age is not None
        and validated.ages
        and not (validated.ages[0] <= age < validated.ages[1] + 1)
    ):
        youngest, oldest = validated.ages
        found.append(f"age {_years(age)}, validated on {youngest:g} to {oldest:g} years")
    institution = header.get("InstitutionName", "").strip()
    if institution and _plain(institution) not in map(_plain, validated.institutions):
        found.append(f"hospital {institution!r}, where it was not validated")
    view = _word(header, "ViewPosition")
    if view and validated.views and view not in validated.views:
        found.append(f"View Position {view}, validated on {', '.join(validated.views)}")
    return [f"outside validated use: {one}" for one in found]


def _contradictions(header: Mapping[str, str], age: float | None, asked: str) -> list[str]:
    found = []
    group = age_group(age)
    if asked and age is not None and group != asked:
        found.append(
            f"asked for {asked}, but the patient's age is {_years(age)}; judged as {group}"
        )
    born = _since_birth(header)
    if header.get("PatientAge") and age is not None and born is not None and abs(age - born) >= 2:
        found.append(f"Patient's Age is {_years(age)}, by the birth date {_years(born)}")
    for keyword in ("SeriesDescription", "ProtocolName"):
        words = _word(header, keyword).replace("_", " ")
        if _LATERAL_WORD.search(words) and not _FRONTAL_WORD.search(words):
            found.append(f"{keyword} says {words}, but the film was taken as frontal")
    return [f"contradiction: {one}" for one in found]


def _word(header: Mapping[str, str], keyword: str) -> str:
    """Return a header's text in capitals, fit to be shown in one line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in header.get(keyword, ""))
    return text.strip().upper()[:64]


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _years(age: float) -> str:
    return f"{age:.0f} years" if age >= 2 else f"{age * 12:.0f} months"
