"""What the service serves by HTTP: STOW-RS, health, readiness and metrics."""

from __future__ import annotations

import hmac
import socket
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from lungflag.errors import ConfigurationError, ServiceError
from lungflag.service.peers import is_loopback

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable, Iterable

    from lungflag.service.metrics import Metrics

LONGEST_HEADERS = 16_384
"""Bytes of a request's line and headers."""

CONNECTIONS = 64
"""How many there may be at once; above it the answer is 503."""

REQUEST_SECONDS = 30.0
"""How long a client may take to send the line and the headers of its next request."""

_START_SECONDS = 30.0


def build_app(
    *,
    routes: APIRouter,
    metrics: Metrics,
    unready: Callable[[], Iterable[str]],
    token: str = "",
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    routes : APIRouter
        Of STOW-RS.
    metrics : Metrics
        What ``/metrics`` tells.
    unready : callable
        Returns why objects cannot be taken in at the moment, a line each.
    token : str
        What a client must send as ``Authorization: Bearer TOKEN``; nothing if empty. ``/health``
        and ``/ready`` are open: they tell nothing of patients, and probes have no secrets.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def check_token(request: Request) -> None:
        given = request.headers.get("authorization", "").encode("utf-8")
        if token and not hmac.compare_digest(given, f"Bearer {token}".encode()):
            raise HTTPException(401, "a token is needed", {"WWW-Authenticate": "Bearer"})

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"alive": True})

    @app.get("/ready")
    async def ready() -> Response:
        reasons = await run_in_threadpool(lambda: list(unready()))
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    @app.get("/metrics", dependencies=[Depends(check_token)])
    async def measured() -> Response:
        text = await run_in_threadpool(generate_latest, metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    app.include_router(routes, dependencies=[Depends(check_token)])
    return app


class WebServer:
    """Serves an application from a thread.

    Parameters
    ----------
    app : FastAPI
        The application.
    host, port : str, int
        Where to listen. Port 0 takes any that is free.
    tls : ssl.SSLContext, optional
        For TLS. Needed where `host` can be reached from other machines.
    proxied : bool
        Whether a proxy in front of it ends TLS, so that none is needed here.
    connections : int
        How many there may be at once; above it the answer is 503.

    Raises
    ------
    ConfigurationError
        If others could reach it without TLS.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        proxied: bool = False,
        connections: int = CONNECTIONS,
    ) -> None:
        if tls is None and not proxied and not is_loopback(host):
            raise ConfigurationError(
                f"http_host {host} can be reached from other machines, and without TLS patient "
                "data would cross the network for anyone to read or send: set tls_certificate, "
                "tls_key and tls_ca, or listen on 127.0.0.1"
            )
        self._host, self._port = host, port
        self._server = uvicorn.Server(_configuration(app, tls, connections))
        self._thread = Thread(target=self._serve, name="http")
        self._listener: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return self._port

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Serve, until `stop`.

        Raises
        ------
        ServiceError
            If it cannot listen where it should.
        """
        self._listener = _listen(self._host, self._port)
        self._port = int(self._listener.getsockname()[1])
        self._thread.start()
        until = monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or monotonic() > until:
                raise ServiceError("the HTTP server did not start")
            sleep(0.01)

    def stop(self, seconds: float = 30.0) -> None:
        """Accept no more requests, and let those that run finish, at most so long."""
        if self._listener is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, int(seconds))
        self._server.should_exit = True
        self._thread.join()

    def _serve(self) -> None:
        self._server.run(sockets=[self._listener] if self._listener else None)


class _Protocol(H11Protocol):
    """HTTP/1.1 with a limit for how long the next request may take."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._patience = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _configuration(app: FastAPI, tls: ssl.SSLContext | None, connections: int) -> uvicorn.Config:
    options: dict[str, Any] = {}
    if tls is not None:
        options["ssl_context_factory"] = lambda *_: tls
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,  # ours
        access_log=False,
        proxy_headers=False,  # anybody may write them
        server_header=False,
        limit_concurrency=connections,
        h11_max_incomplete_event_size=LONGEST_HEADERS,
        **options,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise ServiceError(f"HTTP cannot be served on {host}:{port} ({reason})") from error
    return listener
