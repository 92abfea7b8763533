"""Headers as they come in: every character set, odd values, missing and emptied tags."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from pydicom.charset import convert_encodings
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import PersonName

from lungflag.radiograph.dicom import parse

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES: dict[str, tuple[str | list[str], str]] = {
    "Latin-1": ("ISO_IR 100", "Müller^Jörg"),
    "Latin-2": ("ISO_IR 101", "Wałęsa^Łucja"),
    "Cyrillic": ("ISO_IR 144", "Люксембург^Роза"),
    "Greek": ("ISO_IR 126", "Διονυσιος"),
    "Arabic": ("ISO_IR 127", "قباني^لنزار"),
    "Hebrew": ("ISO_IR 138", "שרון^דבורה"),
    "Thai": ("ISO_IR 166", "นามสกุล^ชื่อ"),
    "Japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Japanese, half width": (
        ["ISO 2022 IR 13", "ISO 2022 IR 87"],
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "Korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "Chinese, GB2312": (["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东"),
    "Chinese, GB18030": ("GB18030", "Wang^XiaoDong=王^小东"),
    "Unicode": ("ISO_IR 192", "Wang^XiaoDong=王^小東\u3000一"),
    "ASCII": ("", "Doe^Jane^Q^Dr^PhD"),
}
"""Character set and a name that it can write."""

ODD: dict[str, tuple[str, ...]] = {
    "PatientName": ("", "^^^^", "A" * 65, "A=B=C=D", "a^b^c^d^e^f", "O'Neill^Ann", "  x  "),
    "PatientID": ("", "0", "x" * 64, "x" * 65, "A\\B", "00-1/2#3", "two\nlines"),
    "IssuerOfPatientID": ("", "HOSPITAL", "&1.2.3&ISO", "y" * 70),
    "PatientBirthDate": ("", "19500101", "1950", "19501345", "1950.01.01", "20260231", "ANON"),
    "PatientSex": ("", "M", "F", "O", "U", "male", "m"),
    "PatientAge": ("", "034Y", "34Y", "34", "003M", "XXXX"),
    "PatientSize": ("", "1.72", "tall", "1.7\\1.8"),
    "PatientWeight": ("", "70", "1e400", "-1", "seventy"),
    "PatientIdentityRemoved": ("", "YES", "NO", "MAYBE"),
    "DeidentificationMethod": ("", "by hand", "one\\two", "z" * 65),
    "StudyDate": ("", "20260131", "20260132", "2026-01-31", "0", "99999999"),
    "StudyTime": ("", "101112", "101112.123456", "10:11:12", "256199", "noon"),
    "AccessionNumber": ("", "A123", "A" * 16, "A" * 17),
    "ReferringPhysicianName": ("", "Ref^Erring", "B" * 80),
    "StudyID": ("", "1", "S" * 17),
    "StudyDescription": ("", "Thorax p.a.", "d" * 65, "tab\there"),
    "TimezoneOffsetFromUTC": ("", "+0900", "-0330", "+9", "UTC"),
    "PatientOrientation": ("", "L\\F", "R\\F", "L", "X\\Y", "L\\"),
    "Manufacturer": ("", "ACME", "M" * 65),
    "ManufacturerModelName": ("", "Model 1"),
    "InstitutionName": ("", "General Hospital", "I" * 70),
    "StationName": ("", "ROOM1", "S" * 20),
    "LossyImageCompression": ("", "00", "01", "1"),
    "LossyImageCompressionRatio": ("", "10", "10\\2", "lots"),
    "LossyImageCompressionMethod": ("", "ISO_10918_1", "iso 10918"),
    "Rows": ("0", "64"),
    "Columns": ("0", "48"),
}
"""Values that devices, archives and anonymisers write, valid ones among them."""

CLASSES = (
    DigitalXRayImageStorageForPresentation,
    ComputedRadiographyImageStorage,
    SecondaryCaptureImageStorage,
)


def minimal(number: int = 1, sop_class: str = DigitalXRayImageStorageForPresentation) -> Dataset:
    """Return a header of nothing but its four UIDs."""
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = f"1.2.826.0.1.{number}.3"
    ds.StudyInstanceUID = f"1.2.826.0.1.{number}.1"
    ds.SeriesInstanceUID = f"1.2.826.0.1.{number}.2"
    return ds


def received(values: dict[str, bytes], number: int = 1, sop_class: str = CLASSES[0]) -> Dataset:
    """Return a header as a receiver reads it: from bytes, nothing decoded or checked yet.

    Parameters
    ----------
    values : dict[str, bytes]
        Keyword to encoded value; a code sequence is an encoded item.
    number, sop_class
        As in `minimal`.
    """
    for element in minimal(number, sop_class):
        values = {element.keyword: str(element.value).encode(), **values}
    stream = b"".join(
        _element(tag, values[keyword])
        for tag, keyword in sorted((tag_for_keyword(keyword) or 0, keyword) for keyword in values)
    )
    return parse("header", stream)


def named(key: str) -> Dataset:
    """Return a received header with the name of `NAMES` and its character set."""
    return received(_name(key))


def _name(key: str) -> dict[str, bytes]:
    charset, name = NAMES[key]
    if "ISO 2022 IR 58" in charset:  # pydicom 3.0 forgets its escape sequences (PS3.5, K)
        encoded = b"=".join(
            b"^".join(b"\x1b$)A" * (not part.isascii()) + part.encode("gb2312") for part in parts)
            for parts in (group.split("^") for group in name.split("="))
        )
    else:
        encoded = PersonName(name).encode(convert_encodings(charset))
    declared = charset if isinstance(charset, str) else "\\".join(charset)
    return {"SpecificCharacterSet": declared.encode(), "PatientName": encoded}


def _element(tag: int, value: bytes) -> bytes:
    """Return an element in implicit little endian."""
    value += b"\0" * (len(value) % 2)
    return pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


@st.composite
def headers(draw: Callable[..., Any]) -> Dataset:
    """Any of the odd values beside each other, in any character set, declared right or wrong."""
    values: dict[str, bytes] = {}
    for keyword, choices in ODD.items():
        value = draw(st.none() | st.sampled_from(choices))
        if value is not None:
            values[keyword] = (
                pack("<H", int(value)) if keyword in {"Rows", "Columns"} else value.encode()
            )
    if draw(st.booleans()):
        values |= _name(draw(st.sampled_from(sorted(NAMES))))
    wrong = draw(st.sampled_from(["", "", "ISO_IR 192", "ISO_IR 999", "utf8", "\\ISO 2022 IR 87"]))
    if wrong:
        values["SpecificCharacterSet"] = wrong.encode()
    if draw(st.booleans()):
        values["ProcedureCodeSequence"] = draw(_codes())
    return received(values, draw(st.integers(1, 9)), draw(st.sampled_from(CLASSES)))


@st.composite
def _codes(draw: Callable[..., Any]) -> bytes:
    value = draw(st.sampled_from([b"RPID1", b"36643-5", b"", b"c" * 17]))
    scheme = draw(st.sampled_from([b"RADLEX", b"LN", b"99LOCAL", b""]))
    meaning = draw(st.sampled_from(["Chest 2 views", "Röntgen Thorax", "", "m" * 65]))
    item = b"".join(
        (
            _element(0x00080100, value),
            _element(0x00080102, scheme),
            _element(0x00080104, meaning.encode()),
        )
    )
    return pack("<HHL", 0xFFFE, 0xE000, len(item)) + item
