"""The service's front door in this process, with everything real behind it."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from lungflag.package import ModelPackage, find_package
from lungflag.service.audit import Audit
from lungflag.service.dicomweb import stow_routes
from lungflag.service.http import WebServer, build_app
from lungflag.service.intake import Intake
from lungflag.service.ledger import Ledger
from lungflag.service.metrics import Metrics
from lungflag.service.node import Node
from lungflag.service.peers import Peers
from lungflag.service.room import Room
from lungflag.service.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lungflag.service.ledger import Instance
    from lungflag.service.settings import Settings

ROOM = 2**26


@dataclass(frozen=True, slots=True)
class Door:
    """What an object goes through, whichever way it comes."""

    settings: Settings
    ledger: Ledger
    spool: Spool
    metrics: Metrics
    package: ModelPackage
    intake: Intake
    room: Room

    def instance(self, uid: str) -> Instance:
        """Return the ledger's row of an instance."""
        return self.ledger.instance(uid)

    def knows(self, uid: str) -> bool:
        """Return whether an instance was taken in, with its file on the disk and a job for it."""
        held = self.ledger.find(uid, package=self.package.name, version=self.package.version)
        return held.has_job and self.stored(uid).is_file()

    def stored(self, uid: str) -> Path:
        """Return the file of an instance."""
        return self.settings.folder / self.instance(uid).path

    def jobs(self) -> int:
        """Return how many instances wait to be judged."""
        return self.ledger.queue().jobs_waiting

    def alerts(self) -> list[tuple[str, str]]:
        """Return peer and reason of every security alert in the audit trail."""
        with sqlite3.connect(self.settings.folder / "ledger.db") as ledger:
            messages = [row[0] for row in ledger.execute("SELECT message FROM audit ORDER BY id")]
        roots = [ElementTree.fromstring(one) for one in messages if '"110113"' in one]
        return [
            (
                root.findtext("ParticipantObjectIdentification/ParticipantObjectName") or "",
                root.findtext("EventIdentification/EventOutcomeDescription") or "",
            )
            for root in roots
        ]

    def counted(self, metric: str, **labels: str) -> float:
        """Return the value of a metric."""
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0


@contextmanager
def open_door(settings: Settings, *, room: int = ROOM) -> Iterator[Door]:
    """Open ledger and spool as the settings say."""
    package = ModelPackage.read(find_package(settings.model))
    spool, metrics = Spool(settings.folder, settings.keep_free_mib), Metrics()
    with Ledger.open(settings.database_url, create=True) as ledger:
        intake = Intake(settings, ledger, spool, package, metrics)
        yield Door(settings, ledger, spool, metrics, package, intake, Room(room))


@contextmanager
def running_web(door: Door, **options: Any) -> Iterator[WebServer]:
    """Run the HTTP server on a free port of this machine."""
    routes = stow_routes(door.intake, door.metrics, door.room)
    unready = options.pop("unready", tuple)
    app = build_app(
        routes=routes, metrics=door.metrics, unready=unready, token=options.pop("token", "")
    )
    server = WebServer(app, host="127.0.0.1", port=options.pop("port", 0), **options)
    server.start()
    try:
        yield server
    finally:
        server.stop(seconds=5)


@contextmanager
def running_node(door: Door, *, allow: Sequence[str] = (), **options: Any) -> Iterator[Node]:
    """Run a node on a free port of this machine; at the end nothing of it is left."""
    host = options.pop("host", "127.0.0.1")
    node = Node(
        door.intake,
        door.metrics,
        Audit(door.settings, door.ledger, "node"),
        Peers(allow),
        door.room,
        ae_title=door.settings.ae_title,
        host=host,
        port=0,
        **options,
    )
    node.start()
    try:
        yield node
    finally:
        node.stop(seconds=5)
        assert not node.associations
