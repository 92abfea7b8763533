"""`lungflag worker`: judge what waits in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.cli._settings import with_settings

if TYPE_CHECKING:
    from lungflag.service.settings import Settings


@with_settings(
    *("folder", "database", "model", "operating_point", "workers", "batch"),
    *("lease_seconds", "timeout_seconds", "memory_mib", "attempts", "log_level"),
)
def run_worker(settings: Settings) -> None:
    """Judge what waits in the ledger, until stopped: a part of the service on its own.

    Example: lungflag worker --config lungflag.toml

    Start as many as there are CPUs to spare, on any machine that shares folder and database.
    """
    from lungflag.cli._console import say
    from lungflag.service.ledger import Ledger
    from lungflag.service.logs import start_logging
    from lungflag.service.process import stop_on_signals
    from lungflag.service.worker import Worker

    start_logging(settings.log_level)
    stop = stop_on_signals()
    with Ledger.open(settings.database_url) as ledger:
        worker = Worker(settings, ledger)
        worker.run(stop, lambda: say(f"judging with {worker.package}; Ctrl-C ends it"))
