"""An uploaded file on its way in: bounded while it comes, whatever its headers promise."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from lungflag.errors import RefusedError
from lungflag.service.multipart import MultipartReader, media_type
from lungflag.station.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request

    from lungflag.service.room import Room

SILENT_SECONDS = 30.0
"""How long a client may say nothing in the middle of a body."""

TYPES = ("application/dicom", "image/png", "image/jpeg")
"""Media types of what may be uploaded."""

_FORM, _ANY = "multipart/form-data", "application/octet-stream"


class Upload:
    """One file that is taken from a request.

    Parameters
    ----------
    request : Request
        Its body is the file, or a form with the file.
    room : Room
        Shared by all uploads.
    largest : int
        Bytes of a file.
    """

    def __init__(self, request: Request, room: Room, largest: int) -> None:
        self._request, self._room, self._largest = request, room, largest
        self._held = 0
        kind, parameters = media_type(request.headers.get("content-type", ""))
        self._kind, self._boundary = kind, parameters.get("boundary", "")

    async def read(self) -> bytes:
        """Return the file; its room is held until `release`.

        Raises
        ------
        Problem
            If it is too large (413), of a type that is not taken (415), cut short (400), or there
            is no room for it at the moment (503).
        """
        if self._kind not in (*TYPES, _FORM):
            raise Problem(415, "Type not taken", f"send one of {', '.join(TYPES)}, or a form")
        if self._request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(415, "Type not taken", "send it without Content-Encoding")
        if self._kind == _FORM:
            try:
                return await self._form()
            except RefusedError as error:
                status = 413 if error.code == "too-large" else 400
                raise Problem(status, "Form not understood", f"the form {error.reason}") from error
        whole = BytesIO()
        async for piece in self._pieces(self._largest):
            whole.write(piece)
        return whole.getvalue()

    def release(self) -> None:
        """Let the file's room go."""
        held, self._held = self._held, 0
        self._room.give(held)

    async def _form(self) -> bytes:
        """Return the one file of a form."""
        reader = MultipartReader(self._boundary, largest=self._largest)
        files: list[bytes] = []
        async for piece in self._pieces(self._largest + 2**16):
            for part in reader.feed(piece):
                kind, _ = media_type(part.headers.get("content-type", _ANY))
                if kind in (*TYPES, _ANY):
                    files.append(part.content)
        reader.close()
        if len(files) != 1:
            raise Problem(422, "Not valid", f"the form has {len(files)} files, not one")
        return files[0]

    async def _pieces(self, most: int) -> AsyncIterator[bytes]:
        """Yield the body's pieces as they come."""
        stream, size = self._request.stream(), 0
        try:
            while True:
                async with asyncio.timeout(SILENT_SECONDS):
                    piece = await anext(stream, b"")
                if not piece:
                    return
                size += len(piece)
                if size > most:
                    raise Problem(413, "Too large", f"a file has at most {self._largest:,} bytes")
                if not self._room.take(len(piece)):
                    detail = "too much is on its way in"
                    raise Problem(503, "No room", detail, headers={"Retry-After": "5"})
                self._held += len(piece)
                yield piece
        except (TimeoutError, ClientDisconnect) as error:
            raise Problem(400, "Broken off", "the client broke off") from error
