"""Who can reach the station, and what it therefore has to ask for."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from lungflag.errors import ConfigurationError
from lungflag.service.peers import is_loopback
from lungflag.service.tls import web_context

if TYPE_CHECKING:
    from lungflag.service.settings import Settings


def sign_in_needed(settings: Settings) -> bool:
    """Return whether people and machines have to say who they are."""
    return settings.station_sign_in == "always" or (
        settings.station_sign_in == "auto" and _is_reachable(settings)
    )


def by_https(settings: Settings) -> bool:
    """Return whether browsers come by https: to the station itself, or to a proxy before it."""
    return settings.station_proxy or settings.tls_certificate is not None


def check_exposure(settings: Settings) -> None:
    """Refuse settings with which patient data would be open to others.

    Raises
    ------
    ConfigurationError
        If other machines can reach the station without signing in, or without TLS.
    """
    where = f"station_host {settings.station_host} can be reached from other machines"
    if settings.station_proxy and is_loopback(settings.station_host):
        where = "station_proxy says that a proxy lets other machines reach the station"
    if settings.station_sign_in == "never" and _is_reachable(settings):
        raise ConfigurationError(
            f"{where}, and station_sign_in is never: anybody could read patient data. "
            "Set station_sign_in to auto, or listen on 127.0.0.1 without a proxy"
        )
    if not is_loopback(settings.station_host) and not by_https(settings):
        raise ConfigurationError(
            f"{where}, and without TLS passwords and patient data would cross the network for "
            "anyone to read: set tls_certificate, tls_key and tls_ca, or station_proxy where a "
            "proxy in front ends TLS, or listen on 127.0.0.1"
        )


def station_tls(settings: Settings) -> ssl.SSLContext | None:
    """Return what the station needs to serve TLS itself: browsers show no certificate."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if settings.station_proxy or certificate is None or key is None:
        return None
    return web_context(certificate, key)


def _is_reachable(settings: Settings) -> bool:
    return settings.station_proxy or not is_loopback(settings.station_host)
