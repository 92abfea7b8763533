"""A few attributes of a DICOM file, at a price that no content can raise.

pydicom builds every nested sequence on its way, which some megabytes of hostile octets turn into
minutes and gigabytes. Here the elements are only walked over, and those that are wanted picked up.
"""

from __future__ import annotations

import zlib
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from pydicom import Dataset, uid
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag

from lungflag.errors import UnreadableError
from lungflag.radiograph.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

LONGEST_HEADER = 2**24
"""Bytes. What comes after them is not looked at."""

MOST_ELEMENTS = 20_000
"""Elements and items before the pixels, nested ones too. A radiograph has some hundred."""

PREFIX = 132  # preamble and "DICM"
_LONGEST_META = 2**16
_LONGEST_VALUE = 2**14
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_META_GROUP, _PIXEL_GROUP, _DELIMITER_GROUP = 0x0002, 0x7FE0, 0xFFFE
_META = (0x00020002, 0x00020003, 0x00020010)
_CHARACTER_SET = 0x00080005
# Value representations whose length has four octets in explicit coding (PS3.5, 7.1.2).
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


class _Coding(NamedTuple):
    """How elements are written."""

    implicit: bool = False
    big: bool = False


class _Element(NamedTuple):
    """An outermost element, and where its value lies."""

    tag: int
    start: int
    end: int


def parse_header(name: str, data: bytes, keywords: Sequence[str]) -> Dataset:
    """Return attributes of a DICOM file's content, and its file meta; pixels are never touched.

    Parameters
    ----------
    name : str
        What to call the input in errors.
    data : bytes
        The file (PS3.10, 7). Of a deflated data set no more is inflated than is looked at.
    keywords : sequence of str
        What is wanted: text, no sequences.

    Raises
    ------
    UnreadableError
        If it is no DICOM file, has an absurd number of elements, or states something wanted twice.
    """
    with guarded(name, "cannot be read as DICOM"):
        if data[PREFIX - 4 : PREFIX] != b"DICM":
            raise UnreadableError(name, "is no DICOM file")
        meta, at = file_meta(data)
        syntax = str(meta.get("TransferSyntaxUID", ""))
        if syntax == uid.DeflatedExplicitVRLittleEndian:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            data, at = inflater.decompress(data[at : at + LONGEST_HEADER], LONGEST_HEADER), 0
        wanted = [int(tag_for_keyword(keyword) or 0) for keyword in keywords]
        coding = _coding(syntax, data, at)
        walk = _Walk(data, at, at + LONGEST_HEADER, coding)
        ds = _pick(data, walk, [*wanted, _CHARACTER_SET], coding)
        ds.file_meta = meta
        return ds


def file_meta(data: bytes) -> tuple[FileMetaDataset, int]:
    """Return the file meta information of a file's content, and where the data set begins.

    That is where group 0002 ends, whatever its Group Length says.
    """
    end, elements = PREFIX, []
    for element in _Walk(data, PREFIX, PREFIX + _LONGEST_META, _Coding()):
        if element.tag >> 16 != _META_GROUP:
            break
        elements.append(element)
        end = element.end
    return FileMetaDataset(_pick(data, elements, _META, _Coding())), end


class _Walk:
    """Goes over the outermost elements before the pixels, and over what is nested in them.

    Parameters
    ----------
    data : bytes
        What holds them.
    start, end : int
        Where to begin, and where to give up.
    coding : _Coding
        How they are written.
    """

    def __init__(self, data: bytes, start: int, end: int, coding: _Coding) -> None:
        order = "><"[not coding.big]
        self._data, self._start, self._end = data, start, min(end, len(data))
        self._implicit = coding.implicit
        self._tag = Struct(f"{order}HH").unpack_from
        self._short = Struct(f"{order}H").unpack_from
        self._long = Struct(f"{order}L").unpack_from

    def __iter__(self) -> Iterator[_Element]:
        at, depth = self._start, 0
        for _ in range(MOST_ELEMENTS):
            if at + 8 > self._end:
                return
            group, element = self._tag(self._data, at)
            tag = group << 16 | element
            if not depth and _PIXEL_GROUP <= group < _DELIMITER_GROUP:
                return
            start, length = self._value(group, at)
            if tag in (_ITEM_END, _SEQUENCE_END):
                depth, at = max(0, depth - 1), start
            elif length == _UNDEFINED:  # what is inside is walked over in the same way
                depth, at = depth + 1, start
            else:
                at = start + length
                if not depth and at <= self._end:
                    yield _Element(tag, start, at)
        raise UnreadableError("the header", f"has more than {MOST_ELEMENTS:,} elements")

    def _value(self, group: int, at: int) -> tuple[int, int]:
        """Return where a value starts, and its length."""
        vr = self._data[at + 4 : at + 6]
        # Some devices fall back to implicit coding within sequences.
        if self._implicit or group == _DELIMITER_GROUP or not _is_vr(vr):
            return at + 8, self._long(self._data, at + 4)[0]
        if vr not in _LONG:
            return at + 8, self._short(self._data, at + 6)[0]
        if at + 12 > self._end:
            return self._end, 0
        return at + 12, self._long(self._data, at + 8)[0]


def _coding(syntax: str, data: bytes, at: int) -> _Coding:
    """Return a transfer syntax's coding, but implicit or not by what the first element shows."""
    first = data[at + 4 : at + 6]
    implicit = syntax == uid.ImplicitVRLittleEndian
    if len(first) == 2:
        implicit = not _is_vr(first)
    return _Coding(implicit=implicit, big=syntax == uid.ExplicitVRBigEndian)


def _is_vr(octets: bytes) -> bool:
    return octets.isalpha() and octets.isupper()


def _pick(
    data: bytes, elements: Iterable[_Element], wanted: Collection[int], coding: _Coding
) -> Dataset:
    """Return the elements that are wanted, to be decoded when they are asked for."""
    found = Dataset()
    for tag, start, end in elements:
        if tag not in wanted:
            continue
        if tag in found:
            raise UnreadableError("the header", f"states {keyword_for_tag(tag)} twice")
        value = data[start : min(end, start + _LONGEST_VALUE)]
        vr = dictionary_VR(tag)
        found[tag] = RawDataElement(
            Tag(tag), vr, len(value), value, start, coding.implicit, not coding.big
        )
    return found
