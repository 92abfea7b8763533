"""Whether the ledger has changed, and which studies: looked at by one thread for everybody."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, union

from lungflag.errors import LungflagError
from lungflag.service.ledger.schema import amendments, instances, jobs, outcomes, readings, studies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from lungflag.service.ledger.database import Database
    from lungflag.station.api.worklist import Worklist

_LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""Between looks at the ledger."""
TELL_SECONDS = 1.0
"""Between messages to readers: whoever gets one asks for the worklist."""
PING_SECONDS = 15.0
"""A silent connection says so often that it lives."""

_LATE = timedelta(seconds=60)  # a transaction may be committed so long after its time
_WHOLE_SECONDS = 600.0


def fingerprint(connection: Connection) -> tuple[Any, ...]:
    """Return figures that differ where anything that the worklist shows has changed.

    Each is found by an index, or in a table that stays small.
    """
    is_open = jobs.c.done_at.is_(None)
    row = connection.execute(
        select(
            select(func.max(jobs.c.id)).scalar_subquery(),
            select(func.count()).where(is_open).scalar_subquery(),
            select(func.count(jobs.c.leased_by)).where(is_open).scalar_subquery(),
            select(func.max(outcomes.c.decided_at)).scalar_subquery(),
            select(func.max(readings.c.id)).scalar_subquery(),
            select(func.max(readings.c.undone_at)).scalar_subquery(),
            select(func.max(amendments.c.done_at)).scalar_subquery(),
            select(func.count()).where(amendments.c.done_at.is_(None)).scalar_subquery(),
        )
    ).one()
    return tuple(row)


def changed(
    database: Database, since: datetime | None, most: int, connection: Connection
) -> tuple[datetime, list[str]]:
    """Return the time, and the studies with changes since another one; without it the newest."""
    now: datetime = connection.execute(select(database.now())).scalar_one()
    if since is None:
        newest = select(studies.c.study_instance_uid).order_by(studies.c.received_at.desc())
        return now, list(connection.scalars(newest.limit(most)))
    since -= _LATE
    of_job = select(instances.c.study_instance_uid).join(
        jobs, jobs.c.sop_instance_uid == instances.c.sop_instance_uid
    )
    of_reading = of_job.join(readings, readings.c.job_id == jobs.c.id)
    of_amendment = of_reading.join(amendments, amendments.c.reading_id == readings.c.id)
    found = union(
        of_job.where(jobs.c.done_at.is_(None)),
        of_job.where(jobs.c.done_at >= since),
        of_reading.where(readings.c.created_at >= since),
        of_reading.where(readings.c.undone_at >= since),
        of_amendment.where(amendments.c.done_at.is_(None)),
        of_amendment.where(amendments.c.done_at >= since),
    )
    return now, list(connection.scalars(found))


class Watcher:
    """Keeps the worklist as the ledger has it, and tells who listens.

    Parameters
    ----------
    database : Database
        The ledger's.
    worklist : Worklist
        What is kept.
    """

    def __init__(self, database: Database, worklist: Worklist) -> None:
        self._database, self._worklist = database, worklist
        self._thread = Thread(target=self._run, name="worklist", daemon=True)
        self._wake, self._stopped = Event(), Event()
        self._lock, self._listening = Lock(), Lock()
        self._starting, self._started = Lock(), False
        self._seen: tuple[Any, ...] | None = None
        self._whole_at = 0.0
        self._listeners: set[_Listener] = set()

    def start(self) -> None:
        """Watch, until `stop`. Harmless where it does already."""
        with self._starting:
            if not self._started:
                self.look()
                self._thread.start()
                self._started = True

    def stop(self) -> None:
        """End, and let go of who listens."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._tell()

    def look(self) -> None:
        """Read what has changed now: whoever has changed something sees it at once."""
        with self._lock:
            seen = self._database.read(fingerprint, patient=False)
            whole = monotonic() >= self._whole_at
            if seen == self._seen and not whole:
                return
            self._worklist.refresh(whole=whole)
            if whole:
                self._whole_at = monotonic() + _WHOLE_SECONDS
            self._seen = seen
        self._wake.set()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield server-sent events: the version now, and after changes."""
        listener = _Listener(asyncio.get_running_loop())
        with self._listening:
            self._listeners.add(listener)
        told = 0
        try:
            while not self._stopped.is_set():
                version = self._worklist.now.version
                if version != told:
                    told = version
                    yield f'event: change\ndata: {{"version":{version}}}\n\n'.encode()
                else:
                    yield b": ping\n\n"
                with suppress(TimeoutError):
                    async with asyncio.timeout(PING_SECONDS):
                        await listener.event.wait()
                listener.event.clear()
        finally:
            with self._listening:
                self._listeners.discard(listener)

    def _run(self) -> None:
        told_at, told = 0.0, self._worklist.now.version
        while not self._stopped.is_set():
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            try:
                self.look()
            except LungflagError as error:
                _LOG.error("ledger away", extra={"reason": str(error)})
                self._stopped.wait(TELL_SECONDS)
            version = self._worklist.now.version
            if version != told and monotonic() - told_at >= TELL_SECONDS:
                told_at, told = monotonic(), version
                self._tell()

    def _tell(self) -> None:
        with self._listening:
            for listener in self._listeners:
                listener.tell()


class _Listener:
    """A connection that waits for changes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.event = asyncio.Event()

    def tell(self) -> None:
        with suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(self.event.set)
