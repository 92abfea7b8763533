"""What every request passes, whatever it asks for: Host, size, and the response's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from lungflag.service.peers import is_loopback
from lungflag.station.problems import Problem, problem_response
from lungflag.station.security.exposure import by_https

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lungflag.service.settings import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)

LARGEST_BODY = 64 * 1024
"""Bytes of a request's body, but for images."""

_IMAGES = "/api/v1/images"
_FORM = 64 * 1024  # what a multipart form adds to its file

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Shield:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGIApp
        The application.
    settings : Settings
        Of the service.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = dict(_HEADERS)
        if by_https(settings):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"
        # Where only this machine can reach the station, a name that some site lets point here is
        # no reason to trust that site's pages (DNS rebinding). Elsewhere a session is needed, and
        # cookies go to the name that set them.
        self._local = is_loopback(settings.station_host) and not settings.station_proxy
        self._largest_image = settings.upload_mib * 2**20 + _FORM

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if path.startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        given = Headers(scope=scope)
        if self._local and not is_loopback(_host(given.get("host", ""))):
            detail = "the station on this machine answers to 127.0.0.1 and localhost only"
            response = problem_response(path, 421, "Misdirected", detail)
            await response(scope, receive, headed)
            return
        most = LARGEST_BODY
        if scope["method"] == "POST" and path == _IMAGES:
            most = self._largest_image
        length = given.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            response = problem_response(path, 413, "Too large", f"at most {most:,} bytes")
            await response(scope, receive, headed)
            return
        await self._app(scope, _limited(receive, most), headed)


def _limited(receive: Receive, most: int) -> Receive:
    """Count a body that comes without its length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise Problem(413, "Too large", f"at most {most:,} bytes", headers=_CLOSE)
        return message

    return counted


_CLOSE = {"Connection": "close"}


def _host(header: str) -> str:
    """Return the name or address in a Host header, without the port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header
