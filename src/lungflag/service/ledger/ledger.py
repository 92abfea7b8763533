"""The ledger's transactions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lungflag.service.ledger import (
    amendments,
    deliveries,
    figures,
    intake,
    jobs,
    lifetime,
    views,
)
from lungflag.service.ledger.database import AWAY_SECONDS, Database
from lungflag.service.ledger.migrate import prepare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

    from lungflag.service.ledger.rows import (
        Amending,
        Delivery,
        Expirable,
        Figures,
        Held,
        Instance,
        Job,
        NewDelivery,
        OutcomeRecord,
        Queue,
        Recent,
        Stray,
    )


class Ledger:
    """Instances, studies, jobs, outcomes, deliveries and audit messages.

    Safe to share between threads. Processes open their own, after they were forked or spawned.

    Every method raises a `LedgerError` where the database cannot be used, or stays away longer
    than `away_seconds`. Nothing may then be taken for done.

    Use `Ledger.open`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, create: bool = False, away_seconds: float = AWAY_SECONDS) -> Ledger:
        """Open the ledger in a database.

        Parameters
        ----------
        url : str
            ``sqlite:///FILE`` or ``postgresql+pg8000://USER:PASSWORD@HOST/NAME``.
        create : bool
            Make the tables, or bring those of an older lungflag up to date. Else they must fit.
        away_seconds : float
            How long an operation waits for a PostgreSQL server that has gone away.

        Raises
        ------
        LedgerError
            If the database cannot be reached, or its schema does not fit; the message says what
            to do.
        """
        database = Database(url, away_seconds=away_seconds)
        try:
            prepare(database, create=create)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def database(self) -> Database:
        """The database, for the transactions of rooms above this one."""
        return self._database

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Intake

    def find(self, sop_instance_uid: str, *, package: str, version: str) -> Held:
        """Return what is known of an instance that comes in."""
        return self._database.read(
            partial(intake.find, sop_instance_uid, package=package, version=version)
        )

    def instance(self, sop_instance_uid: str) -> Instance:
        """Return a received instance.

        Raises
        ------
        LedgerError
            If there is none.
        """
        return self._database.read(partial(views.instance, sop_instance_uid))

    def receive(
        self,
        instance: Instance,
        *,
        package: str,
        version: str,
        priority: str,
        audit: str = "",
    ) -> bool:
        """Keep a received instance, its study and a job for it. Idempotent.

        An instance that is there already stays as it is, unless its pixels were deleted: then the
        new file takes their place. The study's priority, and that of its open jobs, only rises.

        Parameters
        ----------
        instance : Instance
            Its file is on the disk.
        package, version : str
            The model package that is to judge it.
        priority : str
            One of `lungflag.service.priority.PRIORITIES`.
        audit : str
            An audit message that is kept with a new job; none if empty.

        Returns
        -------
        bool
            Whether there is a new job; False where this one was there already.
        """
        return self._database.write(
            partial(
                intake.receive,
                self._database,
                instance,
                package=package,
                version=version,
                priority=priority,
                audit=audit,
            )
        )

    # Jobs

    def lease_jobs(
        self, worker: str, package: str, version: str, n: int, seconds: float
    ) -> list[Job]:
        """Take up to `n` jobs for `seconds`: the most urgent first, then the oldest.

        A job whose lease ran out is taken again. One that was taken before comes alone, so that
        an instance that kills its worker takes no other one with it.
        """
        return self._database.write(
            partial(jobs.lease, self._database, worker, package, version, n, seconds)
        )

    def extend(self, jobs_: Sequence[Job], seconds: float) -> None:
        """Let leases last `seconds` from now, where they have not been lost."""
        self._database.write(partial(jobs.extend, self._database, jobs_, seconds))

    def complete(self, job: Job, record: OutcomeRecord, deliveries_: Sequence[NewDelivery]) -> bool:
        """Write an outcome and its deliveries, and end the job.

        Returns
        -------
        bool
            False where another worker has the job by now: nothing was written.
        """
        return self._database.write(
            partial(jobs.complete, self._database, job, record, deliveries_)
        )

    def give_back(self, jobs_: Sequence[Job], error: str, retry_after: float) -> None:
        """Put jobs back that were not done; they are due again in `retry_after` seconds.

        Without an `error` they were not begun, and the attempt does not count.
        """
        self._database.write(partial(jobs.give_back, self._database, jobs_, error, retry_after))

    # Amendments

    def lease_amendment(
        self, worker: str, package: str, version: str, seconds: float
    ) -> Amending | None:
        """Take a report that is to supersede another one for `seconds`, the oldest first."""
        if self._database.read(partial(amendments.due, self._database, package, version)) is None:
            return None
        return self._database.write(
            partial(amendments.lease, self._database, worker, package, version, seconds)
        )

    def complete_amendment(self, amending: Amending, deliveries_: Sequence[NewDelivery]) -> bool:
        """Write a superseding report's deliveries, and end its amendment.

        Returns
        -------
        bool
            False where another worker has it by now: nothing was written.
        """
        return self._database.write(
            partial(amendments.complete, self._database, amending, deliveries_)
        )

    def give_back_amendment(self, amending: Amending, error: str, retry_after: float) -> None:
        """Put an amendment back that failed; it is due again in `retry_after` seconds."""
        self._database.write(
            partial(amendments.give_back, self._database, amending, error, retry_after)
        )

    # Deliveries

    def lease_deliveries(self, sender: str, target: str, n: int, seconds: float) -> list[Delivery]:
        """Take up to `n` deliveries to a target for `seconds`: the most urgent studies first."""
        return self._database.write(
            partial(deliveries.lease, self._database, sender, target, n, seconds)
        )

    def delivered(self, delivery: Delivery, *, audit: str = "") -> None:
        """Note that a delivery has arrived, and keep an audit message with that."""
        self._database.write(partial(deliveries.delivered, self._database, delivery, audit))

    def undelivered(self, delivery: Delivery, error: str, retry_after: float | None) -> None:
        """Note that a delivery failed: it is due again in `retry_after` seconds.

        Where that is None it becomes a dead letter, until a person asks for it again. Without an
        `error` it was not begun, and the attempt does not count.
        """
        self._database.write(
            partial(deliveries.undelivered, self._database, delivery, error, retry_after)
        )

    def retry_dead(self, target: str | None = None) -> int:
        """Make dead letters due again, of one target or of all; return how many."""
        return self._database.write(partial(deliveries.retry_dead, self._database, target))

    def dead(self) -> list[Delivery]:
        """Return the dead letters, oldest first."""
        return self._database.read(deliveries.dead)

    # Looking

    def queue(self) -> Queue:
        """Return how many jobs and deliveries are in which state."""
        return self._database.read(views.queue)

    def strays(self, *, package: str, version: str, targets: Sequence[str]) -> list[Stray]:
        """Return what waits for another package version, or for a target not among `targets`."""
        return self._database.read(partial(views.strays, package, version, targets))

    def recent(self, n: int) -> list[Recent]:
        """Return the last `n` jobs with their outcomes, newest first."""
        return self._database.read(partial(views.recent, n))

    def figures(self, since: datetime | None) -> Figures:
        """Return the counts at this moment, and what was done since another one.

        Does not wait for a server that has gone away.
        """
        return self._database.read(partial(figures.figures, self._database, since), patient=False)

    # Audit and retention

    def audit(self, message: str) -> None:
        """Keep an audit message."""
        self._database.write(partial(lifetime.keep_message, self._database, message))

    def expire(self, before: datetime) -> Iterator[Expirable]:
        """Return the instances from before a time whose pixels nothing waits for."""
        return iter(self._database.read(partial(lifetime.expire, before)))

    def expired(self, sop_instance_uid: str, *, audit: str = "") -> bool:
        """Note that an instance's pixels go, and return whether they may.

        False where something has come to need them: no audit message is kept then. Delete the file
        afterwards.
        """
        return self._database.write(
            partial(lifetime.expired, self._database, sop_instance_uid, audit)
        )

    def needed(self, digests: Collection[str]) -> set[str]:
        """Return those of some hundred SHA-256 digests whose objects have to stay."""
        return self._database.read(partial(lifetime.needed, digests))
