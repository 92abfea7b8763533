"""Retention: pixels go after some days, results stay, and what no row names is swept away."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import PurePath
from threading import Event, Thread
from typing import TYPE_CHECKING

from lungflag.errors import LungflagError
from lungflag.service.audit import Audit
from lungflag.service.spool import DAY, HOUR

if TYPE_CHECKING:
    from lungflag.service.ledger import Ledger
    from lungflag.service.settings import Settings
    from lungflag.service.spool import Spool

_LOG = logging.getLogger(__name__)
_TOGETHER = 500  # objects that the ledger is asked about at once


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep has deleted.

    Attributes
    ----------
    expired : int
        Instances whose pixels were too old.
    orphans : int
        Objects that were stored and never got a row, or whose row let them go.
    """

    expired: int
    orphans: int


class Retention:
    """Deletes what is not to be kept any longer, from a thread.

    Pixels stay as long as a job or a delivery waits for them. Several may run at once.

    Parameters
    ----------
    settings : Settings
        Of the service; `keep_days` counts.
    ledger : Ledger
        Which knows what is still needed.
    spool : Spool
        Where the objects are.
    """

    def __init__(self, settings: Settings, ledger: Ledger, spool: Spool) -> None:
        self._keep = timedelta(days=settings.keep_days)
        self._ledger, self._spool = ledger, spool
        self._audit = Audit(settings, ledger, "retention")
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="retention")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Sweep now and every hour, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End after the instance at hand."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def sweep(self, now: datetime) -> Swept:
        """Delete what may go.

        Parameters
        ----------
        now : datetime
            The time, with its zone.

        Raises
        ------
        LedgerError
            If the ledger cannot be used.
        """
        expired = self._expire(now - self._keep) if self._keep else 0
        return Swept(expired, self._clear())

    def _expire(self, before: datetime) -> int:
        """Delete pixels that came in before a time."""
        deleted = 0
        for uid, path in self._ledger.expire(before):
            if self._stopping.is_set():
                break
            message = self._audit.deleted(self._ledger.instance(uid))
            # First the row, then the file: one that a crash leaves between them is an orphan.
            if self._ledger.expired(uid, audit=message):
                self._audit.copy(message)
                self._spool.remove(path)
                deleted += 1
        return deleted

    def _clear(self) -> int:
        """Delete objects that no row names, a day after they were written."""
        old, cleared = self._spool.old(DAY), 0
        while (paths := list(islice(old, _TOGETHER))) and not self._stopping.is_set():
            needed = self._ledger.needed([PurePath(path).stem for path in paths])
            orphans = [path for path in paths if PurePath(path).stem not in needed]
            cleared += sum(self._spool.remove(path, untouched=DAY) for path in orphans)
        return cleared

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                swept = self.sweep(datetime.now(UTC))
            except (LungflagError, OSError) as error:
                _LOG.error("retention has to wait", extra={"reason": type(error).__name__})
            else:
                if swept.expired or swept.orphans:
                    facts = {"expired": swept.expired, "orphans": swept.orphans}
                    _LOG.info("pixels deleted", extra=facts)
            self._stopping.wait(HOUR)
