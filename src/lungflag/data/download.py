"""One file over HTTP: resumed where it broke off, tried again, checked before it is named.

Range requests and validators follow RFC 9110, sections 13.1.5 (If-Range) and 14 (Range).
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungflag.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message
    from pathlib import Path

CHUNK = 1 << 18
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A published file and what it must be.

    Attributes
    ----------
    url : str
        Its http or https address.
    name : str
        Its file name on disk.
    size : int
        Bytes.
    md5 : str or None
        Hexadecimal digest, if its publisher gives one.
    """

    url: str
    name: str
    size: int
    md5: str | None = None


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Transport:
    """How to download: patience, and whom to tell.

    Attributes
    ----------
    delays : tuple[float, ...]
        Seconds before each new try; after progress the tries count anew.
    timeout : float
        Seconds without a byte after which a connection is given up.
    progress : Callable[[str, int, int], object]
        Told the step, what is done and the whole, in bytes.
    notice : Callable[[str], object]
        Told one line about each new try.
    """

    delays: tuple[float, ...] = (1, 2, 4, 8, 16)
    timeout: float = 30
    progress: Callable[[str, int, int], object] = _nothing
    notice: Callable[[str], object] = _nothing


class _BrokeOffError(Exception):
    """The transfer stopped for a reason that a new try may cure."""


def download(remote: RemoteFile, target: Path, transport: Transport) -> None:
    """Download a file to `target`, going on from an earlier try's ``.part`` file.

    Raises
    ------
    FetchError
        If the server refuses, the tries are used up, the disk is full, or the file is not the
        published one; in the last case it is removed, so that the next try starts clean.
    """
    part = _Part(target)
    tries, most = iter(transport.delays), part.size
    while True:
        try:
            _transfer(remote, part, transport)
            break
        except _BrokeOffError as broke:
            if part.size > most:
                tries, most = iter(transport.delays), part.size
            delay = next(tries, None)
            if delay is None:
                kept = f"; {part.size:,} of {remote.size:,} bytes are kept, to go on from"
                raise FetchError(f"{remote.url}: {broke}{kept if part.size else ''}") from broke
            transport.notice(f"{broke}; trying again in {delay:g} s")
            time.sleep(delay)
    try:
        verify(remote, part.path)
    except FetchError:
        part.discard()
        raise
    part.finish(target)


def verify(remote: RemoteFile, path: Path) -> None:
    """Check size and MD5 of a file.

    Raises
    ------
    FetchError
        If it differs; the message says what was expected and what was found.
    """
    size = path.stat().st_size
    if size != remote.size:
        raise FetchError(
            f"{remote.name}: not the published file: expected {remote.size:,} bytes, found {size:,}"
        )
    if remote.md5 is None:
        return
    with path.open("rb") as file:
        # Against damage, not against an adversary: MD5 is what the publishers give.
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != remote.md5:
        raise FetchError(
            f"{remote.name}: not the published file: expected MD5 {remote.md5}, found {found}"
        )


class _Part:
    """The unfinished file, and beside it the validator of the version that it is part of."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._validator = target.with_name(target.name + ".part.version")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str | None:
        return self._validator.read_text("utf-8") if self._validator.exists() else None

    def begin(self, validator: str | None) -> None:
        """Start anew from the first byte of the version that `validator` names."""
        with self._writing():
            self._validator.unlink(missing_ok=True)
            self.path.write_bytes(b"")
            if validator:
                self._validator.write_text(validator, "utf-8")

    def append(self, chunk: bytes) -> None:
        with self._writing(), self.path.open("ab") as file:
            file.write(chunk)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # Told apart here from the network's OSErrors: a new try would not cure it.
        try:
            yield
        except OSError as error:
            raise FetchError(f"{self.path}: cannot be written ({error.strerror})") from error

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._validator.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        self.path.replace(target)
        self._validator.unlink(missing_ok=True)


def _transfer(remote: RemoteFile, part: _Part, transport: Transport) -> None:
    """Make one request and write what it brings.

    Raises
    ------
    _BrokeOffError
        If a new try may bring more.
    """
    if part.size > remote.size:
        part.discard()
    if part.size == remote.size:
        return
    request = _request(remote, part)
    try:
        # The proxy settings of the environment hold, as hospitals need.
        with urllib.request.urlopen(request, timeout=transport.timeout) as response:  # noqa: S310
            _accept(remote, part, response)
            _receive(remote, part, response, transport)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            _check_size(remote, error.headers.get("Content-Range", "").rpartition("/")[2])
            part.discard()
            raise _BrokeOffError("the server refuses to go on in the middle") from error
        if error.code not in TRY_AGAIN:
            raise FetchError(f"{remote.url}: HTTP {error.code} {error.reason}") from error
        raise _BrokeOffError(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise _BrokeOffError(f"no connection to {request.host} ({reason})") from error
    except (http.client.HTTPException, OSError) as error:
        what = str(error) or type(error).__name__
        raise _BrokeOffError(f"the connection broke off ({what})") from error


def _request(remote: RemoteFile, part: _Part) -> urllib.request.Request:
    if not remote.url.startswith(("https://", "http://")):
        raise FetchError(f"{remote.url}: not an http or https address")
    headers = {"User-Agent": "lungflag", "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.validator:
            headers["If-Range"] = part.validator
    return urllib.request.Request(remote.url, headers=headers)  # noqa: S310


def _accept(remote: RemoteFile, part: _Part, response: http.client.HTTPResponse) -> None:
    """Decide from the header whether the body goes on where the part ends, or starts anew."""
    if response.status != 206:
        _check_size(remote, response.headers.get("Content-Length"))
        part.begin(_validator(response.headers))
        return
    sent = re.match(r"bytes (\d+)-\d+/(\d+)?", response.headers.get("Content-Range", ""))
    if sent is None or int(sent[1]) != part.size:
        part.discard()
        raise _BrokeOffError("the server sent another range than asked for")
    _check_size(remote, sent[2])


def _check_size(remote: RemoteFile, announced: str | None) -> None:
    """Refuse another file before its bytes are fetched, if the server tells its size."""
    if announced not in {None, "", "*", str(remote.size)}:
        raise FetchError(
            f"{remote.url}: not the published file: expected {remote.size:,} bytes, "
            f"the server has {announced}"
        )


def _receive(
    remote: RemoteFile, part: _Part, response: http.client.HTTPResponse, transport: Transport
) -> None:
    done = part.size
    while done < remote.size and (chunk := response.read1(CHUNK)):
        part.append(chunk)
        done += len(chunk)
        transport.progress("download", done, remote.size)
    if done < remote.size:
        raise _BrokeOffError("the connection broke off")


def _validator(headers: Message) -> str | None:
    """Return what names the version for If-Range, which allows no weak ETag."""
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
