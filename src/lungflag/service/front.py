"""The service's front door: everything that objects come in by, in one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from lungflag.errors import LedgerError, ServiceError
from lungflag.package import GRAPH, ModelPackage, find_package
from lungflag.service import values
from lungflag.service.audit import Audit
from lungflag.service.dicomweb import stow_routes
from lungflag.service.folder import WatchFolder
from lungflag.service.http import WebServer, build_app
from lungflag.service.intake import Intake
from lungflag.service.ledger import Ledger
from lungflag.service.metrics import Metrics
from lungflag.service.node import Node
from lungflag.service.peers import Peers
from lungflag.service.retention import Retention
from lungflag.service.room import Room
from lungflag.service.spool import Spool
from lungflag.service.storage_commitment import StorageCommitment
from lungflag.service.tls import client_context, server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from ssl import SSLContext

    from lungflag.service.process import Stop
    from lungflag.service.settings import Settings


def run_front(settings: Settings, stop: Stop, on_ready: Callable[[Front], None]) -> None:
    """Listen as the settings say until `stop` is set, and end in good order.

    Parameters
    ----------
    settings : Settings
        Of the service.
    stop : Stop
        When to end.
    on_ready : callable
        Called as soon as everything listens.

    Raises
    ------
    LungflagError
        If a listener cannot be started with these settings, or one of them dies.
    """
    # An SQLite ledger is made by whoever comes first; a database has somebody who looks after it.
    with Ledger.open(settings.database_url, create=not settings.database) as ledger:
        front = Front(settings, ledger)
        with Audit(settings, ledger, "node").running():
            try:
                front.start()
                on_ready(front)
                while not stop.wait(1.0):
                    front.check()
            finally:
                front.stop()


class Part(Protocol):
    """Something that runs in threads of its own."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Run until `stop`."""

    def stop(self) -> None:
        """End in good order; harmless where it never ran."""


class Front:
    """The listeners that the settings ask for.

    Parameters
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Where received instances go.

    Raises
    ------
    LungflagError
        If the settings cannot be used, or are not safe.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger
        package = ModelPackage.read(find_package(settings.model))
        self._spool = Spool(settings.folder, settings.keep_free_mib)
        metrics, room = Metrics(), Room(settings.receive_mib * 2**20)
        metrics.watch(ledger, self._spool)
        intake = Intake(settings, ledger, self._spool, package, metrics)
        inward, outward = _tls(settings)
        commitment = _commitment(settings, ledger, package, outward)
        self._node = Node(
            intake,
            metrics,
            Audit(settings, ledger, "node"),
            Peers(settings.allow),
            room,
            ae_title=settings.ae_title,
            host=settings.host,
            port=settings.port,
            tls=inward,
            associations=settings.associations,
            commitment=commitment,
        )
        app = build_app(
            routes=stow_routes(intake, metrics, room),
            metrics=metrics,
            unready=self._unready,
            token=settings.http_token,
        )
        self._web = WebServer(app, host=settings.http_host, port=settings.http_port, tls=inward)
        retention = Retention(settings, ledger, self._spool)
        self._parts: list[Part] = [self._node, self._web, retention]
        if commitment is not None:
            self._parts.append(commitment)
        if settings.watch is not None:
            watch = WatchFolder(settings.watch, intake, keep_days=settings.keep_days)
            self._parts.append(watch)

    def start(self) -> None:
        """Accept what comes in, until `stop`.

        Raises
        ------
        ServiceError
            If a listener cannot listen where it should.
        """
        for part in self._parts:
            part.start()

    def check(self) -> None:
        """Look whether all parts run.

        Raises
        ------
        ServiceError
            If one of them has died.
        """
        for part in self._parts:
            if not part.alive:
                raise ServiceError(f"the service's {type(part).__name__} has died")

    def stop(self) -> None:
        """Accept no more, let finish what is coming in, and end."""
        with ThreadPoolExecutor() as pool:
            for ended in [pool.submit(part.stop) for part in self._parts]:
                ended.result()

    @property
    def port(self) -> int:
        """The port of the DICOM node."""
        return self._node.port

    @property
    def http_port(self) -> int:
        """The port of the HTTP server."""
        return self._web.port

    def listeners(self) -> list[str]:
        """Return a line for each listener."""
        settings = self._settings
        tls = settings.tls_certificate is not None
        secured = " (mutual TLS)" if tls else ""
        dicom = f"{_bracketed(settings.host)}:{self.port}"
        web = f"http{'s' if tls else ''}://{_bracketed(settings.http_host)}:{self.http_port}"
        lines = [
            f"C-STORE on {settings.ae_title}@{dicom}{secured}",
            f"STOW-RS on {web}/studies{secured}",
            f"health, readiness and metrics on {web}/health, /ready and /metrics",
        ]
        if settings.watch is not None:
            lines.append(f"watching {settings.watch}")
        return lines

    def _unready(self) -> Iterator[str]:
        """Yield why objects cannot be taken in at the moment."""
        try:
            self._ledger.figures(None)  # does not wait for a server that has gone away
        except LedgerError:
            yield "the ledger is away"
        if self._spool.free_mib() < self._settings.keep_free_mib:
            yield f"less than {self._settings.keep_free_mib} MiB are free on the disk"
        if not (find_package(self._settings.model) / GRAPH).is_file():
            yield "the model package is gone"


def _tls(settings: Settings) -> tuple[SSLContext | None, SSLContext | None]:
    """Return what listeners and what senders need for TLS, if it is wanted."""
    certificate, key, ca = settings.tls_certificate, settings.tls_key, settings.tls_ca
    if certificate is None or key is None or ca is None:
        return None, None
    return server_context(certificate, key, ca), client_context(certificate, key, ca)


def _commitment(
    settings: Settings, ledger: Ledger, package: ModelPackage, tls: SSLContext | None
) -> StorageCommitment | None:
    if not settings.commitment:
        return None
    endpoints = map(values.endpoint, settings.commitment)
    return StorageCommitment(
        ledger,
        package,
        settings.folder,
        ae_title=settings.ae_title,
        peers={title: (host, port) for title, host, port in endpoints},
        tls=tls,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
