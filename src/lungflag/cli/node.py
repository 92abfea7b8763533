"""`lungflag node`: take objects in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.cli._settings import with_settings

if TYPE_CHECKING:
    from lungflag.service.front import Front
    from lungflag.service.settings import Settings


@with_settings(
    *("folder", "database", "model", "ae_title", "host", "port", "allow", "associations"),
    *("receive_mib", "commitment", "tls_certificate", "tls_key", "tls_ca"),
    *("http_host", "http_port", "watch", "keep_days", "keep_free_mib", "log_level"),
)
def node(settings: Settings) -> None:
    """Take objects in by C-STORE, STOW-RS and a watch folder, until stopped.

    Example: lungflag node --config lungflag.toml

    A part of the service on its own; workers that share folder and database judge what comes in.
    """
    from lungflag.cli._console import say
    from lungflag.service.front import run_front
    from lungflag.service.logs import start_logging
    from lungflag.service.process import stop_on_signals

    def ready(front: Front) -> None:
        for line in front.listeners():
            say(line)

    start_logging(settings.log_level)
    run_front(settings, stop_on_signals(), ready)
