"""The worklist, a study, live changes and metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, StreamingResponse

from lungflag.station.api import shape
from lungflag.station.api.models import OutcomeFilter, Status, StudyDetail, StudyPage
from lungflag.station.api.parts import NOT_MODIFIED, Parts, UidPath, unchanged
from lungflag.station.api.worklist import CursorError, Filters
from lungflag.station.problems import Problem, responses
from lungflag.station.security.principal import Principal, needs

Reader = Annotated[Principal, needs("studies:read")]

_PRIVATE = {"Cache-Control": "private, no-cache"}
_LONGEST = 200


def study_routes(parts: Parts) -> APIRouter:
    """Return ``/studies``, ``/studies/{study}``, ``/events`` and ``/metrics``."""
    router = APIRouter(tags=["worklist"])

    @router.get("/studies", response_model=StudyPage, responses={**responses(400), **NOT_MODIFIED})
    def list_studies(
        request: Request,
        principal: Reader,
        status: Annotated[Status | None, Query(description="Only these.")] = None,
        outcome: Annotated[
            OutcomeFilter | None, Query(description="Only those whose leading image has it.")
        ] = None,
        q: Annotated[
            str,
            Query(
                max_length=_LONGEST,
                description="Part of a patient's ID or name, or of an accession number.",
                examples=["doe"],
            ),
        ] = "",
        site: Annotated[str, Query(max_length=_LONGEST, description="The institution.")] = "",
        since: Annotated[
            datetime | None, Query(description="Only what came in at this time or later.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="Studies on a page.")] = 50,
        cursor: Annotated[
            str, Query(max_length=400, description="`next` of the page before.")
        ] = "",
    ) -> Response:
        """Return a page of the worklist: not read before read, urgent first, then the oldest."""
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        filters = Filters(status or "", outcome or "", q.strip(), site, since, limit, cursor)
        parts.asked(request, principal)
        parts.watcher.start()
        try:
            snapshot, body = parts.worklist.page(filters)
        except CursorError as error:
            raise Problem(400, "Not valid", f"the cursor {error}") from error
        headers = {"ETag": f'W/"{snapshot.version}"', **_PRIVATE}
        return unchanged(request, headers) or Response(
            body, headers=headers, media_type="application/json"
        )

    @router.get("/studies/{study}", response_model=StudyDetail, responses=responses(404))
    def read_study(request: Request, study: UidPath, principal: Reader) -> Response:
        """Return a study with its images, and the studies before and after it."""
        state = parts.study(study)
        parts.looked(request, principal, state)
        parts.watcher.start()
        body = {
            **shape.study_facts(state, parts.context.package),
            "images": [parts.detail(state, image) for image in state.images],
            "neighbours": parts.worklist.neighbours(study),
        }
        return JSONResponse(body, headers=_PRIVATE)

    @router.get(
        "/events",
        response_class=StreamingResponse,
        dependencies=[needs("studies:read")],
        responses={
            200: {
                "description": "Server-sent events: `change` with the worklist's version, at first "
                "and after changes, at most once a second.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def listen() -> StreamingResponse:
        """Tell of changes of the worklist as they come, until the client goes."""
        await run_in_threadpool(parts.watcher.start)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            parts.watcher.events(), media_type="text/event-stream", headers=headers
        )

    @router.get(
        "/metrics",
        response_class=Response,
        tags=["operation"],
        dependencies=[needs("metrics:read")],
        responses={
            200: {
                "description": "In Prometheus' text format.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        },
    )
    def read_metrics() -> Response:
        """Return metrics of the service and of this process."""
        text = generate_latest(parts.context.metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})

    return router
