"""DICOM objects as no device should write them: seeded, by structure and by octets."""

from __future__ import annotations

import random
import struct
import zlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from pydicom import dcmread, uid

from lungflag.radiograph.frame import TRANSFER_SYNTAXES
from tests.service.films import phantom_pixels, write_film

if TYPE_CHECKING:
    from collections.abc import Callable

DX = str(uid.DigitalXRayImageStorageForPresentation)


class Mutant(NamedTuple):
    """One object.

    Attributes
    ----------
    how : str
        What was done to it.
    syntax : str
        The transfer syntax that it claims.
    head, body : bytes
        Its file meta information with what comes before, and its data set.
    sop_instance : str
        What a sender announces.
    """

    how: str
    syntax: str
    head: bytes
    body: bytes
    sop_instance: str


class _Element(NamedTuple):
    """Where an element lies in a data set."""

    tag: int
    start: int
    length: int  # where its length stands
    value: int
    end: int


class _Coding(NamedTuple):
    """How a syntax writes elements."""

    implicit: bool
    order: str

    def element(self, tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
        """Return an element, with a length of its own if given."""
        size = len(value) if length is None else length
        number = struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)
        if self.implicit:
            return number + struct.pack(f"{self.order}L", size & 0xFFFFFFFF) + value
        if vr in _LONG:
            return number + vr + b"\0\0" + struct.pack(f"{self.order}L", size) + value
        return number + vr + struct.pack(f"{self.order}H", size & 0xFFFF) + value

    def walk(self, body: bytes) -> list[_Element]:
        """Return the elements of a sound data set."""
        found, at = [], 0
        while at + 8 <= len(body):
            group, number = struct.unpack_from(f"{self.order}HH", body, at)
            long = not self.implicit and body[at + 4 : at + 6] in _LONG
            length = at + (4 if self.implicit else 8 if long else 6)
            kind = "L" if self.implicit or long else "H"
            (size,) = struct.unpack_from(self.order + kind, body, length)
            value = length + (4 if kind == "L" else 2)
            end = len(body) if size == 0xFFFFFFFF else value + size
            found.append(_Element(group << 16 | number, at, length, value, end))
            at = end
        return found


_LONG = {b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UN", b"UT", b"UC", b"UR"}
_VRS = [b"UI", b"LO", b"PN", b"US", b"DS", b"IS", b"SQ", b"UN", b"OW", b"DA", b"??", b"\0\0"]
_UIDS = [b"", b" ", b"x", b"1.2\\3.4", b"9" * 65, b"1..2", b"\xff\xfe", b"1.2.3\0\0", b"-1", b"."]
_UID_TAGS = [0x00080016, 0x00080018, 0x0020000D, 0x0020000E]
_NUMBERS = [0x00280002, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103]
_TEXTS = [0x00080005, 0x00080060, 0x00100010, 0x00100020, 0x00080050, 0x00080020, 0x00401003]


@cache
def _parents() -> tuple[tuple[str, bytes, bytes, str], ...]:
    """Return a sound object in each syntax: the syntax, head, inflated body, and its UID."""
    found = []
    with TemporaryDirectory() as folder:
        for syntax in TRANSFER_SYNTAXES:
            path = write_film(Path(folder), syntax, phantom_pixels(size=64))
            data, instance = path.read_bytes(), str(dcmread(path).SOPInstanceUID)
            start = 144 + int.from_bytes(data[140:144], "little")
            head, body = data[:start], data[start:]
            if syntax == uid.DeflatedExplicitVRLittleEndian:
                body = zlib.decompress(body, wbits=-15)
            found.append((str(syntax), head, body, instance))
    return tuple(found)


def make_mutant(seed: int) -> Mutant:
    """Return the object of a seed: always the same."""
    rng = random.Random(seed)
    syntax, head, body, parent = rng.choice(_parents())
    own = "1.2." + str(seed + 1).rjust(len(parent) - 4, "9")
    head, body = (part.replace(parent.encode(), own.encode()) for part in (head, body))
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    coding = _Coding(syntax == uid.ImplicitVRLittleEndian, order)
    mutate = rng.choice(_MUTATIONS)
    body, how = mutate(rng, coding, body), mutate.__name__.strip("_")
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        body = _deflate(rng, body)
    if rng.random() < 0.1:
        head, how = _flip(rng, coding, head[:132]) + _octets(rng, coding, head[132:]), f"{how}+head"
    announced = own if rng.random() < 0.95 else rng.choice(["1.2.3", "9" * 64])
    return Mutant(how, syntax, head, body, announced)


def _deflate(rng: random.Random, body: bytes) -> bytes:
    deflater = zlib.compressobj(1, wbits=-15)
    data = deflater.compress(body)
    if rng.random() < 0.1:  # a bomb
        data += b"".join(deflater.compress(bytes(2**20)) for _ in range(256))
    data += deflater.flush()
    return _octets(rng, _Coding(False, "<"), data) if rng.random() < 0.2 else data


# By structure


def _drop(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    one = rng.choice(coding.walk(body))
    return body[: one.start] + body[one.end :]


def _double(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    one = rng.choice(coding.walk(body))
    return body[: one.end] + body[one.start : one.end] * rng.choice([1, 2, 1000]) + body[one.end :]


def _shuffle(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    pieces = [body[one.start : one.end] for one in coding.walk(body)]
    rng.shuffle(pieces)
    return b"".join(pieces)


def _length(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    one = rng.choice(coding.walk(body))
    size = rng.choice([0, 1, 2, 255, 0xFFFF, 2**31, 2**32 - 2, 2**32 - 1, rng.randrange(2**16)])
    kind, mask = ("L", 2**32 - 1) if one.value - one.length == 4 else ("H", 2**16 - 1)
    return body[: one.length] + struct.pack(coding.order + kind, size & mask) + body[one.value :]


def _representation(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    one = rng.choice(coding.walk(body))
    return body[: one.start + 4] + rng.choice(_VRS) + body[one.start + 6 :]


def _value(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    one = rng.choice(coding.walk(body))
    value = rng.randbytes(rng.choice([0, 1, 2, 7, 64, 65, 5000]))
    return _replaced(coding, body, one.tag, rng.choice(_VRS[:10]), value)


def _identifier(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    return _replaced(coding, body, rng.choice(_UID_TAGS), b"UI", rng.choice(_UIDS))


def _number(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    value = struct.pack(f"{coding.order}H", rng.choice([0, 1, 3, 7, 17, 255, 32768, 65535]))
    return _replaced(coding, body, rng.choice(_NUMBERS), b"US", value * rng.choice([1, 1, 2, 0]))


def _text(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    value = rng.choice(
        [b"\0" * 10, b"\\" * 500, b"ISO 2022 IR 149", b"\x1b$)C", b"=" * 99, b"^" * 65, b"\n\r\x07"]
    )
    return _replaced(coding, body, rng.choice(_TEXTS), b"LO", value + rng.randbytes(4))


def _kind(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    other = rng.choice(
        [uid.CTImageStorage, uid.EncapsulatedPDFStorage, uid.MediaStorageDirectoryStorage]
    )
    return _replaced(coding, body, 0x00080016, b"UI", other.encode())


def _nest(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    tag, depth = rng.choice([0x00081115, 0x00091010, 0x00400275]), rng.choice([3, 50, 1500])
    open_item = struct.pack(f"{coding.order}HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    level = coding.element(tag, b"SQ", b"", 0xFFFFFFFF) + open_item
    return _inserted(coding, body, tag, level * depth)


def _crowd(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    crowd = [
        coding.element(0x00111000 + n % 0xE000, b"LO", b"") for n in range(rng.choice([9, 20_000]))
    ]
    return _inserted(coding, body, 0x00111000, b"".join(crowd))


def _private(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    value, claimed = (
        rng.randbytes(rng.choice([0, 10, 100_000])),
        rng.choice([None, 2**31, 2**32 - 1]),
    )
    return _inserted(coding, body, 0x00290010, coding.element(0x00290010, b"UN", value, claimed))


def _pixels(rng: random.Random, coding: _Coding, body: bytes) -> bytes:
    pixels = coding.walk(body)[-1]
    inside = body[pixels.value :]
    cut = rng.choice([b"", inside[: len(inside) // 2], inside[:-8], inside * 3, rng.randbytes(200)])
    return body[: pixels.value] + cut


# By octets


def _flip(rng: random.Random, _coding: _Coding, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(rng.choice([1, 4, 64])):
        if data:
            data[_place(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(data)


def _octets(rng: random.Random, _coding: _Coding, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        at, size = _place(rng, data), rng.choice([0, 1, 2, 4, 100])
        data[at : at + size] = rng.randbytes(rng.choice([0, 1, 2, 4, 100]))
    return bytes(data)


def _cut(rng: random.Random, _coding: _Coding, body: bytes) -> bytes:
    return body[: _place(rng, body)]


def _move(rng: random.Random, _coding: _Coding, body: bytes) -> bytes:
    first, second, third = sorted(_place(rng, body) for _ in range(3))
    return body[:first] + body[second:third] + body[first:second] + body[third:]


def _noise(rng: random.Random, _coding: _Coding, _body: bytes) -> bytes:
    return rng.randbytes(rng.choice([0, 1, 7, 8, 1000, 100_000]))


def _sound(_rng: random.Random, _coding: _Coding, body: bytes) -> bytes:
    return body


_MUTATIONS: list[Callable[[random.Random, _Coding, bytes], bytes]] = [
    *(_drop, _double, _shuffle, _length, _representation, _value, _identifier, _number, _text),
    *(_kind, _nest, _crowd, _private, _pixels, _flip, _octets, _cut, _move, _noise, _sound),
]


def _place(rng: random.Random, data: bytes | bytearray) -> int:
    """Return a place in the data, mostly in their first octets, where the header is."""
    return rng.randrange(max(1, min(len(data), rng.choice([64, 1000, len(data) or 1]))))


def _replaced(coding: _Coding, body: bytes, tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    for one in coding.walk(body):
        if one.tag == tag:
            return body[: one.start] + coding.element(tag, vr, value) + body[one.end :]
    return _inserted(coding, body, tag, coding.element(tag, vr, value))


def _inserted(coding: _Coding, body: bytes, tag: int, piece: bytes) -> bytes:
    at = next((one.start for one in coding.walk(body) if one.tag > tag), len(body))
    return body[:at] + piece + body[at:]
