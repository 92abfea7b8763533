"""STOW-RS: a studies service that stores (PS3.18, 10.5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from lungflag.errors import InputError, RefusedError
from lungflag.radiograph.guard import guarded
from lungflag.radiograph.header import parse_header
from lungflag.service.failure import CANNOT_UNDERSTAND, NO_ROOM, Failure, take_in, to_failure
from lungflag.service.intake import UID_PATTERN
from lungflag.service.multipart import MultipartReader, Part, media_type
from lungflag.service.room import LARGEST_OBJECT
from lungflag.service.store_response import JSON, XML, Reference, StoreResponse, negotiate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from lungflag.service.intake import Intake
    from lungflag.service.metrics import Metrics
    from lungflag.service.room import Room

LARGEST_REQUEST = 2**32
"""Bytes of a request's body."""

SILENT_SECONDS = 60.0
"""How long a client may say nothing in the middle of a body."""

_OBJECT = "application/dicom"
_BROKEN_OFF = {"malformed": 400, "too-large": 413, NO_ROOM: 503}


def stow_routes(intake: Intake, metrics: Metrics, room: Room) -> APIRouter:
    """Return ``POST /studies`` and ``POST /studies/{study}``.

    Parameters
    ----------
    intake : Intake
        The door for objects.
    metrics : Metrics
        Where refusals are counted that the door does not see.
    room : Room
        For objects on their way in.
    """
    router = APIRouter()

    @router.post("/studies")
    async def store(request: Request) -> Response:
        return await _Store(intake, metrics, room, {}).answer(request)

    @router.post("/studies/{study}")
    async def store_in_study(study: str, request: Request) -> Response:
        if not UID_PATTERN.fullmatch(study):
            return _refused(400, "that can be no Study Instance UID")
        announced = {"StudyInstanceUID": study}
        return await _Store(intake, metrics, room, announced).answer(request)

    return router


class _Store:
    """One request."""

    def __init__(
        self, intake: Intake, metrics: Metrics, room: Room, announced: Mapping[str, str]
    ) -> None:
        self._intake, self._metrics, self._room = intake, metrics, room
        self._announced = announced
        self._response = StoreResponse()
        self._held = 0

    async def answer(self, request: Request) -> Response:
        """Take the request's objects in as they come, one after the other, and respond."""
        accepted = negotiate(request.headers.get("accept", ""))
        if not accepted:
            return _refused(406, f"the response is {JSON} or {XML}")
        problem = _problem(request)
        if problem is not None:
            return problem
        try:
            await self._read(request)
        except RefusedError as error:
            self._metrics.refused("stow", error.code)
            self._response.failed.append((None, to_failure(error)))
            self._response.broken_off = _BROKEN_OFF[error.code]
        finally:
            self._hold(0)
        status = self._response.status
        headers = {"Retry-After": "60"} if status in (503, 507) else {}
        return Response(self._response.encode(accepted), status, headers, accepted)

    async def _read(self, request: Request) -> None:
        _, parameters = media_type(request.headers["content-type"])
        reader = MultipartReader(parameters.get("boundary", ""), largest=LARGEST_OBJECT)
        peer = request.client.host if request.client else ""
        size, pieces = 0, request.stream()
        while piece := await _next(pieces):
            size += len(piece)
            if size > LARGEST_REQUEST:
                raise RefusedError("too-large", f"has more than {LARGEST_REQUEST:,} bytes")
            if not self._hold(reader.held + len(piece)):
                raise RefusedError(NO_ROOM, "too much is on its way in")
            for part in reader.feed(piece):
                await run_in_threadpool(self._take, part, peer)
        reader.close()

    def _hold(self, size: int) -> bool:
        """Hold room for so much; False where there is not so much."""
        more = size - self._held
        if more > 0 and not self._room.take(more):
            return False
        if more < 0:
            self._room.give(-more)
        self._held = size
        return True

    def _take(self, part: Part, peer: str) -> None:
        kind, _ = media_type(part.headers.get("content-type", _OBJECT))
        if kind != _OBJECT:
            self._response.failed.append((None, Failure(CANNOT_UNDERSTAND, f"is no {_OBJECT}")))
            return
        answer = take_in(
            self._intake, part.content, via="stow", peer=peer, announced=self._announced
        )
        reference = _reference(part.content)
        if isinstance(answer, Failure):
            self._response.failed.append((reference, answer))
        elif reference is not None:
            self._response.stored.append(reference)


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    """Return the next piece of a body, nothing at its end."""
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            return await anext(pieces, b"")
    except (TimeoutError, ClientDisconnect) as error:
        raise RefusedError("malformed", "the client broke off") from error


def _problem(request: Request) -> Response | None:
    """Return what is wrong with a request's headers, if anything."""
    kind, parameters = media_type(request.headers.get("content-type", ""))
    if kind != "multipart/related" or parameters.get("type", _OBJECT).lower() != _OBJECT:
        return _refused(415, f'send multipart/related; type="{_OBJECT}"')
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return _refused(415, "send it without Content-Encoding")
    if int(request.headers.get("content-length", 0)) > LARGEST_REQUEST:
        return _refused(413, f"a request has at most {LARGEST_REQUEST:,} bytes")
    return None


def _refused(status: int, reason: str) -> Response:
    return Response(reason + "\n", status, media_type="text/plain")


def _reference(content: bytes) -> Reference | None:
    """Return an object's identifiers, or None where it has none that can be read."""
    try:
        ds = parse_header("the object", content, ["SOPClassUID", "SOPInstanceUID"])
        with guarded("the object", "its identifiers cannot be read"):
            found = Reference(str(ds.get("SOPClassUID", "")), str(ds.get("SOPInstanceUID", "")))
    except InputError:
        return None
    return found if all(map(UID_PATTERN.fullmatch, found)) else None
