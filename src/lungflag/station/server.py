"""The station as a part of the service: its application, served until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.errors import ServiceError
from lungflag.service.http import WebServer
from lungflag.service.ledger import Ledger
from lungflag.station.accounts.first import make_first_admin
from lungflag.station.app import build_app, make_context
from lungflag.station.security.exposure import check_exposure, sign_in_needed, station_tls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lungflag.service.process import Stop
    from lungflag.service.settings import Settings

CONNECTIONS = 1000
"""How many there may be at once: each page that is open holds one for its events."""


def run_station(
    settings: Settings, stop: Stop, on_ready: Callable[[str, Path | None], None]
) -> None:
    """Serve the reading station until `stop` is set.

    Parameters
    ----------
    settings : Settings
        Of the service.
    stop : Stop
        When to end.
    on_ready : callable
        Called as soon as it listens, with its address, and with the file that holds the first
        admin's password where one was made.

    Raises
    ------
    LungflagError
        If it cannot be served with these settings, or is not safe with them.
    """
    check_exposure(settings)
    tls = station_tls(settings)
    with Ledger.open(settings.database_url, create=not settings.database) as ledger:
        context = make_context(settings, ledger)
        app = build_app(context)
        file = None
        if sign_in_needed(settings):
            file = make_first_admin(ledger.database, settings.folder)
        server = WebServer(
            app,
            host=settings.station_host,
            port=settings.station_port,
            tls=tls,
            proxied=settings.station_proxy,
            connections=CONNECTIONS,
        )
        with context.audit.running():
            app.state.content.start()
            try:
                server.start()
                on_ready(address(settings, server.port), file)
                while not stop.wait(1.0):
                    if not server.alive:
                        raise ServiceError("the station's web server has died")
            finally:
                app.state.content.stop()
                server.stop(5.0)


def address(settings: Settings, port: int) -> str:
    """Return the URL at which the station itself listens."""
    scheme = "https" if station_tls(settings) is not None else "http"
    host = settings.station_host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"
