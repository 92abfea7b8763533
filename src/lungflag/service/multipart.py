"""Split a multipart body into its parts while it streams in (RFC 2046, 5.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING

from lungflag.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_HEADERS = 8192
"""Bytes that the headers of one part may have."""

_LONGEST_PADDING = 64  # of white space after a boundary, which some transports add
_LINE = b"\r\n"
# Longer than the 70 characters of RFC 2046, for Orthanc's have 73.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a body.

    Attributes
    ----------
    headers : Mapping[str, str]
        Name in lower case to value.
    content : bytes
        The octets as they were sent.
    """

    headers: Mapping[str, str]
    content: bytes


class MultipartReader:
    """Takes a body in pieces of any size, and gives its parts.

    It holds one part at a time, and nothing of what lies around the parts.

    Parameters
    ----------
    boundary : str
        From the Content-Type header.
    largest : int
        Bytes that one part's content may have.

    Raises
    ------
    RefusedError
        If there can be no such boundary.
    """

    def __init__(self, boundary: str, *, largest: int) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise RefusedError("malformed", "its boundary is missing or not allowed")
        # The line break before a delimiter is part of it. The one after it is left for the headers.
        opening = re.escape(f"\r\n--{boundary}".encode("ascii"))
        padding = rb"[ \t]{0,%d}(?=\r\n)" % _LONGEST_PADDING
        self._delimiter = re.compile(opening + rb"(?:(?P<last>--)|" + padding + rb")")
        self._longest = len(boundary) + _LONGEST_PADDING + 6
        self._largest = largest
        self._buffer = bytearray(_LINE)  # a body may begin with a delimiter
        self._headers: Mapping[str, str] | None = None
        self._content = BytesIO()
        self._skip = 0
        self._in_headers = self._ended = False

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        return len(self._buffer) + self._content.tell()

    def feed(self, piece: bytes) -> Iterator[Part]:
        """Take the next piece of the body, and yield the parts that it completes.

        Raises
        ------
        RefusedError
            If a part's headers cannot be read (``malformed``), or it is ``too-large``.
        """
        self._buffer += piece
        while not self._ended:
            if self._in_headers:
                if not self._take_headers():
                    return
                continue
            found = self._delimiter.search(self._buffer)
            if found is None:
                self._take_content(len(self._buffer) - self._longest)
                return
            # Before the buffer changes: a match reads it again.
            start, stop, self._ended = *found.span(), found["last"] is not None
            self._take_content(start)
            del self._buffer[: stop - start]
            if self._headers is not None:
                yield Part(self._headers, self._content.getvalue())
            self._headers, self._content, self._in_headers = None, BytesIO(), True
        self._buffer.clear()

    def close(self) -> None:
        """Say that the body has ended.

        Raises
        ------
        RefusedError
            If its last delimiter is missing: something was cut off.
        """
        if not self._ended:
            raise RefusedError("malformed", "the body ends before its last delimiter")

    def _take_headers(self) -> bool:
        """Take a part's headers off the buffer, if they are complete."""
        end = self._buffer.find(_LINE * 2, 0, LONGEST_HEADERS)
        if end < 0:
            if len(self._buffer) >= LONGEST_HEADERS:
                raise RefusedError("malformed", "the headers of a part are too long")
            return False
        self._headers = _parsed(bytes(self._buffer[:end]))
        # The second line break may be a delimiter's: then there is no content, not even an empty
        # one. Otherwise it is skipped.
        del self._buffer[: end + len(_LINE)]
        self._skip, self._in_headers = len(_LINE), False
        return True

    def _take_content(self, end: int) -> None:
        """Move the buffer's first `end` bytes to the part's content, or drop those before it."""
        if end <= 0:
            return
        if self._headers is not None:
            with memoryview(self._buffer) as view:
                self._content.write(view[self._skip : end])
            if self._content.tell() > self._largest:
                raise RefusedError("too-large", f"a part is larger than {self._largest:,} bytes")
        self._skip = max(self._skip - end, 0)
        del self._buffer[:end]


def media_type(value: str) -> tuple[str, Mapping[str, str]]:
    """Return the type, in lower case, and the parameters of a Content-Type header.

    One that cannot be understood is ``text/plain``, as RFC 2045 has it.
    """
    message = Message()
    message["content-type"] = value
    parameters = {
        name: collapse_rfc2231_value(text) for name, text in message.get_params([("", "")])[1:]
    }
    return message.get_content_type(), MappingProxyType(parameters)


def _parsed(lines: bytes) -> Mapping[str, str]:
    headers = {}
    for line in lines.decode("latin-1").split("\r\n"):
        if not line:
            continue
        header = _HEADER.fullmatch(line)
        if header is None:
            raise RefusedError("malformed", "a part has a header that cannot be read")
        headers[header[1].lower()] = header[2]
    return MappingProxyType(headers)
