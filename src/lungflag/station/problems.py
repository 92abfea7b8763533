"""Errors as problem documents (RFC 9457), and how the API's description names them."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteException
from starlette.responses import JSONResponse

from lungflag.errors import LedgerError, LungflagError, SpoolFullError

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"

_LOG = logging.getLogger(__name__)


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field("about:blank", description="Names the kind of problem.")
    title: str = Field(description="The kind of problem, in words.", examples=["Not found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field("", description="What is the matter here.")
    instance: str = Field("", description="The path that was asked for.")


class Problem(HTTPException):
    """Raise it in a route: the client gets a problem document.

    Parameters
    ----------
    status : int
        The HTTP status.
    title : str
        The kind of problem in a few words.
    detail : str
        What is the matter, in a line for people. No patient data.
    type : str
        A name of the kind of problem for programs.
    headers : Mapping[str, str], optional
        Of the response.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        type: str = "about:blank",  # noqa: A002  the RFC's own word
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail or title, dict(headers) if headers else None)
        self.title, self.text, self.type = title, detail, type


def problem_response(
    request_path: str,
    status: int,
    title: str = "",
    detail: str = "",
    *,
    type: str = "about:blank",  # noqa: A002  the RFC's own word
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document as a response, where there is no route to raise one in."""
    body = {
        "type": type,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request_path,
    }
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(body, status, headers=kept, media_type=MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of problem documents, for a route's `responses`.

    What every route may answer (400, 401, 403, 413, 422, 429 and 503) is added by the application.
    """
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Turn every error of `app` into a problem document."""
    app.add_exception_handler(StarletteException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(LungflagError, _on_ours)
    app.add_exception_handler(Exception, _on_anything)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    path = request.url.path
    if isinstance(error, Problem):
        return problem_response(
            path,
            error.status_code,
            error.title,
            error.text,
            type=error.type,
            headers=error.headers,
        )
    if not isinstance(error, StarletteException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    detail = "" if error.detail == phrase else str(error.detail)
    return problem_response(path, error.status_code, phrase, detail, headers=error.headers)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    """Name the fields that are wrong, but not their values, which may be patient data."""
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = [
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
    ]
    return problem_response(request.url.path, 422, "Not valid", "; ".join(wrong)[:1000])


async def _on_ours(request: Request, error: Exception) -> JSONResponse:
    path = request.url.path
    if isinstance(error, SpoolFullError):
        return problem_response(path, 503, "No room", str(error), headers={"Retry-After": "60"})
    if isinstance(error, LedgerError):
        _LOG.error("the ledger failed", extra={"reason": str(error)})
        detail = "the ledger is away"
        return problem_response(path, 503, "Not available", detail, headers={"Retry-After": "5"})
    _LOG.error("a request failed", exc_info=error)
    return problem_response(path, 500, "Unexpected")


async def _on_anything(request: Request, _error: Exception) -> JSONResponse:
    return problem_response(request.url.path, 500, "Unexpected")
