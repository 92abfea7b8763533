"""``POST /images``: one image comes in, and its outcome goes back, at once or later."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from lungflag.errors import RefusedError
from lungflag.service.intake import CODES
from lungflag.station.api import shape
from lungflag.station.api.body import TYPES, Upload
from lungflag.station.api.idempotency import Answer, Once
from lungflag.station.api.models import ImageDetail, PriorityName
from lungflag.station.problems import Problem, responses
from lungflag.station.security.principal import Principal, address_of, needs

if TYPE_CHECKING:
    from lungflag.station.api.parts import Parts

Sender = Annotated[Principal, needs("images:write")]

LONGEST_WAIT = 30.0
"""Seconds that a client may wait for an outcome in one request."""

_LOOK_SECONDS = 0.1
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")
_FILE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "content": {
        **dict.fromkeys(TYPES, _FILE),
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            }
        },
    },
}
_LOCATION = {
    "Location": {"description": "The image.", "schema": {"type": "string"}},
}


def upload_routes(parts: Parts) -> APIRouter:
    """Return ``POST /images``."""
    router = APIRouter(tags=["images"])

    @router.post(
        "/images",
        status_code=201,
        response_model=ImageDetail,
        responses={
            201: {"description": "It was judged.", "headers": _LOCATION},
            202: {
                "description": "It waits to be judged: ask for the image again.",
                "model": ImageDetail,
                "headers": _LOCATION,
            },
            **responses(409, 415),
        },
        openapi_extra={"requestBody": _BODY},
    )
    async def send_image(
        request: Request,
        principal: Sender,
        priority: Annotated[
            PriorityName | None, Query(description="HIGH is STAT. By default what the header says.")
        ] = None,
        idempotency_key: Annotated[
            str,
            Header(
                max_length=200,
                pattern=r"^[\x21-\x7e]*$",
                description="The same key with the same request gives the same answer for a day.",
            ),
        ] = "",
        prefer: Annotated[
            str,
            Header(
                max_length=200,
                description="`wait=N`: wait so many seconds for the outcome, at most 30.",
                examples=["wait=10"],
            ),
        ] = "",
    ) -> Response:
        """Send one image to be judged: a DICOM object, a PNG or a JPEG.

        The same image again is no new work. A PNG or JPEG gets identifiers from its content, and
        what is found of it goes to no other system. Whoever may not see studies gets the answer
        without patient and readings.
        """
        upload = Upload(request, parts.room, parts.context.settings.upload_mib * 2**20)
        try:
            data = await upload.read()
            once = Once(parts.database, principal, idempotency_key, _fingerprint(data, priority))
            answer = await run_in_threadpool(once.begin)
            if answer is None:
                answer = await _carry_out(parts, request, principal, once, data, priority or "")
        finally:
            upload.release()
        image = json.loads(answer.body)["image"]
        headers = {"Location": f"/api/v1/images/{image}", "Cache-Control": "no-store"}
        wait = _wait(prefer)
        if wait:
            headers["Preference-Applied"] = f"wait={wait:g}"
        if answer.status == 202 and wait:
            answer = await _wait_for(parts, principal, image, wait) or answer
            await run_in_threadpool(once.end, answer)
        return Response(answer.body, answer.status, headers=headers, media_type="application/json")

    return router


async def _carry_out(
    parts: Parts, request: Request, principal: Principal, once: Once, data: bytes, priority: str
) -> Answer:
    try:
        answer = await run_in_threadpool(_take, parts, request, principal, data, priority)
    except BaseException:
        await run_in_threadpool(once.give_up)
        raise
    await run_in_threadpool(once.end, answer)
    return answer


def _take(
    parts: Parts, request: Request, principal: Principal, data: bytes, priority: str
) -> Answer:
    """Take the file in, and return what there is of the image."""
    intake, peer = parts.context.intake, f"{principal.name}@{address_of(request)}"
    try:
        if _is_raster(data):
            receipt = intake.accept_raster(data, peer=peer, priority=priority)
        else:
            receipt = intake.accept(data, via="api", peer=peer, priority=priority)
    except RefusedError as error:
        status = {"too-large": 413, "own-result": 409}.get(error.code, 422)
        raise Problem(
            status, "Not taken", f"the image {error.reason}: {CODES[error.code]}", error.code
        ) from error
    return _answer(parts, principal, receipt.sop_instance_uid)


def _answer(parts: Parts, principal: Principal, image: str) -> Answer:
    study, state = parts.image(image)
    detail = parts.detail(study, state)
    if not principal.may("studies:read"):
        detail = shape.withheld(detail)
    return Answer(201 if state.is_done else 202, json.dumps(detail))


async def _wait_for(
    parts: Parts, principal: Principal, image: str, seconds: float
) -> Answer | None:
    """Return the answer with the outcome, or None where it takes longer."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        answer = await run_in_threadpool(_answer, parts, principal, image)
        if answer.status == 201:
            return answer
    return None


def _wait(prefer: str) -> float:
    found = _WAIT.search(prefer)
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


def _is_raster(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) and data[128:132] != b"DICM"


def _fingerprint(data: bytes, *said: Any) -> str:
    return hashlib.sha256(repr(said).encode() + data).hexdigest()
