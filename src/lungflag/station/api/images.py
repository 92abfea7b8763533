"""What there is of an image: facts, pixels, heatmap and results."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import FileResponse, JSONResponse, StreamingResponse

from lungflag.errors import InputError, ServiceError
from lungflag.outputs.region import peak_region
from lungflag.service.results import NAMES, THUMBNAIL
from lungflag.station.api import rows
from lungflag.station.api.models import Heatmap, ImageDetail
from lungflag.station.api.parts import NOT_MODIFIED, Parts, UidPath, unchanged
from lungflag.station.pictures.picture import side_for
from lungflag.station.problems import Problem, responses
from lungflag.station.security.principal import Principal, needs

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.results import Kind
    from lungflag.station.api.rows import ImageState
    from lungflag.station.pictures.picture import Picture

Reader = Annotated[Principal, needs("studies:read")]
Revision = Annotated[
    int | None,
    Query(ge=0, le=1_000_000, description="0 is the first report. By default the last one."),
]

_PRIVATE = {"Cache-Control": "private, no-cache"}
_DICOM, _FHIR = "application/dicom", "application/fhir+json"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_OBJECT = {"schema": {"type": "object"}}
_PIXEL_HEADERS = {
    "X-Rows": "Rows of the picture.",
    "X-Columns": "Columns of the picture.",
    "X-Full-Rows": "Rows of the image.",
    "X-Full-Columns": "Columns of the image.",
    "X-Window-Center": "Of the window to begin with, in levels.",
    "X-Window-Width": "Of the window to begin with, in levels.",
    "X-Pixel-Spacing": "Millimetres between rows and between columns, where they are known.",
}


def image_routes(parts: Parts) -> APIRouter:
    """Return the routes below ``/images/{image}`` that read."""
    router = APIRouter(tags=["images"])

    @router.get("/images/{image}", response_model=ImageDetail, responses=responses(404))
    def read_image(request: Request, image: UidPath, principal: Reader) -> Response:
        """Return an image, what was found, and what became of it."""
        study, state = parts.image(image)
        parts.looked(request, principal, study)
        return JSONResponse(parts.detail(study, state), headers=_PRIVATE)

    @router.get(
        "/images/{image}/pixels",
        response_class=Response,
        responses={
            **responses(404),
            **NOT_MODIFIED,
            200: {
                "description": "Grey levels, little-endian, 16 bits each, row by row: 0 is black, "
                "65535 white. No window is applied where it is linear.",
                "content": {"application/octet-stream": _BINARY},
                "headers": {
                    name: {"description": text, "schema": {"type": "string"}}
                    for name, text in _PIXEL_HEADERS.items()
                },
            },
        },
    )
    def read_pixels(
        request: Request,
        image: UidPath,
        principal: Reader,
        most: Annotated[
            int | None,
            Query(
                alias="max",
                ge=1,
                le=65_535,
                description="At most so many pixels on the longer side: a reduced picture, that "
                "is there sooner. It may be smaller.",
                examples=[1024],
            ),
        ] = None,
    ) -> Response:
        """Return an image's pixels as a viewer shows them."""
        study, state = parts.image(image)
        parts.looked(request, principal, study)
        if state.row.expired_at is not None:
            raise Problem(404, "Not found", "the pixels were deleted by age")
        side = side_for(most)
        headers = {"ETag": f'"{state.row.sha256[:32]}-{side}"', **_PRIVATE}
        return unchanged(request, headers) or _pixels(_picture(parts, state, side), headers)

    @router.get("/images/{image}/heatmap", response_model=Heatmap, responses=responses(404))
    def read_heatmap(request: Request, image: UidPath, principal: Reader) -> Response:
        """Return the heatmap of a finding."""
        study, state = parts.image(image)
        parts.looked(request, principal, study)
        row = parts.database.read(partial(rows.heatmap_of, state.row.job))
        if row is None or not row.heatmap:
            raise Problem(404, "Not found", "there is no heatmap of this image")
        shape = (row.heatmap_rows, row.heatmap_columns)
        values = np.frombuffer(row.heatmap, dtype="<f2").reshape(shape).astype(np.float32)
        peak = peak_region(values, *shape)
        body: dict[str, Any] = {
            "rows": shape[0],
            "columns": shape[1],
            "values": [[round(float(value), 4) for value in line] for line in values],
            "peak": None if peak is None else peak.tolist(),
        }
        return JSONResponse(body, headers=_PRIVATE)

    @router.get(
        "/images/{image}/thumbnail",
        response_class=Response,
        responses={
            **responses(404),
            **NOT_MODIFIED,
            200: {"description": "A small overlay.", "content": {"image/jpeg": _BINARY}},
        },
    )
    def read_thumbnail(request: Request, image: UidPath, principal: Reader) -> Response:
        """Return a small picture of a finding, its heatmap over it."""
        study, state = parts.image(image)
        parts.looked(request, principal, study)
        path = _results(parts, state) / THUMBNAIL
        return _file(request, path, "image/jpeg", {"Cache-Control": "private, max-age=300"})

    _add_results(router, parts)
    return router


def _add_results(router: APIRouter, parts: Parts) -> None:
    """Add a route for each kind of result."""

    def add(name: str, kind: Kind, media_type: str, what: str) -> None:
        content = _OBJECT if media_type == _FHIR else _BINARY

        @router.get(
            f"/images/{{image}}/{name}",
            name=f"read_{name}",
            operation_id=f"read_{name}",
            summary=what,
            description=f"Return {what[0].lower()}{what[1:]}.",
            response_class=Response,
            responses={
                **responses(404),
                **NOT_MODIFIED,
                200: {
                    "description": what,
                    "content": {media_type: content},
                },
            },
        )
        def read(
            request: Request, image: UidPath, principal: Reader, revision: Revision = None
        ) -> Response:
            study, state = parts.image(image)
            parts.looked(request, principal, study)
            if revision is None:
                revision = 0 if kind == "sc" else _last_revision(state)
            path = _results(parts, state, revision) / NAMES[kind]
            disposition = f'attachment; filename="{image}-{NAMES[kind]}"'
            headers = {**_PRIVATE, "Content-Disposition": disposition}
            return _file(request, path, media_type, headers)

    add("report", "sr", _DICOM, "The structured report")
    add("overlay", "sc", _DICOM, "The overlay as a Secondary Capture")
    add("fhir", "fhir", _FHIR, "The FHIR bundle")


def _last_revision(image: ImageState) -> int:
    return max((one.revision or 0 for one in image.readings), default=0)


def _results(parts: Parts, image: ImageState, revision: int = 0) -> Path:
    """Return the folder of an image's results."""
    if not image.row.results:
        raise Problem(404, "Not found", "there are no results of this image")
    folder = parts.context.settings.folder.absolute() / str(image.row.results)
    return folder.with_name(f"revision-{revision}") if revision else folder


def _file(request: Request, path: Path, media_type: str, headers: dict[str, str]) -> Response:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise Problem(404, "Not found", "there is no such result of this image") from None
    mark = f"{path}-{status.st_mtime_ns}-{status.st_size}"
    headers = {**headers, "ETag": f'"{hashlib.sha256(mark.encode()).hexdigest()[:32]}"'}
    return unchanged(request, headers) or FileResponse(
        path, media_type=media_type, headers=headers, stat_result=status
    )


def _picture(parts: Parts, image: ImageState, side: int) -> Picture:
    row = image.row
    path = parts.context.settings.folder.absolute() / str(row.path)
    try:
        return parts.pictures.get(str(row.sha256), path, side)
    except InputError as error:
        raise Problem(404, "Cannot be shown", f"the image {error.reason}") from error
    except ServiceError as error:
        headers = {"Retry-After": "5"}
        raise Problem(503, "Not available", str(error), headers=headers) from error


def _pixels(picture: Picture, headers: dict[str, str]) -> Response:
    about = picture.description
    headers |= {
        "Content-Length": str(picture.size),
        "X-Rows": str(about.rows),
        "X-Columns": str(about.columns),
        "X-Full-Rows": str(about.full_rows),
        "X-Full-Columns": str(about.full_columns),
        "X-Window-Center": f"{about.center:.2f}",
        "X-Window-Width": f"{about.width:.2f}",
    }
    if about.spacing is not None:
        headers["X-Pixel-Spacing"] = f"{about.spacing[0]:g},{about.spacing[1]:g}"
    body = iterate_in_threadpool(picture.pieces())
    return StreamingResponse(body, headers=headers, media_type="application/octet-stream")
