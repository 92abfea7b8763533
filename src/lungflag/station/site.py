"""The pages: the built frontend, read once; nothing of a request ever becomes a path."""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from lungflag.station.problems import problem_response

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

INDEX = "index.html"

_SQUEEZED = ("text/", "application/javascript", "application/json", "image/svg+xml")
_NOT_SERVED = {"build.json"}
_FOR_EVER = "public, max-age=31536000, immutable"  # names of assets hold their content's hash


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the frontend.

    Attributes
    ----------
    content, squeezed : bytes
        As it is, and with gzip; the latter empty where that gains nothing.
    media_type, etag, cache : str
        Of the response.
    """

    content: bytes
    squeezed: bytes
    media_type: str
    etag: str
    cache: str


def site_routes(folder: Path | None = None) -> APIRouter:
    """Return the routes of the pages: every GET that the API does not answer.

    Parameters
    ----------
    folder : Path, optional
        With the built frontend; the package's own where it is not given.
    """
    assets = dict(_read(folder or files("lungflag.station") / "static"))
    router = APIRouter(include_in_schema=False)

    @router.api_route("/api/{path:path}", methods=["GET", "HEAD"])
    def nothing(request: Request) -> Response:
        return problem_response(request.url.path, 404, detail="there is nothing here")

    @router.api_route("/{path:path}", methods=["GET", "HEAD"])
    def page(request: Request, path: str) -> Response:
        found = assets.get(path)
        if found is None and path.startswith("assets/"):
            return problem_response(request.url.path, 404, detail="there is no such file")
        # Every other address is the application's own: it knows its pages.
        found = found or assets.get(INDEX)
        if found is None:
            return problem_response(request.url.path, 404, detail="the pages were not built")
        return _answer(request, found)

    return router


def _answer(request: Request, asset: Asset) -> Response:
    headers = {"ETag": asset.etag, "Cache-Control": asset.cache, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    content = asset.content
    if asset.squeezed and "gzip" in request.headers.get("accept-encoding", ""):
        content = asset.squeezed
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=asset.media_type, headers=headers)


def _read(folder: Traversable, prefix: str = "") -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    if not folder.is_dir():
        return found
    for one in sorted(folder.iterdir(), key=lambda item: item.name):
        name = f"{prefix}{one.name}"
        if one.is_dir():
            found += _read(one, f"{name}/")
        elif one.is_file() and name not in _NOT_SERVED:
            found.append((name, _asset(name, one.read_bytes())))
    return found


def _asset(name: str, content: bytes) -> Asset:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type == "text/javascript":
        media_type = "application/javascript"
    squeezed = gzip.compress(content, mtime=0) if media_type.startswith(_SQUEEZED) else b""
    return Asset(
        content=content,
        squeezed=squeezed if len(squeezed) < len(content) else b"",
        media_type=media_type,
        etag=f'"{sha256(content).hexdigest()[:32]}"',
        cache=_FOR_EVER if name.startswith("assets/") else "no-cache",
    )
