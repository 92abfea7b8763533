"""Check a JPEG stream's headers before GDCM sees it: GDCM ends the process on damaged ones.

Only what DICOM allows of a grey image is let through: one frame of one component in one scan,
lossless (process 14) or extended with Huffman coding (process 4), in the size that the data set
says. Damage behind the headers is harmless: GDCM reports it or decodes other pixels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOF1, _SOF3, _DHT, _SOS, _DQT, _DRI, _COM = 0xC1, 0xC3, 0xC4, 0xDA, 0xDB, 0xDD, 0xFE
_APP = range(0xE0, 0xF0)
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # in coded data, but for stuffing and restarts


@dataclass(slots=True)
class _Seen:
    """What the segments up to here have defined."""

    lossless: bool = False
    precision: int = 0
    component: int = 0
    quantization_table: int = 0
    quantization: set[int] = field(default_factory=set)
    huffman: set[int] = field(default_factory=set)


def checked_stream(stream: bytes, *, rows: int, columns: int) -> tuple[bytes, int]:
    """Return the stream without comments and application data, and its bits a sample.

    Raises
    ------
    ValueError
        If a marker, a table or a parameter breaks ITU-T T.81, or the size differs.
    """
    if stream[:2] != b"\xff\xd8":
        raise ValueError("no JPEG start marker")
    seen = _Seen()
    kept, position = [stream[:2]], 2
    for marker, body, end in _segments(stream):
        _check_segment(seen, marker, body, (rows, columns))
        if marker not in _APP and marker != _COM:
            kept.append(stream[position:end])
        position = end
    after = _MARKER.search(stream, position)
    if after is None or after.group()[-1] != 0xD9:
        raise ValueError("more than one JPEG scan, or no end marker")
    return b"".join([*kept, stream[position:]]), seen.precision


def _check_segment(seen: _Seen, marker: int, body: bytes, size: tuple[int, int]) -> None:
    if marker in (_SOF1, _SOF3):
        _frame(seen, marker, body, size)
    elif marker == _DHT:
        _huffman(seen, body)
    elif marker == _DQT:
        _quantization(seen, body)
    elif marker == _SOS:
        _scan(seen, body)
    elif marker not in _APP and marker != _COM and not (marker == _DRI and len(body) == 2):
        raise ValueError(f"JPEG marker {marker:02X} does not belong here")


def _segments(stream: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield marker, body and end of the segments up to the first scan's header."""
    position, marker = 2, 0
    while marker != _SOS:
        marker = int.from_bytes(stream[position : position + 2], "big") - 0xFF00
        length = int.from_bytes(stream[position + 2 : position + 4], "big")
        end = position + 2 + length
        if marker < 0xC0 or length < 2 or end > len(stream):
            raise ValueError("a JPEG segment is broken")
        yield marker, stream[position + 4 : end], end
        position = end


def _frame(seen: _Seen, marker: int, body: bytes, size: tuple[int, int]) -> None:
    if seen.precision or len(body) != 9 or body[5] != 1:
        raise ValueError("the JPEG stream is not one frame of one component")
    rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if (rows, columns) != size:
        raise ValueError(f"the JPEG frame has {columns} x {rows} pixels")
    seen.lossless, seen.precision = marker == _SOF3, body[0]
    seen.component, seen.quantization_table = body[6], body[8]
    if not (2 <= seen.precision <= 16 if seen.lossless else seen.precision == 12):
        raise ValueError(f"the JPEG frame has {seen.precision} bits")
    if body[7] != 0x11:
        raise ValueError("the JPEG frame is subsampled")


def _huffman(seen: _Seen, body: bytes) -> None:
    while body:
        counts, total = body[1:17], sum(body[1:17])
        # A code of n bits takes this share of all; the code of ones alone must stay free.
        room = sum(count << (16 - length) for length, count in enumerate(counts, start=1))
        if len(body) < 17 + total or total > 256 or room >= 2**16 or body[0] & 0xEF > 3:
            raise ValueError("a JPEG Huffman table is broken")
        # A DC table gives the bits of a difference: 16 at most.
        if body[0] < 0x10 and total and max(body[17 : 17 + total]) > 16:
            raise ValueError("a JPEG Huffman table is broken")
        seen.huffman.add(body[0])
        body = body[17 + total :]


def _quantization(seen: _Seen, body: bytes) -> None:
    while body:
        size = 1 + 64 * (1 + (body[0] >> 4))
        if body[0] & 0xEF > 3 or len(body) < size:
            raise ValueError("a JPEG quantization table is broken")
        seen.quantization.add(body[0] & 0x0F)
        body = body[size:]


def _scan(seen: _Seen, body: bytes) -> None:
    """Check the scan's header against the frame and the tables before it (T.81, B.2.3)."""
    if not seen.precision or len(body) != 6 or body[:2] != bytes([1, seen.component]):
        raise ValueError("the JPEG scan is not of the frame's one component")
    tables, first, last, approximation = body[2:]
    needed = {tables >> 4}
    if seen.lossless:
        good = 1 <= first <= 7 and last == 0 and approximation < seen.precision
    else:
        needed.add(0x10 | tables & 0x0F)
        # The other parameters mean nothing here, and some encoders write them wrong.
        good = seen.quantization_table in seen.quantization
    if not good or not needed <= seen.huffman:
        raise ValueError("the JPEG scan header does not fit its frame")
